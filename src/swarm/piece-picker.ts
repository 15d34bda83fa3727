/**
 * Which missing piece is rarest. Pieces that may be picked lie in buckets by how many peers have them;
 * every change moves one piece by one bucket, so nothing is ever sorted.
 */
import type { Prng } from '../core/prng.ts'

export class PiecePicker {
  readonly #prng: Prng
  readonly #rarest: boolean
  /** Filled when something is picked for the first time: among peers that offer, nothing ever is. */
  #buckets: number[][] | undefined
  /** Per piece: how many peers have it, and its position in its bucket, or -1 when it cannot be picked. */
  #availability = new Int32Array(0)
  #position = new Int32Array(0)
  #size = 0

  /** Without `rarest` all pieces are alike. */
  constructor(prng: Prng, rarest = true) {
    this.#prng = prng
    this.#rarest = rarest
  }

  /** Makes room for pieces up to `length`; the new ones are not pickable yet. */
  grow(length: number): void {
    const [availability, position] = [this.#availability, this.#position]
    this.#availability = new Int32Array(length)
    this.#availability.set(availability)
    this.#position = new Int32Array(length).fill(-1)
    this.#position.set(position)
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
    this.#position[piece] = 0
    if (this.#buckets !== undefined) this.#insert(this.#buckets, piece)
    this.#size++
  }

  remove(piece: number): void {
    if (!this.includes(piece)) return
    if (this.#buckets !== undefined) this.#take(this.#buckets, piece)
    this.#position[piece] = -1
    this.#size--
  }

  /** One peer more (+1) or fewer (-1) has the piece. */
  count(piece: number, by: 1 | -1): void {
    const buckets = this.#rarest && this.includes(piece) ? this.#buckets : undefined
    if (buckets !== undefined) this.#take(buckets, piece)
    this.#availability[piece] = Math.max(0, this.availability(piece) + by)
    if (buckets !== undefined) this.#insert(buckets, piece)
  }

  /** The rarest piece that `accepts`, any of those equally rare, or undefined. `known`: not of those that nobody is known to have. */
  pick(accepts: (piece: number) => boolean, known = false): number | undefined {
    this.#buckets ??= this.#filled()
    for (let peers = known && this.#rarest ? 1 : 0; peers < this.#buckets.length; peers++) {
      const bucket = this.#buckets[peers] ?? []
      if (bucket.length === 0) continue
      const from = this.#prng.below(bucket.length)
      for (let at = 0; at < bucket.length; at++) {
        const piece = bucket[(from + at) % bucket.length]
        if (piece !== undefined && accepts(piece)) return piece
      }
    }
    return undefined
  }

  #filled(): number[][] {
    const buckets: number[][] = []
    for (let piece = 0; piece < this.#position.length; piece++)
      if (this.includes(piece)) this.#insert(buckets, piece)
    return buckets
  }

  #bucket(buckets: number[][], piece: number): number[] {
    const at = this.#rarest ? this.availability(piece) : 0
    while (buckets.length <= at) buckets.push([])
    return buckets[at] ?? []
  }

  #insert(buckets: number[][], piece: number): void {
    const bucket = this.#bucket(buckets, piece)
    this.#position[piece] = bucket.length
    bucket.push(piece)
  }

  #take(buckets: number[][], piece: number): void {
    const bucket = this.#bucket(buckets, piece)
    const at = this.#position[piece] ?? -1
    const last = bucket.pop()
    if (last === undefined || last === piece) return
    bucket[at] = last
    this.#position[last] = at
  }
}
