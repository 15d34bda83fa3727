/**
 * Trustless HTTP gateways as sources of a download. To the scheduler each is a peer from which whole pieces are pulled,
 * as on Bitswap, and that is believed to have all of what it has the root of. Every block is checked against its CID;
 * a gateway that sends other bytes, or sends elsewhere, is banned for this run; one that fails is left and tried again.
 */
import type { CID } from 'multiformats/cid'
import { verifyBlock } from '../content/verify.ts'
import { rootKeyOf } from '../core/cid.ts'
import { type PeerKey, peerKey, type RootKey } from '../core/types.ts'
import type { NodeFetcher, NodeWire } from '../exchange/bitswap/node-fetcher.ts'
import { fetchRawBlock, type Outcome } from '../exchange/http/raw-block.ts'
import type { Store } from '../store/types.ts'
import type { SwarmAction } from '../swarm/events.ts'
import type { ArrivingPieces } from './arriving-pieces.ts'
import { GatewayGets, type Get } from './gateway-gets.ts'
import type { OpenSwarm } from './open-swarms.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import type { Traffic } from './traffic.ts'

/** Failures in a row after which a gateway is left. */
const MOST_FAILURES = 3

/** A gateway that lacks the root, or was left, is asked again after this long; the last one repeats. */
const PAUSES_MS = [1_000, 4_000, 15_000, 30_000]

/** A block that did not come may come later: nobody tells when. */
const RETRY_MS = 15_000

/** Between two signs of life that the scheduler is told of. */
const PROGRESS_MS = 200

/** What is less is none: a byte now and then holds up no download. */
const PROGRESS_BYTES = 16 << 10

export interface HttpWireContext {
  readonly store: Store
  readonly driver: SwarmDriver
  readonly arriving: ArrivingPieces
  readonly traffic: Traffic
  readonly log: (line: string) => void
}

interface Gateway {
  readonly gets: GatewayGets
  failures: number
  /** Said in the log, until a block comes. */
  isSilent: boolean
  toldAt: number
  /** Bytes that came since. */
  untold: number
}

export class HttpWire implements Omit<NodeWire, 'remind'> {
  readonly #context: HttpWireContext
  readonly #gateways = new Map<PeerKey, Gateway>()
  /** Banned; some of them before they took part in any swarm. */
  readonly #refused = new Set<PeerKey>()
  readonly #stopping = new AbortController()
  #fetcher: NodeFetcher | undefined
  /** Asked for everything. */
  #everywhere: readonly string[] = []

  constructor(context: HttpWireContext) {
    this.#context = context
  }

  /** The fetcher asks through this, so it comes second. */
  attach(fetcher: NodeFetcher): void {
    this.#fetcher = fetcher
  }

  start(gateways: readonly string[]): void {
    this.#everywhere = gateways.map(withoutSlash)
  }

