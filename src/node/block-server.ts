/**
 * What peers want of us: finds the share and the piece that a CID stands for, puts pieces into the scheduler's
 * queue, sends those that it grants, and answers questions. DAG nodes are few and small and go out at once.
 */
import type { CID } from 'multiformats/cid'
import type { PieceTable } from '../content/manifest.ts'
import { rootKeyOf } from '../core/cid.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import type { Bitswap } from '../exchange/bitswap/bitswap.ts'
import type { PeerWant } from '../exchange/bitswap/ledger.ts'
import type { Store } from '../store/types.ts'
import type { SwarmEvent } from '../swarm/events.ts'
import type { Traffic } from './traffic.ts'

/** Roots that are being downloaded serve what they have already. */
interface Downloads {
  has(root: RootKey): boolean
  hasPiece(root: RootKey, piece: number): boolean
  pieces(root: RootKey): PieceTable | undefined
  /** A peer that asks for something of a download is a peer of its swarm. */
  join(root: RootKey, peer: PeerKey): void
}

export interface BlockServerContext {
  readonly store: Store
  readonly downloads: Downloads
  traffic(): Traffic
  exchange(): Bitswap
  dispatch(event: SwarmEvent): void
}

export class BlockServer {
  readonly #context: BlockServerContext
  /** Complete shares whose swarm is open because somebody asked for a piece. */
  readonly #seeding = new Map<RootKey, PieceTable>()

  constructor(context: BlockServerContext) {
    this.#context = context
  }

  close(root: RootKey): void {
    this.#seeding.delete(root)
  }

  async onWants(peer: PeerKey, wants: readonly PeerWant[], dropped: readonly CID[]): Promise<void> {
    for (const cid of dropped) await this.#unwanted(peer, cid)
    await Promise.all(wants.map((want) => this.#wanted(peer, want)))
  }

  onGone(peer: PeerKey): void {
    for (const root of this.#seeding.keys()) this.#context.dispatch({ type: 'left', root, peer })
  }

  /** Sends a piece that the scheduler granted. */
  async send(root: RootKey, peer: PeerKey, piece: number): Promise<void> {
    const { store, dispatch } = this.#context
    const exchange = this.#context.exchange()
    const pieces = this.#pieces(root)
    const want = pieces === undefined ? undefined : exchange.wantOf(peer, pieces.cid(piece))
    if (pieces === undefined || want === undefined)
      return dispatch({ type: 'send-failed', root, peer, piece })
    const sent = await exchange.sendBlock(peer, want.cid, () => store.readPiece(root, piece))
    if (sent === undefined) {
      exchange.tellPresence(peer, want.cid, false)
      return dispatch({ type: 'send-failed', root, peer, piece })
    }
    this.#context.traffic().uploaded(root, peer, pieces.size(piece))
    store.count(root, { uploaded: pieces.size(piece) })
    dispatch({ type: 'sent', root, peer, piece })
  }

  /** A piece of a download was stored: whoever waits for it is told, or gets it. */
  tellHave(root: RootKey, piece: number): void {
    const cid = this.#pieces(root)?.cid(piece)
    if (cid === undefined) return
    const exchange = this.#context.exchange()
    for (const { peer, want } of exchange.waitingFor(cid)) {
      if (want.kind === 'have') exchange.tellPresence(peer, want.cid, true)
      else this.#context.dispatch({ type: 'wanted', root, peer, piece })
    }
  }

  /** A DAG node was stored: whoever waits for it gets it. */
  nodeStored(cid: CID): void {
    for (const { peer, want } of this.#context.exchange().waitingFor(cid)) this.#serveNode(peer, want)
  }

  /** A root is served from now on: whoever waits for it, or for a piece of it, is answered anew. */
  async onServed(root: CID): Promise<void> {
    const exchange = this.#context.exchange()
    const waiting = exchange.waitingFor(root)
    const manifest = await this.#context.store.manifest(rootKeyOf(root))
    for (let piece = 0; piece < (manifest?.pieces.length ?? 0); piece++) {
      const cid = manifest?.pieces.cid(piece)
      if (cid !== undefined && !cid.equals(root)) waiting.push(...exchange.waitingFor(cid))
    }
    for (const { peer, want } of waiting) await this.#wanted(peer, want)
  }

  async #wanted(peer: PeerKey, want: PeerWant): Promise<void> {
    const exchange = this.#context.exchange()
    const { isPiece, servable } = await this.#asPiece(peer, want.cid)
    if (servable !== undefined) {
      if (want.kind === 'have') exchange.tellPresence(peer, want.cid, true)
      else this.#context.dispatch({ type: 'wanted', ...servable, peer })
    } else if (!isPiece && (await this.#context.store.blockSize(want.cid)) !== undefined) {
      this.#serveNode(peer, want)
    } else if (want.sendDontHave) {
      exchange.tellPresence(peer, want.cid, false)
    }
  }

  #serveNode(peer: PeerKey, { cid, kind }: PeerWant): void {
    const exchange = this.#context.exchange()
    if (kind === 'have') exchange.tellPresence(peer, cid, true)
    else void exchange.sendBlock(peer, cid, () => this.#context.store.getBlock(cid))
  }

  async #unwanted(peer: PeerKey, cid: CID): Promise<void> {
    for (const { root, piece } of await this.#context.store.locate(cid)) {
      this.#context.dispatch({ type: 'unwanted', root, peer, piece })
    }
  }

  /** Whether any share knows this block as a piece, and the share to serve it from: a paused or damaged one does not. */
  async #asPiece(
    peer: PeerKey,
    cid: CID,
  ): Promise<{ isPiece: boolean; servable?: { root: RootKey; piece: number } }> {
    const { store, downloads } = this.#context
    const asRoot = rootKeyOf(cid)
    if (downloads.has(asRoot)) downloads.join(asRoot, peer)
    const locations = await store.locate(cid)
    for (const location of locations) {
      if (downloads.has(location.root)) {
        downloads.join(location.root, peer)
        if (downloads.hasPiece(location.root, location.piece)) return { isPiece: true, servable: location }
      } else if (await this.#seeds(location.root)) return { isPiece: true, servable: location }
    }
    return { isPiece: locations.length > 0 }
  }

  /** Whether this root is complete and served; opens its swarm, so that the uplink knows its pieces. */
  async #seeds(root: RootKey): Promise<boolean> {
    const { store, dispatch } = this.#context
    const row = store.share(root)
    if (row === undefined || row.phase !== 'complete' || row.paused || row.damaged.length > 0) return false
    if (this.#seeding.has(root)) return true
    const manifest = await store.manifest(root)
    if (manifest === undefined) return false
    if (!this.#seeding.has(root)) {
      const { pieces } = manifest
      this.#seeding.set(root, pieces)
      dispatch({
        type: 'opened',
        root,
        sizes: pieces.blockSizes,
        have: Array(pieces.length).keys(),
        final: true,
      })
    }
    return true
  }

  #pieces(root: RootKey): PieceTable | undefined {
    return this.#context.downloads.pieces(root) ?? this.#seeding.get(root)
  }
}
