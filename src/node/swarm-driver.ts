/**
 * Translates between the scheduler, which decides, and Bitswap and the store, which act. It holds the bytes
 * of pieces between their arrival and their being stored, and knows which CID is which piece.
 */
import type { CID } from 'multiformats/cid'
import type { PieceTable } from '../content/manifest.ts'
import { blockKey } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { createPrng } from '../core/prng.ts'
import type { BlockKey, Millis, PeerKey, RootKey } from '../core/types.ts'
import type { Bitswap, BitswapHost } from '../exchange/bitswap/bitswap.ts'
import type { PeerWant } from '../exchange/bitswap/ledger.ts'
import { type FetchSession, NodeFetcher } from '../exchange/bitswap/node-fetcher.ts'
import type { Store } from '../store/types.ts'
import type { SwarmAction, SwarmEvent } from '../swarm/events.ts'
import { Scheduler } from '../swarm/scheduler.ts'
import { BlockServer } from './block-server.ts'
import { Traffic } from './traffic.ts'
import type { BannedPeer } from './types.ts'

/** What a running download lends to the driver. */
export interface DownloadPort {
  readonly pieces: PieceTable
  readonly session: FetchSession
  has(piece: number): boolean
  /** Resolves once the bytes are written. */
  store(piece: number, block: Uint8Array): Promise<void>
  /** All pieces are stored. */
  onComplete(): void
  /** The first piece is here: from now on this node is worth asking. */
  onFirstPiece(): void
  onFailure(error: ShareError): void
}

interface Active {
  readonly port: DownloadPort
  readonly index: Map<BlockKey, number>
  /** Blocks received and not stored yet. */
  readonly held: Map<number, Uint8Array>
  hasPieces: boolean
}

export interface SwarmDriverOptions {
  readonly store: Store
  readonly now: () => Millis
  readonly seed: number
  /** Closes the peer's connections, and keeps it from coming back. */
  onBan(root: RootKey, banned: BannedPeer): void
}

