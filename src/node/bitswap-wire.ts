/**
 * Bitswap as one of the scheduler's wires: translates between CIDs, which Bitswap speaks of, and pieces of swarms.
 * Also finds out who has a root, and brings DAG nodes, which are no business of the scheduler.
 */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../core/cid.ts'
import type { BlockKey, PeerKey, RootKey } from '../core/types.ts'
import type { Bitswap, BitswapHost } from '../exchange/bitswap/bitswap.ts'
import type { PeerWant } from '../exchange/bitswap/ledger.ts'
import { NodeFetcher } from '../exchange/bitswap/node-fetcher.ts'
import type { Store } from '../store/types.ts'
import type { SwarmAction } from '../swarm/events.ts'
import type { ArrivingPieces } from './arriving-pieces.ts'
import { BlockServer } from './block-server.ts'
import type { HttpWire } from './http-wire.ts'
import type { OpenSwarm } from './open-swarms.ts'
import { isGateway } from './peer-kind.ts'
import type { Seeding } from './seeding.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import type { Traffic } from './traffic.ts'

/** kubo and Helia answer a question about a block of at most so many bytes with the block. */
const SENT_UNASKED = 1024

/** A peer that did not give what it was said to have is asked about it again after this long, when the scheduler believes it again. */
const REFUSED_MS = 5_000

export interface BitswapWireContext {
  readonly store: Store
  readonly driver: SwarmDriver
  readonly arriving: ArrivingPieces
  readonly seeding: Seeding
  readonly traffic: Traffic
  /** Asked for DAG nodes as peers are, by another protocol. */
  readonly http: HttpWire
  /** A peer that asks for something of a swarm is to take part in it, by the wire that fits. */
  join(root: RootKey, peer: PeerKey): void
  readonly log: (line: string) => void
}

export class BitswapWire implements BitswapHost {
  readonly fetcher: NodeFetcher
  readonly #context: BitswapWireContext
  readonly #server: BlockServer
  /** Which block is which piece, while it is downloaded. */
  readonly #indexes = new Map<RootKey, Map<BlockKey, number>>()
  /** Roots that are searched for, with what to do when a peer has one. */
  readonly #searches = new Map<BlockKey, Set<(peer: PeerKey) => void>>()
  #bitswap: Bitswap | undefined

