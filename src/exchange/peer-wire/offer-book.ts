/** Offers of one direction that are not answered: pieces, at most once each, and the empty offer. Both ends keep the same. */
export class OfferBook<Eager> {
  /** An eager offer with the request that it stands for. */
  readonly #pieces = new Map<number, Eager | undefined>()
  #empty = false

  has(index: number): boolean {
    return this.#pieces.has(index)
  }

  /** What an eager offer of the piece stands for. */
  eager(index: number): Eager | undefined {
    return this.#pieces.get(index)
  }

  add(index: number, eager?: Eager): void {
    this.#pieces.set(index, eager)
  }

  addEmpty(): void {
    this.#empty = true
  }

  /** Whether a request of bytes of this piece would accept an offer. An eager one is accepted as a whole only, and not here. */
  accepts(index: number): boolean {
    return this.#empty || this.#lazy(index)
  }

  /** A request accepts one offer: that of its piece, or else the empty one. False when there is none. */
  accept(index: number): boolean {
    return this.delete(this.#lazy(index) ? index : undefined)
  }

  /** Without an index, the empty offer. False when there is none. */
  delete(index: number | undefined): boolean {
    if (index !== undefined) return this.#pieces.delete(index)
    const there = this.#empty
    this.#empty = false
    return there
  }

  #lazy(index: number): boolean {
    return this.#pieces.has(index) && this.#pieces.get(index) === undefined
  }
}