  stop(): void {
    this.#stopping.abort()
    for (const peer of this.#gateways.keys()) this.drop(peer)
  }

  // --- finding out who has a root

  /** Calls back for each gateway that gives the root's block, until the returned function is called. */
  search(root: CID, named: readonly string[], onPeer: (peer: PeerKey) => void): () => void {
    const searching = new AbortController()
    const signal = AbortSignal.any([searching.signal, this.#stopping.signal])
    for (const url of new Set([...named.map(withoutSlash), ...this.#everywhere]))
      void this.#lookFor(root, peerKey(url), signal, onPeer)
    return () => searching.abort()
  }

  async #lookFor(
    root: CID,
    peer: PeerKey,
    signal: AbortSignal,
    onPeer: (peer: PeerKey) => void,
  ): Promise<void> {
    /** Another one once it was left. */
    let joined: Gateway | undefined
    for (let round = 0; !signal.aborted && !this.#refused.has(peer); round++) {
      const gateway = this.#gateway(peer)
      if (gateway !== joined && (await this.#gives(peer, root, signal))) {
        joined = gateway
        onPeer(peer)
      }
      await pause(PAUSES_MS[Math.min(round, PAUSES_MS.length - 1)] ?? 0, signal)
    }
  }

  async #gives(peer: PeerKey, root: CID, signal: AbortSignal): Promise<boolean> {
    const outcome = await fetchRawBlock(peer, root.toString(), {
      signal,
      onBytes: () => {},
      onSilence: () => this.#silent(peer, this.#gateway(peer)),
    }).catch((): Outcome => ({ kind: 'absent' }))
    if (outcome.kind === 'block' && verifyBlock(root, outcome.bytes)) return true
    const reason = outcome.kind === 'block' ? OTHER_BYTES : outcome.kind === 'unusable' && outcome.reason
    if (reason !== false) this.#blame(peer, reason, rootKeyOf(root))
    return false
  }

  // --- the life of a swarm

  join(root: RootKey, peer: PeerKey): void {
    this.#context.driver.dispatch({ type: 'joined', root, peer, wire: 'bitswap' })
  }

  /** Nothing more is wanted for it. */
  close({ root, members }: OpenSwarm): void {
    for (const [peer, { gets }] of this.#gateways) {
      gets.cancelRoot(root)
      if (members.has(peer)) this.#context.driver.dispatch({ type: 'left', root, peer })
    }
  }

  /** Forgets what it was asked for, and leaves its swarms. */
  drop(peer: PeerKey): void {
    const gateway = this.#gateways.get(peer)
    if (gateway === undefined) return
    this.#gateways.delete(peer)
    gateway.gets.end()
    const { driver } = this.#context
    for (const { root, members, download } of [...driver.swarms]) {
      if (download !== undefined) this.#fetcher?.left(download.session, peer)
      if (members.has(peer)) driver.dispatch({ type: 'left', root, peer })
    }
  }

  // --- DAG nodes, for the fetcher

  want(peer: PeerKey, cids: Iterable<CID>): void {
    for (const cid of cids) this.#gateway(peer).gets.wantNode(cid)
  }

  cancel(peer: PeerKey, cid: CID): void {
    this.#gateways.get(peer)?.gets.cancelNode(cid)
  }

  // --- pieces, for the scheduler

  act(action: SwarmAction): void {
    switch (action.type) {
      case 'ask':
        // it cannot be asked; a request shows
        this.#context.driver.dispatch({ ...action, type: 'has' })
        return
      case 'request':
        this.#request(action.root, action.peer, action.piece)
        return
      case 'remind':
        for (const piece of action.pieces) this.#request(action.root, action.peer, piece)
        return
      case 'cancel':
        this.#gateways.get(action.peer)?.gets.cancelPiece(action.root, action.piece)
        return
    }
  }

  #request(root: RootKey, peer: PeerKey, piece: number): void {
    const cid = this.#context.driver.swarms.get(root)?.leaves?.cid(piece)
    if (cid !== undefined) this.#gateway(peer).gets.wantPiece(cid, root, piece)
  }

  // --- what comes of it

  #gateway(peer: PeerKey): Gateway {
    const known = this.#gateways.get(peer)
    if (known !== undefined) return known
    const gets = new GatewayGets(peer, {
      onOutcome: (get, outcome) => this.#came(peer, gateway, get, outcome),
      onBytes: (bytes) => this.#progressed(peer, gateway, bytes),
      onSilence: () => this.#silent(peer, gateway),
    })
    const gateway: Gateway = { gets, failures: 0, isSilent: false, toldAt: 0, untold: 0 }
    this.#gateways.set(peer, gateway)
    return gateway
  }

  #came(peer: PeerKey, gateway: Gateway, get: Get, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'block':
        gateway.failures = 0
        gateway.isSilent = false
        if (!verifyBlock(get.cid, outcome.bytes)) this.#blame(peer, OTHER_BYTES)
        else this.#received(peer, get, outcome.bytes)
        return
      case 'absent':
        this.#lacks(peer, gateway, get)
        return
      case 'failed':
        this.#lacks(peer, gateway, get)
        if (++gateway.failures < MOST_FAILURES) return
        this.#context.log(`${peer} is left for now: it ${outcome.reason}`)
        this.drop(peer)
        return
      case 'unusable':
        this.#blame(peer, outcome.reason)
    }
  }

  #received(peer: PeerKey, { cid, isNode, pieces }: Get, block: Uint8Array): void {
    const { arriving, driver, store, traffic } = this.#context
    if (isNode) this.#fetcher?.offer(cid, block)
    for (const [root, piece] of pieces) {
      const swarm = driver.swarms.get(root)
      if (swarm === undefined) continue
      traffic.downloaded(root, peer, swarm.pieces.size(piece))
      store.count(root, { downloaded: swarm.pieces.size(piece) })
      arriving.lend(swarm, piece, block, () => driver.dispatch({ type: 'received', root, peer, piece }))
    }
  }

  /** Others are asked; and it is once more, later, as long as the block is wanted of it. */
  #lacks(peer: PeerKey, { gets }: Gateway, { cid, isNode, pieces }: Get): void {
    const { driver } = this.#context
    if (isNode) {
      gets.rest(cid, RETRY_MS)
      this.#fetcher?.lacks(peer, cid)
    }
    for (const [root, piece] of pieces) {
      driver.dispatch({ type: 'lacks', root, peer, pieces: [piece] })
      setTimeout(() => this.#mayHave(root, peer, piece), RETRY_MS).unref()
    }
  }

  #mayHave(root: RootKey, peer: PeerKey, piece: number): void {
    const { driver } = this.#context
    const swarm = driver.swarms.get(root)
    if (swarm?.members.has(peer) === true && !swarm.have.has(piece))
      driver.dispatch({ type: 'has', root, peer, pieces: [piece] })
  }

  #silent(peer: PeerKey, gateway: Gateway): void {
    if (gateway.isSilent) return
    gateway.isSilent = true
    this.#context.log(`${peer} is silent: it was asked for a block, and nothing has come for some seconds`)
  }

  #progressed(peer: PeerKey, gateway: Gateway, bytes: number): void {
    const now = performance.now()
    gateway.untold += bytes
    if (now - gateway.toldAt < PROGRESS_MS || gateway.untold < PROGRESS_BYTES) return
    gateway.toldAt = now
    gateway.untold = 0
    const { driver } = this.#context
    for (const { root, members } of driver.swarms.downloads())
      if (members.has(peer)) driver.dispatch({ type: 'progressed', root, peer })
  }

  /** Bans it, in the name of a swarm where there is one: `sought`, or one that it takes part in. */
  #blame(peer: PeerKey, reason: string, sought?: RootKey): void {
    const { driver, log } = this.#context
    this.#refused.add(peer)
    if (sought !== undefined && driver.swarms.get(sought) !== undefined) this.join(sought, peer)
    const swarm = [...driver.swarms].find(({ members }) => members.has(peer))
    if (swarm !== undefined) driver.dispatch({ type: 'misbehaved', root: swarm.root, peer, reason })
    else log(`banned ${peer}: it ${reason}`)
    this.drop(peer)
  }
}

const withoutSlash = (url: string): string => url.replace(/\/+$/, '')

const OTHER_BYTES = 'sent other bytes than it was asked for'

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (signal.aborted) done()
    else signal.addEventListener('abort', done)
  })
}
