/**
 * The bytes of pieces between their arrival and their being stored. A piece is put together from spans, which may
 * come from several peers and wires, and is checked against its CID once it is whole; or it comes as one block that
 * its wire has checked. Nothing changes while it is checked and stored.
 */
import type { PieceHasher } from '../content/hashing/pieces.ts'
import { ShareError } from '../core/errors.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import type { SwarmEvent } from '../swarm/events.ts'
import { isDownload, type OpenSwarm } from './open-swarms.ts'
import { PieceBuffers } from './piece-buffers.ts'
import { PieceWriters } from './piece-writers.ts'
import { RecentPieces } from './recent-pieces.ts'
import { Suspects } from './suspects.ts'

interface Arriving {
  /** Where spans are put together, once one has come. */
  assembled: Uint8Array<ArrayBuffer> | undefined
  readonly writers: PieceWriters
  /** The whole block, checked by its wire. */
  block: Uint8Array | undefined
  /** It is being checked or stored. */
  settling: boolean
}

/** `abandoned`: the swarm was closed while the piece was checked. */
type Outcome = 'refuted' | 'abandoned' | 'stored' | ShareError

export interface ArrivingContext {
  isOpen(swarm: OpenSwarm): boolean
  /** Tells the scheduler, unless the swarm is closed by now. */
  tell(swarm: OpenSwarm, event: SwarmEvent): void
  /** Bytes that wait for the disk, counted so that a slow one stops the reading of streams. */
  hold(bytes: number): void
  release(bytes: number): void
  readonly hasher: PieceHasher
}

export class ArrivingPieces {
  readonly #context: ArrivingContext
  readonly #buffers = new PieceBuffers()
  /** Those that were put together here, for a while after they were stored. */
  readonly recent = new RecentPieces(this.#buffers)
  readonly #roots = new Map<RootKey, Map<number, Arriving>>()
  readonly #suspects = new Suspects()

  constructor(context: ArrivingContext) {
    this.#context = context
  }

  /** Copies bytes of a piece to their place in it. */
  keep({ root, pieces }: OpenSwarm, peer: PeerKey, piece: number, begin: number, data: Uint8Array): void {
    const arriving = this.#arriving(root, piece)
    if (arriving.settling) return
    arriving.assembled ??= this.#buffers.take(pieces.blockSize(piece))
    arriving.assembled.set(data, begin)
    arriving.writers.wrote(peer, begin, begin + data.length)
  }

  /** A checked block, for as long as `tell` runs: it is kept only if it is to be stored. */
  lend({ root }: OpenSwarm, piece: number, block: Uint8Array, tell: () => void): void {
    const arriving = this.#arriving(root, piece)
    const { settling } = arriving
    if (!settling) arriving.block = block
    tell()
    if (settling || arriving.settling) return
    arriving.block = undefined
    if (arriving.assembled === undefined) this.#forget(root, piece, arriving)
  }

  /** What came so far is of no use. */
  discard(root: RootKey, piece: number): void {
    const arriving = this.#roots.get(root)?.get(piece)
    if (arriving === undefined || arriving.settling) return
    this.#forget(root, piece, arriving)
    this.#recycle(arriving)
  }

  close(root: RootKey): void {
    for (const piece of [...(this.#roots.get(root)?.keys() ?? [])]) this.discard(root, piece)
    this.#roots.delete(root)
    this.#suspects.close(root)
    this.recent.close(root)
  }

  /** Checks a whole piece and stores it, and tells of each step. */
  async settle(swarm: OpenSwarm, piece: number): Promise<void> {
    const { root } = swarm
    const arriving = this.#arriving(root, piece)
    arriving.settling = true
    const held = arriving.block ?? arriving.assembled
    if (held === undefined) throw new Error(`nothing of piece ${piece} is here`)
    const { byteLength } = held
    this.#context.hold(byteLength)
    const outcome = await this.#outcome(swarm, piece, arriving)
    this.#context.release(byteLength)
    // it may be asked for again at once, and then arrive anew
    this.#forget(root, piece, arriving)
    if (outcome === 'stored' && arriving.block === undefined && arriving.assembled !== undefined)
      this.recent.add(root, piece, arriving.assembled)
    else this.#recycle(arriving)
    if (outcome === 'abandoned') return
    const type = outcome instanceof ShareError ? 'store-failed' : outcome
    const { peers: senders } = arriving.writers
    this.#context.tell(swarm, type === 'refuted' ? { type, root, piece, senders } : { type, root, piece })
    if (outcome instanceof ShareError) swarm.download?.onFailure(outcome)
  }

  async #outcome(swarm: OpenSwarm, piece: number, arriving: Arriving): Promise<Outcome> {
    const { root } = swarm
    const block = await this.#rightBlock(swarm, piece, arriving)
    if (block instanceof ShareError) return block
    if (!this.#context.isOpen(swarm)) return 'abandoned'
    if (block === undefined) {
      const { assembled, writers } = arriving
      if (assembled !== undefined && writers.peers.length > 1)
        this.#suspects.suspect(root, piece, assembled, writers.spans)
      return 'refuted'
    }
    this.#context.tell(swarm, { type: 'verified', root, piece })
    for (const peer of this.#suspects.liars(root, piece, block))
      this.#context.tell(swarm, { type: 'lied', root, peer, piece })
    try {
      if (isDownload(swarm)) await swarm.download.store(piece, block)
      return 'stored'
    } catch (thrown) {
      return ShareError.from(thrown, 'store a piece')
    }
  }

  async #rightBlock(
    swarm: OpenSwarm,
    piece: number,
    arriving: Arriving,
  ): Promise<Uint8Array | ShareError | undefined> {
    if (arriving.block !== undefined) return arriving.block
    try {
      return await this.#checked(swarm, piece, arriving)
    } catch (thrown) {
      return ShareError.from(thrown, 'check a piece')
    }
  }

  /** What was put together here, if it is the piece. Its buffer is away while it is hashed. */
  async #checked(swarm: OpenSwarm, index: number, arriving: Arriving): Promise<Uint8Array | undefined> {
    const { assembled } = arriving
    if (assembled === undefined) return undefined
    arriving.assembled = undefined
    const { piece, right } = await (swarm.check ?? this.#checkLeaf(swarm))(index, assembled)
    arriving.assembled = piece
    return right ? piece : undefined
  }

  #checkLeaf({ leaves }: OpenSwarm): NonNullable<OpenSwarm['check']> {
    return async (index, bytes) => {
      const { piece, digest } = await this.#context.hasher.hash(bytes)
      return { piece, right: leaves !== undefined && Buffer.compare(digest, leaves.digest(index)) === 0 }
    }
  }

  #arriving(root: RootKey, piece: number): Arriving {
    const pieces = this.#roots.get(root) ?? new Map<number, Arriving>()
    this.#roots.set(root, pieces)
    const known = pieces.get(piece)
    if (known !== undefined) return known
    const arriving = {
      assembled: undefined,
      writers: new PieceWriters(),
      block: undefined,
      settling: false,
    }
    pieces.set(piece, arriving)
    return arriving
  }

  #forget(root: RootKey, piece: number, arriving: Arriving): void {
    const pieces = this.#roots.get(root)
    if (pieces?.get(piece) !== arriving) return
    pieces.delete(piece)
    if (pieces.size === 0) this.#roots.delete(root)
  }

  #recycle({ assembled }: Arriving): void {
    if (assembled !== undefined) this.#buffers.give(assembled)
  }
}
