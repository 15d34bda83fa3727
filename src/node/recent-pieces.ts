/**
 * Pieces that came in a moment ago, in memory: they are what others want next, and reading them from the disk would
 * mean hashing them again. What is being sent keeps its buffer; others are used again once they fall out.
 */
import type { RootKey } from '../core/types.ts'
import type { PieceBuffers } from './piece-buffers.ts'

/** As much as comes in three seconds at 100 Mbit/s. */
const MOST_BYTES = 32 << 20

interface Kept {
  readonly block: Uint8Array<ArrayBuffer>
  /** Sends that read from it. */
  users: number
  fallen: boolean
}

export class RecentPieces {
  readonly #buffers: PieceBuffers
  /** By root and piece, the least recently used first. */
  readonly #kept = new Map<string, Kept>()
  /** The same by their blocks, also those that fell out while they were in use. */
  readonly #ofBlock = new WeakMap<Uint8Array, Kept>()
  #bytes = 0

  constructor(buffers: PieceBuffers) {
    this.#buffers = buffers
  }

  /** A checked and stored piece; from now on its buffer belongs here. */
  add(root: RootKey, piece: number, block: Uint8Array<ArrayBuffer>): void {
    const key = keyOf(root, piece)
    this.#drop(key)
    const kept = { block, users: 0, fallen: false }
    this.#kept.set(key, kept)
    this.#ofBlock.set(block, kept)
    this.#bytes += block.buffer.byteLength
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MOST_BYTES) return
      this.#drop(oldest)
    }
  }

  /** Lends the block; it is given back with `release`. */
  lend(root: RootKey, piece: number): Uint8Array | undefined {
    const key = keyOf(root, piece)
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    kept.users++
    return kept.block
  }

  /** Blocks from elsewhere are passed over. */
  release(block: Uint8Array): void {
    const kept = this.#ofBlock.get(block)
    if (kept === undefined) return
    kept.users--
    this.#recycle(kept)
  }

  close(root: RootKey): void {
    for (const key of [...this.#kept.keys()]) if (key.startsWith(`${root} `)) this.#drop(key)
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key)
    if (kept === undefined) return
    this.#kept.delete(key)
    this.#bytes -= kept.block.buffer.byteLength
    kept.fallen = true
    this.#recycle(kept)
  }

  #recycle(kept: Kept): void {
    if (!kept.fallen || kept.users > 0) return
    this.#ofBlock.delete(kept.block)
    this.#buffers.give(kept.block)
  }
}

function keyOf(root: RootKey, piece: number): string {
  return `${root} ${piece}`
}
