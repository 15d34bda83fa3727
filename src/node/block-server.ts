/**
 * What peers want of us by Bitswap: finds the share and the piece that a CID stands for, puts pieces into the
 * scheduler's queue, sends those that it grants, and answers questions. DAG nodes are few and small and go out at once.
 */
import type { CID } from 'multiformats/cid'
import { rootKeyOf } from '../core/cid.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import type { Bitswap } from '../exchange/bitswap/bitswap.ts'
import type { PeerWant } from '../exchange/bitswap/ledger.ts'
import type { Location, Store } from '../store/types.ts'
import type { SwarmEvent } from '../swarm/events.ts'
import { isDownload, type OpenSwarms } from './open-swarms.ts'
import type { Seeding } from './seeding.ts'
import type { Traffic } from './traffic.ts'

/** Looked up side by side: each reads a row and maybe asks for a file, and what it leaves is garbage when all have answered. */
const WANTS_AT_ONCE = 128

export interface BlockServerContext {
  readonly store: Store
  readonly swarms: OpenSwarms
  readonly seeding: Seeding
  readonly traffic: Traffic
  /** A peer that asks for something of a swarm is to take part in it. */
  join(root: RootKey, peer: PeerKey): void
  exchange(): Bitswap
  dispatch(event: SwarmEvent): void
}

export class BlockServer {
  readonly #context: BlockServerContext

  constructor(context: BlockServerContext) {
    this.#context = context
  }

  async onWants(peer: PeerKey, wants: readonly PeerWant[], dropped: readonly CID[]): Promise<void> {
    for (const cid of dropped) await this.#unwanted(peer, cid)
    for (let at = 0; at < wants.length; at += WANTS_AT_ONCE)
      await Promise.all(wants.slice(at, at + WANTS_AT_ONCE).map((want) => this.#wanted(peer, want)))
  }

  /** Sends a piece that the scheduler granted. */
  async send(root: RootKey, peer: PeerKey, piece: number): Promise<void> {
    const { dispatch, swarms } = this.#context
    const pieces = swarms.get(root)?.leaves
    const want = pieces && this.#context.exchange().wantOf(peer, pieces.cid(piece))
    const sent = want !== undefined && (await this.#sendPiece({ root, piece }, peer, want))
    if (sent)
      dispatch({ type: 'delivered', root, peer, piece, begin: 0, bytes: pieces?.blockSize(piece) ?? 0 })
    else dispatch({ type: 'send-failed', root, peer, piece, begin: 0 })
  }

  /** A piece of a download was stored: whoever waits for it is told, or gets it. */
  tellHave(root: RootKey, piece: number): void {
    const cid = this.#context.swarms.get(root)?.leaves?.cid(piece)
    if (cid === undefined) return
    const exchange = this.#context.exchange()
    for (const { peer, want } of exchange.waitingFor(cid)) {
      if (want.kind === 'have') exchange.tellPresence(peer, want.cid, true)
      else this.#servePiece(peer, want, { root, piece })
    }
  }

  /** A DAG node was stored: whoever waits for it gets it. */
  nodeStored(cid: CID): void {
    for (const { peer, want } of this.#context.exchange().waitingFor(cid)) this.#serveNode(peer, want)
  }

  /** A root is served from now on: whoever waits for it, or for a piece of it, is answered anew. */
  async onServed(root: CID): Promise<void> {
    const key = rootKeyOf(root)
    for (const { peer, want } of this.#context.exchange().waiting()) {
      const places = await this.#context.store.locate(want.cid)
      if (rootKeyOf(want.cid) === key || places.some((place) => place.root === key))
        await this.#wanted(peer, want)
    }
  }

  async #wanted(peer: PeerKey, want: PeerWant): Promise<void> {
    const exchange = this.#context.exchange()
    const { isPiece, servable } = await this.#asPiece(peer, want.cid)
    if (servable !== undefined) {
      if (want.kind === 'have') exchange.tellPresence(peer, want.cid, true)
      else this.#servePiece(peer, want, servable)
    } else if (!isPiece && (await this.#context.store.blockSize(want.cid)) !== undefined) {
      this.#serveNode(peer, want)
    } else if (want.sendDontHave) {
      exchange.tellPresence(peer, want.cid, false)
    }
  }

  /** Where the peer takes part by the share wire, what it still wants by Bitswap is read for somebody, and few. */
  #servePiece(peer: PeerKey, want: PeerWant, { root, piece }: Location): void {
    const swarm = this.#context.swarms.get(root)
    if (swarm === undefined) return
    const wire = swarm.members.get(peer)
    if (wire !== undefined && wire !== 'bitswap') {
      void this.#sendPiece({ root, piece }, peer, want)
      return
    }
    if (wire === undefined) this.#context.dispatch({ type: 'joined', root, peer, wire: 'bitswap' })
    const length = swarm.pieces.blockSize(piece)
    this.#context.dispatch({ type: 'requested', root, peer, piece, begin: 0, length, offered: false })
  }

  /** False when it could not be read or sent. */
  async #sendPiece({ root, piece }: Location, peer: PeerKey, want: PeerWant): Promise<boolean> {
    const { store, swarms, traffic } = this.#context
    const exchange = this.#context.exchange()
    const swarm = swarms.get(root)
    if (swarm === undefined) return false
    const sent = await exchange.sendBlock(peer, want.cid, () => swarm.read(piece))
    if (sent === undefined) {
      exchange.tellPresence(peer, want.cid, false)
      return false
    }
    traffic.uploaded(root, peer, swarm.pieces.size(piece))
    store.count(root, { uploaded: swarm.pieces.size(piece) })
    return true
  }

  #serveNode(peer: PeerKey, { cid, kind }: PeerWant): void {
    const exchange = this.#context.exchange()
    if (kind === 'have') exchange.tellPresence(peer, cid, true)
    else void exchange.sendBlock(peer, cid, () => this.#context.store.getBlock(cid))
  }

  async #unwanted(peer: PeerKey, cid: CID): Promise<void> {
    const { dispatch, store, swarms } = this.#context
    for (const { root, piece } of await store.locate(cid)) {
      if (swarms.get(root)?.members.get(peer) !== 'bitswap') continue
      dispatch({ type: 'shortened', root, peer, piece, begin: 0, length: 0 })
    }
  }

  /** Whether any share knows this block as a piece, and the share to serve it from: a paused or damaged one does not. */
  async #asPiece(peer: PeerKey, cid: CID): Promise<{ isPiece: boolean; servable?: Location }> {
    const { join, seeding, store, swarms } = this.#context
    const asRoot = swarms.get(rootKeyOf(cid))
    if (asRoot !== undefined && isDownload(asRoot)) join(asRoot.root, peer)
    const locations = await store.locate(cid)
    for (const location of locations) {
      const swarm = swarms.get(location.root)
      if (swarm !== undefined && isDownload(swarm)) {
        join(location.root, peer)
        if (swarm.have.has(location.piece)) return { isPiece: true, servable: location }
      } else if (await seeding.serves(location.root)) return { isPiece: true, servable: location }
    }
    return { isPiece: locations.length > 0 }
  }
}
