/** Nodes that speak the peer wire over libp2p on loopback, each with a host that a test drives and reads. */

import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import { rootKeyOf } from '../../src/core/cid.ts'
import { millis, type PeerKey, peerKey, type RootKey } from '../../src/core/types.ts'
import { Outflow } from '../../src/exchange/outflow.ts'
import type { Pieces } from '../../src/exchange/peer-wire/connection.ts'
import type { PeerWireAction, PeerWireHost } from '../../src/exchange/peer-wire/host.ts'
import type { PeerNews } from '../../src/exchange/peer-wire/peer-news.ts'
import { PeerWire } from '../../src/exchange/peer-wire/peer-wire.ts'
import type { SwarmEvent } from '../../src/swarm/events.ts'
import { Limits } from '../../src/swarm/limits.ts'
import { SendWindow } from '../../src/swarm/send-window.ts'
import { block, ROOT } from './peer-wire-pair.ts'

export const ROOT_KEY = rootKeyOf(CID.decode(ROOT))

/** What a test says of an action; peer and root are added. */
type Short<Action> = Action extends PeerWireAction ? Omit<Action, 'peer' | 'root'> : never

export class FakeHost implements PeerWireHost {
  readonly events: SwarmEvent[] = []
  readonly arrived = new Map<number, Uint8Array>()
  readonly news: PeerNews[] = []
  readonly released: Uint8Array[] = []
  readonly tables = new Map<RootKey, Pieces>()
  sent = 0
  /** Called with each event, as a scheduler is. */
  onEvent: (event: SwarmEvent) => void = () => {}
  admits: PeerWireHost['admits'] = async (_, root) => this.tables.has(root)
  read: PeerWireHost['read'] = async (_, piece) => block(piece, this.tables.get(ROOT_KEY)?.sizes[piece] ?? 0)
  #waiting: (() => void)[] = []

  dispatch(event: SwarmEvent): void {
    this.events.push(event)
    this.onEvent(event)
    for (const look of this.#waiting.splice(0)) look()
  }

  pieces(root: RootKey): Pieces | undefined {
    return this.tables.get(root)
  }

  keep(_: RootKey, __: PeerKey, piece: number, begin: number, data: Uint8Array): void {
    const bytes = this.arrived.get(piece) ?? new Uint8Array(this.tables.get(ROOT_KEY)?.sizes[piece] ?? 0)
    bytes.set(data, begin)
    this.arrived.set(piece, bytes)
  }

  release(_: RootKey, released: Uint8Array): void {
    this.released.push(released)
  }

  onSent(_: RootKey, __: PeerKey, bytes: number): void {
    this.sent += bytes
  }

  onPeers(_: RootKey, __: PeerKey, news: PeerNews): void {
    this.news.push(news)
    for (const look of this.#waiting.splice(0)) look()
  }

  /** Resolves once the condition holds; looked at after each event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** The types of what was told so far. */
  types(): string[] {
    return this.events.map(({ type }) => type)
  }
}

export interface WireNode {
  readonly libp2p: Libp2p
  readonly key: PeerKey
  readonly host: FakeHost
  readonly wire: PeerWire
  readonly outflow: Outflow
  readonly lines: string[]
  act(to: WireNode, ...actions: Short<PeerWireAction>[]): void
}

const started: { stop(): Promise<void> | void }[] = []

/** A node that listens on loopback and speaks the peer wire. */
export async function startNode(): Promise<WireNode> {
  const libp2p = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    // as the node has it: a paused stream may hold a whole window
    streamMuxers: [yamux({ streamOptions: { maxReadBufferLength: 17 << 20 } })],
    services: { identify: identify() },
  })
  const now = () => millis(performance.now())
  const host = new FakeHost()
  const lines: string[] = []
  const outflow = new Outflow({ window: new SendWindow(), limits: new Limits(), now })
  const wire = new PeerWire({ libp2p, host, version: 'test', outflow, now, log: (line) => lines.push(line) })
  await wire.start()
  started.push(wire, outflow, libp2p)
  const act: WireNode['act'] = (to, ...actions) => {
    for (const action of actions) wire.act({ ...action, root: ROOT_KEY, peer: to.key } as PeerWireAction)
  }
  return { libp2p, key: peerKey(libp2p.peerId.toString()), host, wire, outflow, lines, act }
}

/** Call after each test. */
export async function stopNodes(): Promise<void> {
  for (const each of started.splice(0)) await each.stop()
}

/** Two nodes that know each other; the first has the smaller id. */
export async function connectedPair(): Promise<[WireNode, WireNode]> {
  const [a, b] = [await startNode(), await startNode()]
  const met = new Promise((resolve) => b.libp2p.addEventListener('peer:identify', resolve, { once: true }))
  const identified = new Promise((resolve) =>
    a.libp2p.addEventListener('peer:identify', resolve, { once: true }),
  )
  await a.libp2p.dial(b.libp2p.getMultiaddrs())
  await Promise.all([met, identified])
  return a.key < b.key ? [a, b] : [b, a]
}