export class SwarmDriver implements BitswapHost {
  readonly traffic: Traffic
  readonly fetcher: NodeFetcher
  readonly #options: SwarmDriverOptions
  readonly #scheduler: Scheduler
  readonly #server: BlockServer
  readonly #active = new Map<RootKey, Active>()
  /** Roots that are searched for, with what to do when a peer has one. */
  readonly #searches = new Map<BlockKey, Set<(peer: PeerKey) => void>>()
  /** The block of the `received` that is being handled: held only if the scheduler has it stored. */
  #arriving: Uint8Array | undefined
  #bitswap: Bitswap | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: SwarmDriverOptions) {
    this.#options = options
    this.#server = new BlockServer({
      store: options.store,
      traffic: () => this.traffic,
      exchange: () => this.#exchange,
      dispatch: (event) => this.#dispatch(event),
      downloads: {
        has: (root) => this.#active.has(root),
        hasPiece: (root, piece) => this.#active.get(root)?.port.has(piece) === true,
        pieces: (root) => this.#active.get(root)?.port.pieces,
        join: (root, peer) => this.join(root, peer),
      },
    })
    this.traffic = new Traffic(options.now)
    this.#scheduler = new Scheduler(createPrng(options.seed))
    this.fetcher = new NodeFetcher({
      want: (peer, cids, kind) => this.#exchange.want(peer, cids, kind),
      cancel: (peer, cid) => this.#exchange.cancel(peer, cid),
    })
  }

  /** The exchange calls back into the driver, so it comes second. */
  attach(bitswap: Bitswap): void {
    this.#bitswap = bitswap
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  limitDownload(rate: number): void {
    this.#dispatch({ type: 'limited', down: rate })
  }

  isBanned(peer: PeerKey): boolean {
    return this.#scheduler.isBanned(peer)
  }

  // --- downloads

  open(root: RootKey, port: DownloadPort): void {
    this.close(root)
    this.#active.set(root, { port, index: new Map(), held: new Map(), hasPieces: false })
    this.#dispatch({ type: 'opened', root, sizes: [], have: [], final: false })
  }

  /** The walk found pieces up to the table's length; `found` of them are stored already. */
  grow(root: RootKey, from: number, found: readonly number[], final: boolean): void {
    const active = this.#active.get(root)
    if (active === undefined) return
    const { pieces } = active.port
    for (let piece = from; piece < pieces.length; piece++)
      active.index.set(blockKey(pieces.cid(piece)), piece)
    if (found.length > 0) this.#firstPiece(active)
    this.#dispatch({ type: 'grown', root, sizes: pieces.blockSizes.subarray(from), found, final })
  }

  /** Ends the swarm of this root, whichever way it was used. */
  close(root: RootKey): void {
    const active = this.#active.get(root)
    for (const block of active?.held.values() ?? []) this.#exchange.release(block.byteLength)
    active?.held.clear()
    if (active !== undefined) for (const peer of active.port.session.peers) this.#cancelAll(peer, active)
    this.#active.delete(root)
    this.#server.close(root)
    this.#dispatch({ type: 'closed', root })
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
    if (!this.isBanned(peer)) this.#exchange.want(peer, [root], 'have')
  }

  forgetRoot(peer: PeerKey, root: CID): void {
    this.#exchange.cancel(peer, root)
  }

  /** The peer is a source of this download. */
  join(root: RootKey, peer: PeerKey): void {
    const active = this.#active.get(root)
    if (active === undefined || this.isBanned(peer)) return
    this.fetcher.joined(active.port.session, peer)
    this.#dispatch({ type: 'joined', root, peer })
  }

  /** A DAG node was stored: whoever waited for it gets it. */
  onNodeStored(cid: CID): void {
    this.#server.nodeStored(cid)
  }

  /** A root was added, resumed or repaired: peers that were told DONT_HAVE are told again. */
  onServed(root: CID): Promise<void> {
    return this.#server.onServed(root)
  }

  // --- Bitswap's host

  onBlock(peer: PeerKey, cid: CID, block: Uint8Array): void {
    this.#rootSeen(peer, cid)
    this.fetcher.offer(cid, block)
    const key = blockKey(cid)
    for (const [root, active] of this.#active) {
      const piece = active.index.get(key)
      if (piece !== undefined) this.#receivePiece(root, active, peer, piece, block)
    }
  }

  async onStrayBlock(peer: PeerKey, cid: CID): Promise<void> {
    const { store } = this.#options
    if ((await store.locate(cid)).length > 0 || (await store.blockSize(cid)) !== undefined) return
    const root = [...this.#active].find(([, active]) => active.port.session.peers.has(peer))?.[0]
    if (root !== undefined) this.#dispatch({ type: 'corrupt', root, peer })
  }

  onPresences(peer: PeerKey, presences: Parameters<BitswapHost['onPresences']>[1]): void {
    const answers = new Map<RootKey, { has: number[]; lacks: number[] }>()
    for (const { cid, has, asked } of presences) {
      if (has) this.#rootSeen(peer, cid)
      else this.fetcher.lacks(peer, cid)
      for (const { root, piece } of this.#piecesOf(cid)) {
        if (!has && asked === 'block') this.#exchange.cancel(peer, cid)
        const answer = answers.get(root) ?? { has: [], lacks: [] }
        answers.set(root, answer)
        answer[has ? 'has' : 'lacks'].push(piece)
      }
    }
    for (const [root, { has, lacks }] of answers) {
      if (lacks.length > 0) this.#dispatch({ type: 'lacks', root, peer, pieces: lacks })
      if (has.length > 0) this.#dispatch({ type: 'has', root, peer, pieces: has })
    }
  }

  onWants(peer: PeerKey, wants: readonly PeerWant[], dropped: readonly CID[]): Promise<void> {
    return this.#server.onWants(peer, wants, dropped)
  }

  onBytes(peer: PeerKey): void {
    for (const [root, active] of this.#active) {
      if (active.port.session.peers.has(peer)) this.#dispatch({ type: 'progressed', root, peer, bytes: 0 })
    }
  }

  onGone(peer: PeerKey): void {
    for (const [root, active] of this.#active) {
      this.fetcher.left(active.port.session, peer)
      this.#dispatch({ type: 'left', root, peer })
    }
    this.#server.onGone(peer)
  }

  // --- pieces on their way in

  #receivePiece(root: RootKey, active: Active, peer: PeerKey, piece: number, block: Uint8Array): void {
    this.#dispatch({ type: 'progressed', root, peer, bytes: block.byteLength })
    this.traffic.downloaded(root, peer, active.port.pieces.size(piece))
    this.#options.store.count(root, { downloaded: active.port.pieces.size(piece) })
    this.#arriving = block
    this.#dispatch({ type: 'received', root, peer, piece })
    this.#arriving = undefined
  }

  /** Bitswap names a block by its hash, so what arrived for a piece is right already. */
  async #store(root: RootKey, peer: PeerKey, piece: number): Promise<void> {
    const active = this.#active.get(root)
    const block = this.#arriving
    if (active === undefined || block === undefined) return
    active.held.set(piece, block)
    this.#exchange.hold(block.byteLength)
    this.#dispatch({ type: 'verified', root, peer, piece })
    try {
      await active.port.store(piece, block)
      if (this.#active.get(root) !== active) return
      this.#firstPiece(active)
      this.#dispatch({ type: 'stored', root, peer, piece })
    } catch (thrown) {
      if (this.#active.get(root) !== active) return
      this.#dispatch({ type: 'store-failed', root, peer, piece })
      active.port.onFailure(ShareError.from(thrown, 'store a piece'))
    } finally {
      if (active.held.delete(piece)) this.#exchange.release(block.byteLength)
    }
  }

  #firstPiece(active: Active): void {
    if (active.hasPieces) return
    active.hasPieces = true
    active.port.onFirstPiece()
  }

  // --- the scheduler

  #dispatch(event: SwarmEvent): void {
    if (this.#stopped) return
    for (const action of this.#scheduler.handle(event, this.#options.now())) this.#act(action)
    this.#rearm()
  }

  #act(action: SwarmAction): void {
    switch (action.type) {
      case 'ask':
        this.#exchange.want(action.peer, this.#cids(action.root, action.pieces), 'have')
        return
      case 'request':
        this.#exchange.want(action.peer, this.#cids(action.root, [action.piece]), 'block')
        return
      case 'remind':
        this.#exchange.remind(action.peer, this.#cids(action.root, action.pieces))
        return
      case 'cancel':
        for (const cid of this.#cids(action.root, [action.piece])) this.#exchange.cancel(action.peer, cid)
        return
      case 'verify-and-store':
        void this.#store(action.root, action.peer, action.piece)
        return
      case 'send':
        void this.#server.send(action.root, action.peer, action.piece)
        return
      case 'have':
        this.#server.tellHave(action.root, action.piece)
        return
      case 'ban':
        this.#options.onBan(action.root, { id: action.peer, reason: action.reason })
        return
      case 'completed':
        this.#active.get(action.root)?.port.onComplete()
        return
    }
  }

  #rearm(): void {
    clearTimeout(this.#timer)
    const due = this.#scheduler.nextTimeout()
    if (due === undefined || this.#stopped) return
    const wait = Math.max(1, due - this.#options.now())
    this.#timer = setTimeout(() => this.#dispatch({ type: 'woke' }), wait)
  }

  // --- look-ups

  get #exchange(): Bitswap {
    if (this.#bitswap === undefined) throw new Error('the driver has no exchange yet')
    return this.#bitswap
  }

  #rootSeen(peer: PeerKey, cid: CID): void {
    for (const onPeer of this.#searches.get(blockKey(cid)) ?? []) onPeer(peer)
  }

  #piecesOf(cid: CID): { root: RootKey; piece: number }[] {
    const key = blockKey(cid)
    const found: { root: RootKey; piece: number }[] = []
    for (const [root, active] of this.#active) {
      const piece = active.index.get(key)
      if (piece !== undefined) found.push({ root, piece })
    }
    return found
  }

  #cids(root: RootKey, pieces: readonly number[]): CID[] {
    const table = this.#active.get(root)?.port.pieces
    return table === undefined ? [] : pieces.map((piece) => table.cid(piece))
  }

  #cancelAll(peer: PeerKey, active: Active): void {
    for (const piece of active.index.values()) {
      if (!active.port.has(piece)) this.#exchange.cancel(peer, active.port.pieces.cid(piece))
    }
  }
}