  constructor(context: BitswapWireContext) {
    this.#context = context
    this.#server = new BlockServer({
      ...context,
      swarms: context.driver.swarms,
      exchange: () => this.#exchange,
      dispatch: (event) => context.driver.dispatch(event),
    })
    this.fetcher = new NodeFetcher({
      want: (peer, cids, kind) => {
        if (isGateway(peer)) context.http.want(peer, cids)
        else this.#exchange.want(peer, cids, kind)
      },
      // a gateway's request ends with an answer or an error
      remind: (peer, cids) => {
        if (!isGateway(peer)) this.#exchange.remind(peer, cids)
      },
      cancel: (peer, cid) => {
        if (isGateway(peer)) context.http.cancel(peer, cid)
        else this.#exchange.cancel(peer, cid)
      },
    })
  }

  /** The exchange calls back into this, so it comes second. */
  attach(bitswap: Bitswap): void {
    this.#bitswap = bitswap
  }

  /** Whether blocks are to come from the peer, of a swarm or not. */
  awaits(peer: PeerKey): boolean {
    return this.#bitswap?.awaits(peer) === true
  }

  /** Forgets the peer; its connection is the caller's to close. */
  drop(peer: PeerKey): void {
    this.#bitswap?.drop(peer)
  }

  async stop(): Promise<void> {
    await this.#bitswap?.stop()
  }

  // --- finding peers

  /** Calls back for each peer that says it has this root, until the returned function is called. */
  search(root: CID, onPeer: (peer: PeerKey) => void): () => void {
    const key = blockKey(root)
    const listeners = this.#searches.get(key) ?? new Set()
    this.#searches.set(key, listeners.add(onPeer))
    return () => {
      listeners.delete(onPeer)
      if (listeners.size === 0) this.#searches.delete(key)
    }
  }

  /** Asks a peer whether it has the root. The question stands until it is answered. */
  askRoot(peer: PeerKey, root: CID): void {
    if (!this.#context.driver.isBanned(peer)) this.#exchange.want(peer, [root], 'have')
  }

  /** Takes the question back, unless somebody else searches for the root, or it is asked for as a piece. */
  forgetRoot(peer: PeerKey, root: CID): void {
    if (this.#searches.has(blockKey(root)) || !this.#piecesOf(peer, root).next().done) return
    this.#exchange.cancel(peer, root)
  }

  // --- the life of a swarm

  /** The walk found pieces from this one on. */
  grew({ root, leaves }: OpenSwarm, from: number): void {
    if (leaves === undefined) return
    const index = this.#indexes.get(root) ?? new Map<BlockKey, number>()
    this.#indexes.set(root, index)
    for (let piece = from; piece < leaves.length; piece++) index.set(blockKey(leaves.cid(piece)), piece)
  }

  /** Nothing more is wanted; what others want is served on. */
  finished({ root }: OpenSwarm): void {
    this.#indexes.delete(root)
  }

  /** Takes back what its peers were asked for. */
  close(swarm: OpenSwarm): void {
    for (const [peer, wire] of swarm.members) if (wire === 'bitswap') this.#cancelAll(swarm, peer)
    this.#indexes.delete(swarm.root)
  }

  join(root: RootKey, peer: PeerKey): void {
    this.#context.driver.dispatch({ type: 'joined', root, peer, wire: 'bitswap' })
  }

  /** The peer takes part by another wire from now on. */
  leave(root: RootKey, peer: PeerKey): void {
    const swarm = this.#context.driver.swarms.get(root)
    if (swarm === undefined) return
    this.#cancelAll(swarm, peer)
    this.#context.driver.dispatch({ type: 'left', root, peer })
  }

  /** A DAG node was stored: whoever waited for it gets it. */
  onNodeStored(cid: CID): void {
    this.#server.nodeStored(cid)
  }

  /** A root was added, resumed or repaired: peers that were told DONT_HAVE are told again. */
  onServed(root: CID): Promise<void> {
    return this.#server.onServed(root)
  }

  // --- the scheduler's actions

  act(action: SwarmAction): void {
    switch (action.type) {
      case 'ask':
        this.#ask(action.root, action.peer, action.pieces)
        return
      case 'request':
        this.#exchange.want(action.peer, this.#cids(action.root, [action.piece]), 'block')
        return
      case 'remind':
        this.#exchange.remind(action.peer, this.#cids(action.root, action.pieces))
        return
      case 'unask':
      case 'cancel':
        for (const cid of this.#cids(action.root, [action.piece])) this.#exchange.cancel(action.peer, cid)
        return
      case 'send':
        void this.#server.send(action.root, action.peer, action.piece)
        return
      case 'reject':
        for (const cid of this.#cids(action.root, [action.piece]))
          this.#exchange.tellPresence(action.peer, cid, false)
        return
    }
  }

  tellHave(root: RootKey, piece: number): void {
    this.#server.tellHave(root, piece)
  }

  /** Bytes handed over stay counted until they are stored; too many stop the reading of all streams. */
  hold(bytes: number): void {
    this.#exchange.hold(bytes)
  }

  release(bytes: number): void {
    this.#exchange.release(bytes)
  }

  // --- Bitswap's host

  onBlock(peer: PeerKey, cid: CID, block: Uint8Array): void {
    this.#rootSeen(peer, cid)
    this.fetcher.offer(cid, block)
    for (const { swarm, piece } of this.#piecesOf(peer, cid)) this.#receive(swarm, peer, piece, block)
  }

  async onStrayBlock(peer: PeerKey, cid: CID): Promise<void> {
    const { store, driver } = this.#context
    if ((await store.locate(cid)).length > 0 || (await store.blockSize(cid)) !== undefined) return
    const [swarm] = this.#downloadsWith(peer)
    if (swarm === undefined) return
    const reason = 'sent bytes that match nothing it was asked for'
    driver.dispatch({ type: 'misbehaved', root: swarm.root, peer, reason })
  }

  onViolation(peer: PeerKey, reason: string): void {
    const { driver } = this.#context
    const swarm = [...driver.swarms].find(({ members }) => members.has(peer))
    if (swarm === undefined) this.#context.log(`bitswap: ${peer} ${reason}`)
    else driver.dispatch({ type: 'misbehaved', root: swarm.root, peer, reason })
  }

  onPresences(peer: PeerKey, presences: Parameters<BitswapHost['onPresences']>[1]): void {
    const answers = new Map<RootKey, { has: number[]; lacks: number[] }>()
    for (const { cid, has, asked } of presences) {
      if (has) this.#rootSeen(peer, cid)
      else this.fetcher.lacks(peer, cid)
      for (const { swarm, piece } of this.#piecesOf(peer, cid)) {
        if (!has && asked === 'block') this.#refused(swarm, peer, piece)
        const answer = answers.get(swarm.root) ?? { has: [], lacks: [] }
        answers.set(swarm.root, answer)
        answer[has ? 'has' : 'lacks'].push(piece)
      }
    }
    const { driver } = this.#context
    for (const [root, { has, lacks }] of answers) {
      if (lacks.length > 0) driver.dispatch({ type: 'lacks', root, peer, pieces: lacks })
      if (has.length > 0) driver.dispatch({ type: 'has', root, peer, pieces: has })
    }
  }

  onWants(peer: PeerKey, wants: readonly PeerWant[], dropped: readonly CID[]): Promise<void> {
    return this.#server.onWants(peer, wants, dropped)
  }

  onBytes(peer: PeerKey): void {
    for (const { root } of this.#downloadsWith(peer))
      this.#context.driver.dispatch({ type: 'progressed', root, peer })
  }

  onGone(peer: PeerKey): void {
    const { driver } = this.#context
    for (const { root, members, download } of [...driver.swarms]) {
      if (download !== undefined) this.fetcher.left(download.session, peer)
      if (members.get(peer) === 'bitswap') driver.dispatch({ type: 'left', root, peer })
    }
  }

  /** Blocks of a few bytes are taken for there, until a request shows: to a question about one, kubo and Helia answer with the block. */
  #ask(root: RootKey, peer: PeerKey, pieces: readonly number[]): void {
    const table = this.#context.driver.swarms.get(root)?.pieces
    if (table === undefined) return
    const isSmall = (piece: number): boolean => table.blockSize(piece) <= SENT_UNASKED
    const small = pieces.filter(isSmall)
    const others = pieces.filter((piece) => !isSmall(piece))
    if (others.length > 0) this.#exchange.want(peer, this.#cids(root, others), 'have')
    if (small.length > 0) this.#context.driver.dispatch({ type: 'has', root, peer, pieces: small })
  }

  /** What was requested is not there, though it may have been said to be. It may be later: the question stands from then on. */
  #refused({ root }: OpenSwarm, peer: PeerKey, piece: number): void {
    for (const cid of this.#cids(root, [piece])) this.#exchange.cancel(peer, cid)
    setTimeout(() => {
      const swarm = this.#context.driver.swarms.get(root)
      if (swarm?.members.get(peer) === 'bitswap' && !swarm.have.has(piece))
        this.#exchange.want(peer, this.#cids(root, [piece]), 'have')
    }, REFUSED_MS).unref()
  }

  #receive(swarm: OpenSwarm, peer: PeerKey, piece: number, block: Uint8Array): void {
    const { arriving, driver, store, traffic } = this.#context
    const { root, pieces } = swarm
    traffic.downloaded(root, peer, pieces.size(piece))
    store.count(root, { downloaded: pieces.size(piece) })
    arriving.lend(swarm, piece, block, () => driver.dispatch({ type: 'received', root, peer, piece }))
  }

  // --- look-ups

  get #exchange(): Bitswap {
    if (this.#bitswap === undefined) throw new Error('the wire has no exchange yet')
    return this.#bitswap
  }

  #rootSeen(peer: PeerKey, cid: CID): void {
    for (const onPeer of this.#searches.get(blockKey(cid)) ?? []) onPeer(peer)
  }

  /** Downloads in which the peer takes part by Bitswap. */
  *#downloadsWith(peer: PeerKey): Generator<OpenSwarm> {
    for (const swarm of this.#context.driver.swarms.downloads())
      if (swarm.members.get(peer) === 'bitswap') yield swarm
  }

  /** What the block is in the downloads in which the peer takes part by Bitswap. */
  *#piecesOf(peer: PeerKey, cid: CID): Generator<{ swarm: OpenSwarm; piece: number }> {
    const key = blockKey(cid)
    for (const swarm of this.#downloadsWith(peer)) {
      const piece = this.#indexes.get(swarm.root)?.get(key)
      if (piece !== undefined) yield { swarm, piece }
    }
  }

  #cids(root: RootKey, pieces: readonly number[]): CID[] {
    const table = this.#context.driver.swarms.get(root)?.leaves
    return table === undefined ? [] : pieces.map((piece) => table.cid(piece))
  }

  #cancelAll({ root, leaves, have }: OpenSwarm, peer: PeerKey): void {
    if (leaves === undefined) return
    for (const piece of this.#indexes.get(root)?.values() ?? [])
      if (!have.has(piece)) this.#exchange.cancel(peer, leaves.cid(piece))
  }
}
