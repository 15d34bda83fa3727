/**
 * Finds a leaf in a piece table by its CIDv1: an open-addressing hash table of 4 bytes a slot, since a
 * map of strings would cost more than the table itself. The hash is seeded at random, for digests in a
 * stranger's manifest may be chosen to collide; the seed has no influence on any index.
 */
import { getRandomValues } from 'node:crypto'
import type { PieceTable } from './manifest.ts'

const FIRST_SLOTS = 1024
/** Digest words, and the codec. */
const WORDS = 9

export class PieceIndex {
  readonly #pieces: PieceTable
  readonly #factors = getRandomValues(new Uint32Array(WORDS))
  /** Piece index + 1, or 0 for a free slot. At most half full. */
  #slots = new Uint32Array(FIRST_SLOTS)
  #count = 0

  constructor(pieces: PieceTable) {
    this.#pieces = pieces
  }

  find(digest: Uint8Array, codec: number): number | undefined {
    const index = this.#slots[this.#slotOf(digest, codec)] ?? 0
    return index === 0 ? undefined : index - 1
  }

  /** Makes a piece of the table findable; it must not be so yet. */
  add(index: number): void {
    if (this.#count * 2 >= this.#slots.length) this.#grow()
    this.#insert(index)
    this.#count++
  }

  #insert(index: number): void {
    this.#slots[this.#slotOf(this.#pieces.digest(index), this.#pieces.codec(index))] = index + 1
  }

  /** The slot that holds this leaf, or the free one where it belongs. */
  #slotOf(digest: Uint8Array, codec: number): number {
    const mask = this.#slots.length - 1
    for (let slot = this.#hash(digest, codec) & mask; ; slot = (slot + 1) & mask) {
      const index = (this.#slots[slot] ?? 0) - 1
      if (index < 0) return slot
      if (this.#pieces.codec(index) === codec && Buffer.compare(this.#pieces.digest(index), digest) === 0)
        return slot
    }
  }

  #hash(digest: Uint8Array, codec: number): number {
    let sum = Math.imul(this.#factors[WORDS - 1] ?? 0, codec)
    for (let at = 0; at < digest.length; at++) {
      const word =
        (digest[at] ?? 0) |
        ((digest[++at] ?? 0) << 8) |
        ((digest[++at] ?? 0) << 16) |
        ((digest[++at] ?? 0) << 24)
      sum = (sum + Math.imul(this.#factors[at >> 2] ?? 0, word ^ (word >>> 15))) | 0
    }
    return (sum ^ (sum >>> 16)) >>> 0
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    for (const index of old) if (index !== 0) this.#insert(index - 1)
  }
}
