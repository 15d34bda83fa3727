/**
 * `/share/wire/1.0.0` with all peers: one stream for each peer and root. It opens them and takes them in, sees that of
 * two that cross one stays, and hands actions to the sessions that they concern. It decides nothing else.
 */
import type { Libp2p, Connection as Libp2pConnection, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { CID } from 'multiformats/cid'
import { printable, rootKeyOf, unsupported } from '../../core/cid.ts'
import { asError } from '../../core/errors.ts'
import { type Millis, type PeerKey, peerKey, type RootKey } from '../../core/types.ts'
import { MemoryGate } from '../bitswap/memory-gate.ts'
import { openStream } from '../open-stream.ts'
import type { Outflow } from '../outflow.ts'
import type { PeerWireAction, PeerWireHost } from './host.ts'
import type { PeerNews } from './peer-news.ts'
import { Session } from './session.ts'
import { WireViolation } from './violation.ts'

export const PEER_WIRE = '/share/wire/1.0.0'

/** Roots that one peer may trade in with us. */
const MOST_ROOTS = 256

/** Streams of one peer that have not named a root that we trade in. */
const MOST_STRANGE = 32

/** libp2p counts streams in each direction. */
const MOST_STREAMS = MOST_ROOTS + MOST_STRANGE

const OPENING_MS = 10_000

/** How often sessions look at the clock. */
const TICK_MS = 5_000

/** Streams live as long as their peers trade; keep-alives are for those that were configured otherwise. */
const REST_MS = 24 * 60 * 60 * 1000

/** What ends a stream without anybody being at fault. */
const ORDINARY = new Set([
  'AbortError',
  'TimeoutError',
  'StreamResetError',
  'StreamClosedError',
  'StreamStateError',
  'StreamAbortedError',
  'ConnectionClosedError',
  'MuxerClosedError',
  'UnsupportedProtocolError',
  'DialError',
  'NoValidAddressesError',
])

export interface PeerWireOptions {
  readonly libp2p: Libp2p
  readonly host: PeerWireHost
  /** Name and version of this program. */
  readonly version: string
  readonly outflow: Outflow
  readonly now: () => Millis
  readonly log: (line: string) => void
}

/** A peer that has a stream with us for some root. */
export interface WirePeer {
  readonly peer: PeerKey
  /** It takes part: both know the pieces. */
  readonly joined: boolean
  readonly version: string | undefined
}

interface Dialling {
  readonly result: Promise<boolean>
  readonly giveUp: AbortController
}

export class PeerWire {
  readonly #options: PeerWireOptions
  /** All that are open, by peer; also those that have not named their root. */
  readonly #peers = new Map<PeerKey, Set<Session>>()
  /** The one that is used, by root and peer. */
  readonly #sessions = new Map<RootKey, Map<PeerKey, Session>>()
  readonly #dialling = new Map<string, Dialling>()
  /** Pieces on their way to us: also peers that join later are told of them. */
  readonly #expected = new Map<RootKey, Set<number>>()
  readonly #gate = new MemoryGate()
  #timer: NodeJS.Timeout | undefined
  #stopped = true

  constructor(options: PeerWireOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    this.#stopped = false
    await this.#options.libp2p.handle(PEER_WIRE, (stream, connection) => this.#accept(stream, connection), {
      maxInboundStreams: MOST_STREAMS,
      maxOutboundStreams: MOST_STREAMS,
      runOnLimitedConnection: true,
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#rest()
    for (const { giveUp } of this.#dialling.values()) giveUp.abort()
    for (const session of this.#all()) session.end()
    await this.#options.libp2p.unhandle(PEER_WIRE)
  }

  /** Whether the peer said that it speaks this protocol. Known once it is identified; until then no. */
  async speaks(peer: PeerKey): Promise<boolean> {
    try {
      const known = await this.#options.libp2p.peerStore.get(peerIdFromString(peer))
      return known.protocols.includes(PEER_WIRE)
    } catch {
      return false
    }
  }

  /** Opens a stream for this root, unless there is one. False when that cannot be, as when the peer speaks another protocol. */
  open(root: RootKey, peer: PeerKey): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false)
    if (this.#sessionOf(root, peer) !== undefined) return Promise.resolve(true)
    const key = keyOf(root, peer)
    const known = this.#dialling.get(key)
    if (known !== undefined) return known.result
    const giveUp = new AbortController()
    const result = this.#dial(root, peer, giveUp.signal)
    const dialling = { result, giveUp }
    this.#dialling.set(key, dialling)
    void result.finally(() => {
      if (this.#dialling.get(key) === dialling) this.#dialling.delete(key)
    })
    return result
  }

  /** Our manifest of this root is complete now: the host's `pieces` has them. */
  counted(root: RootKey): void {
    const pieces = this.#options.host.pieces(root)
    if (pieces === undefined) return
    for (const session of this.#of(root)) session.count(pieces)
  }

  /** Ends all streams of this root. */
  close(root: RootKey): void {
    for (const [key, { giveUp }] of this.#dialling) if (key.startsWith(`${root} `)) giveUp.abort()
    for (const session of this.#of(root)) session.end()
    this.#expected.delete(root)
  }

  /** Ends all streams with this peer. */
  drop(peer: PeerKey): void {
    for (const [key, { giveUp }] of this.#dialling) if (key.endsWith(` ${peer}`)) giveUp.abort()
    for (const session of [...(this.#peers.get(peer) ?? [])]) session.end()
  }

  /** Carries out an action, with one peer or, where it names none, with all of the root. What concerns nobody any more is passed over. */
  act(action: PeerWireAction): void {
    this.#noteExpected(action)
    if ('peer' in action) this.#sessionOf(action.root, action.peer)?.act(action)
    else for (const session of this.#of(action.root)) session.act(action)
  }

  /** Tells one peer of the root, or all of them, of others. Nobody takes more than 100 a minute. */
  tellPeers(root: RootKey, news: PeerNews, peer?: PeerKey): void {
    if (peer !== undefined) this.#sessionOf(root, peer)?.tellPeers(news)
    else for (const session of this.#of(root)) session.tellPeers(news)
  }

  peers(root: RootKey): WirePeer[] {
    return this.#of(root).map(({ peer, joined, version }) => ({ peer, joined, version }))
  }

  /** Bytes that the host keeps count until it releases them; too many stop the reading of all streams. */
  hold(bytes: number): void {
    this.#gate.hold(bytes)
  }

  release(bytes: number): void {
    this.#gate.release(bytes)
  }

  /** Ends handshakes that last too long, and keeps idle streams alive. Called every few seconds. */
  tick(): void {
    for (const session of this.#all()) session.tick()
  }

  // --- streams of ours

  async #dial(root: RootKey, peer: PeerKey, signal: AbortSignal): Promise<boolean> {
    if ((this.#peers.get(peer)?.size ?? 0) >= MOST_ROOTS) return false
    const { libp2p, host } = this.#options
    let stream: Stream
    try {
      stream = await openStream(libp2p, peerIdFromString(peer), PEER_WIRE, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(OPENING_MS)]),
        maxOutboundStreams: MOST_STREAMS,
      })
    } catch (thrown) {
      this.#report(peer, thrown)
      return false
    }
    const known = this.#sessionOf(root, peer)
    if (known !== undefined || signal.aborted || this.#stopped) {
      stream.abort(new Error('not needed any more'))
      return known !== undefined
    }
    const session = this.#session(stream, peer)
    this.#use(session, root)
    session.introduce(root, CID.parse(root).bytes, host.pieces(root))
    return !session.ended
  }

  // --- streams of others

  #accept(stream: Stream, connection: Libp2pConnection): void {
    const peer = peerKey(connection.remotePeer.toString())
    const open = [...(this.#peers.get(peer) ?? [])]
    const strange = open.filter(({ root }) => root === undefined).length
    if (this.#stopped || strange >= MOST_STRANGE || open.length >= MOST_STREAMS)
      stream.abort(new Error('too many streams'))
    else this.#session(stream, peer)
  }

  #onGreeted(session: Session, bytes: Uint8Array): void {
    if (session.outbound) return
    const root = rootOf(bytes)
    if (root === undefined) {
      session.end(new WireViolation('wrong-root', 'a root that is no CID'))
      return
    }
    if (this.#prefersOurs(root, session.peer)) session.end()
    else void this.#admit(session, root, bytes)
  }

  /** The stream that the peer with the smaller id opened stays. */
  #prefersOurs(root: RootKey, peer: PeerKey): boolean {
    const dials = this.#dialling.has(keyOf(root, peer))
    const ours = dials || this.#sessionOf(root, peer)?.outbound === true
    return ours && this.#options.libp2p.peerId.toString() < peer
  }

  async #admit(session: Session, root: RootKey, bytes: Uint8Array): Promise<void> {
    const { host } = this.#options
    let admitted = false
    try {
      admitted = await host.admits(session.peer, root)
    } catch (thrown) {
      this.#report(session.peer, thrown)
    }
    if (session.ended) return
    if (!admitted || this.#prefersOurs(root, session.peer)) {
      session.end()
      return
    }
    this.#use(session, root)
    session.introduce(root, bytes, host.pieces(root))
  }

  // --- the books

  #noteExpected(action: PeerWireAction): void {
    const { type, root } = action
    if (type !== 'expect' && type !== 'expect-no-more' && type !== 'have') return
    const pieces = this.#expected.get(root) ?? new Set()
    if (type === 'expect') this.#expected.set(root, pieces.add(action.piece))
    else pieces.delete(action.piece)
  }

  #session(stream: Stream, peer: PeerKey): Session {
    const { host, outflow, version, now } = this.#options
    stream.inactivityTimeout = REST_MS
    const session = new Session({
      stream,
      peer,
      host,
      outflow,
      version,
      now,
      onGreeted: (greeted, root) => this.#onGreeted(greeted, root),
      onEnded: (ended, error) => this.#onEnded(ended, error),
      expected: (root) => this.#expected.get(root) ?? [],
      full: () => this.#gate.pass(),
    })
    const sessions = this.#peers.get(peer) ?? new Set()
    this.#peers.set(peer, sessions.add(session))
    this.#timer ??= setInterval(() => this.tick(), TICK_MS)
    return session
  }

  /** From now on this is the one for its peer and root; one before it ends. */
  #use(session: Session, root: RootKey): void {
    this.#sessionOf(root, session.peer)?.end()
    const sessions = this.#sessions.get(root) ?? new Map<PeerKey, Session>()
    this.#sessions.set(root, sessions.set(session.peer, session))
  }

  #onEnded(session: Session, error: Error | undefined): void {
    const { peer, root } = session
    const ofPeer = this.#peers.get(peer)
    ofPeer?.delete(session)
    if (ofPeer?.size === 0) this.#peers.delete(peer)
    if (this.#peers.size === 0) this.#rest()
    const ofRoot = root && this.#sessions.get(root)
    if (root !== undefined && ofRoot?.get(peer) === session) {
      ofRoot.delete(peer)
      if (ofRoot.size === 0) this.#sessions.delete(root)
    }
    // of what a trading peer is to blame for, the scheduler tells
    const judged = root !== undefined && error instanceof WireViolation && error.blame === 'peer'
    if (error !== undefined && !judged) this.#report(peer, error)
  }

  /** Nobody is there to look after. */
  #rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #sessionOf(root: RootKey, peer: PeerKey): Session | undefined {
    return this.#sessions.get(root)?.get(peer)
  }

  #of(root: RootKey): Session[] {
    return [...(this.#sessions.get(root)?.values() ?? [])]
  }

  #all(): Session[] {
    return [...this.#peers.values()].flatMap((sessions) => [...sessions])
  }

  #report(peer: PeerKey, thrown: unknown): void {
    const error = asError(thrown)
    if (this.#stopped || ORDINARY.has(error.name)) return
    this.#options.log(`peer wire: ${peer}: ${printable(error.message)}`)
  }
}

function keyOf(root: RootKey, peer: PeerKey): string {
  return `${root} ${peer}`
}

/** The root that a handshake names; undefined when it is no CIDv1 that we could trade in. */
function rootOf(bytes: Uint8Array): RootKey | undefined {
  try {
    const cid = CID.decode(bytes)
    return cid.version === 1 && unsupported(cid) === undefined ? rootKeyOf(cid) : undefined
  } catch {
    return undefined
  }
}
