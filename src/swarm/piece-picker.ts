/**
 * Which missing piece is rarest. Pieces that may be picked lie in buckets by how many peers have them;
 * every change moves one piece by one bucket, so nothing is ever sorted.
 */
import type { Prng } from '../core/prng.ts'

export class PiecePicker {
  readonly #prng: Prng
  readonly #rarest: boolean
  readonly #buckets: number[][] = [[]]
  /** Per piece: how many peers have it, and its position in its bucket, or -1 when it cannot be picked. */
  readonly #availability: number[] = []
  readonly #position: number[] = []
  #size = 0

  /** Without `rarest` all pieces are alike. */
  constructor(prng: Prng, rarest = true) {
    this.#prng = prng
    this.#rarest = rarest
  }

  /** Makes room for pieces up to `length`; the new ones are not pickable yet. */
  grow(length: number): void {
    while (this.#availability.length < length) {
      this.#availability.push(0)
      this.#position.push(-1)
    }
  }

  /** How many pieces may be picked. */
  get size(): number {
    return this.#size
  }

  availability(piece: number): number {
    return this.#availability[piece] ?? 0
  }

  includes(piece: number): boolean {
    return (this.#position[piece] ?? -1) >= 0
  }

  add(piece: number): void {
    if (this.includes(piece)) return
    this.#insert(piece, this.#rarest ? this.availability(piece) : 0)
    this.#size++
  }

  remove(piece: number): void {
    if (!this.includes(piece)) return
    this.#take(piece, this.#rarest ? this.availability(piece) : 0)
    this.#size--
  }

  /** One peer more (+1) or fewer (-1) has the piece. */
  count(piece: number, by: 1 | -1): void {
    const before = this.availability(piece)
    const after = Math.max(0, before + by)
    this.#availability[piece] = after
    if (!this.#rarest || !this.includes(piece)) return
    this.#take(piece, before)
    this.#insert(piece, after)
  }

  /** The rarest piece that `accepts`, any of those equally rare, or undefined. */
  pick(accepts: (piece: number) => boolean): number | undefined {
    for (const bucket of this.#buckets) {
      if (bucket.length === 0) continue
      const from = this.#prng.below(bucket.length)
      for (let at = 0; at < bucket.length; at++) {
        const piece = bucket[(from + at) % bucket.length]
        if (piece !== undefined && accepts(piece)) return piece
      }
    }
    return undefined
  }

  #bucket(availability: number): number[] {
    while (this.#buckets.length <= availability) this.#buckets.push([])
    return this.#buckets[availability] ?? []
  }

  #insert(piece: number, availability: number): void {
    const bucket = this.#bucket(availability)
    this.#position[piece] = bucket.length
    bucket.push(piece)
  }

  #take(piece: number, availability: number): void {
    const bucket = this.#bucket(availability)
    const at = this.#position[piece] ?? -1
    const last = bucket.pop()
    if (last !== undefined && last !== piece) {
      bucket[at] = last
      this.#position[last] = at
    }
    this.#position[piece] = -1
  }
}
