/**
 * Which peers have a piece, expect it, are offered it: a row of bits for each piece, one bit a peer. What one peer tells
 * of a piece touches one place in memory, and a piece that comes here is compared with all peers at once. Peers go by
 * small numbers, their slots; the columns, such as how many of our pieces each of them would take, are kept alongside.
 */
import type { Prng } from '../core/prng.ts'

/**
 * What a bit says of a peer: it has the piece, expects it, is offered it (or advised to ask for it). As a number, the
 * part of a row where these bits are. The first part is the head: twice the bits that are set, and one if the piece is
 * here.
 */
export type Holding = typeof HAS | typeof EXPECTS | typeof OFFERED
export const HAS = 1
export const EXPECTS = 2
export const OFFERED = 3
const PARTS = 4

/** Rows that are looked at to find the rarest, unless none is found in them: beyond that it would cost more than it is worth. */
const MOST_LOOKED_AT = 1 << 14

export class Holdings {
  /** Words of a part. */
  #width = 1
  #rows = new Int32Array(0)
  #length = 0
  #own = 0
  /** Of our pieces, how many have so many bits. */
  readonly #byBits: number[] = []
  readonly #taken: boolean[] = []
  /** By slot: pieces that are here and the peer neither has nor expects nor is offered; and those that it does not have. */
  #takes = new Int32Array(32)
  #lacks = new Int32Array(32)
  /** By holding and slot. */
  #counts = Array.from({ length: PARTS }, () => new Int32Array(32))

  // --- pieces

  /** Makes room for so many. */
  grow(length: number): void {
    this.#length = length
    this.#lay(this.#width)
  }

  /** The piece is here. */
  own(piece: number): void {
    const row = this.#row(piece)
    if (row < 0 || this.#isOwn(row)) return
    const head = this.#rows[row] ?? 0
    this.#rows[row] = head | 1
    this.#own++
    this.#tally(head, 1)
    for (let slot = 0; slot < this.#taken.length; slot++) {
      if (this.#taken[slot] !== true || this.#bit(row, HAS, slot)) continue
      this.#lacks[slot] = (this.#lacks[slot] ?? 0) + 1
      if (this.#isFree(row, slot)) this.#takes[slot] = (this.#takes[slot] ?? 0) + 1
    }
  }

  // --- peers

  /** A slot for a peer that has nothing yet. */
  join(): number {
    const free = this.#taken.indexOf(false)
    const slot = free < 0 ? this.#taken.length : free
    if (slot >= this.#width * 32) this.#lay(this.#width * 2)
    this.#taken[slot] = true
    this.#takes[slot] = this.#own
    this.#lacks[slot] = this.#own
    return slot
  }

  leave(slot: number): void {
    for (let piece = 0; piece < this.#length; piece++)
      for (const holding of [HAS, EXPECTS, OFFERED] as const) this.delete(holding, slot, piece)
    this.#taken[slot] = false
  }

  /** How many of our pieces could be offered to the peer. */
  takes(slot: number): number {
    return this.#takes[slot] ?? 0
  }

  /** How many of our pieces it does not have. */
  lacks(slot: number): number {
    return this.#lacks[slot] ?? 0
  }

  count(holding: Holding, slot: number): number {
    return this.#counts[holding]?.[slot] ?? 0
  }

  /** How many of all pieces it has or expects. */
  held(slot: number): number {
    return this.count(HAS, slot) + this.count(EXPECTS, slot)
  }

  /** How many that are not here it has. */
  useful(slot: number): number {
    return this.count(HAS, slot) - this.#own + this.lacks(slot)
  }

  // --- bits

  has(holding: Holding, slot: number, piece: number): boolean {
    const row = this.#row(piece)
    return row >= 0 && this.#bit(row, holding, slot)
  }

  /** False when it was so already, or there is no such piece. */
  add(holding: Holding, slot: number, piece: number): boolean {
    const row = this.#row(piece)
    if (row < 0 || this.#bit(row, holding, slot)) return false
    this.#raise(row, 2)
    if (this.#isOwn(row)) this.#count(row, holding, slot, -1)
    this.#flip(row, holding, slot, 1)
    return true
  }

  /** The peer has the piece: it no longer expects it, and no offer of it matters. False when that was known. */
  gain(slot: number, piece: number): boolean {
    if (!this.add(HAS, slot, piece)) return false
    this.delete(EXPECTS, slot, piece)
    this.delete(OFFERED, slot, piece)
    return true
  }

  /** Calls with the slots of those that have the piece. */
  forHolders(piece: number, call: (slot: number) => void): void {
    for (let slot = 0; slot < this.#taken.length; slot++) if (this.has(HAS, slot, piece)) call(slot)
  }

  /** False when it was not so. */
  delete(holding: Holding, slot: number, piece: number): boolean {
    const row = this.#row(piece)
    if (row < 0 || !this.#bit(row, holding, slot)) return false
    this.#raise(row, -2)
    this.#flip(row, holding, slot, -1)
    if (this.#isOwn(row)) this.#count(row, holding, slot, 1)
    return true
  }

  /**
   * Of our pieces that the peer takes, and that are accepted, one with the fewest bits; without `rarest`, any. The first
   * that is found with as few as any of ours has, from a random one on; where there is none, any of equals.
   */
  pick(slot: number, rarest: boolean, prng: Prng, accepts: (piece: number) => boolean): number | undefined {
    if (this.takes(slot) <= 0) return undefined
    const from = prng.below(this.#length)
    const enough = rarest ? 2 * this.#byBits.findIndex((pieces) => pieces > 0) + 1 : Number.POSITIVE_INFINITY
    let best: number | undefined
    let fewest = Number.POSITIVE_INFINITY
    let equals = 0
    for (let at = 0; at < this.#length; at++) {
      if (best !== undefined && (fewest <= enough || at >= MOST_LOOKED_AT)) break
      const piece = from + at < this.#length ? from + at : from + at - this.#length
      const row = piece * PARTS * this.#width
      const head = this.#rows[row] ?? 0
      if ((head & 1) === 0 || head > fewest || !this.#isFree(row, slot)) continue
      if (head === fewest && prng.below(++equals) !== 0) continue
      if (!accepts(piece)) continue
      if (head < fewest) equals = 1
      best = piece
      fewest = head
    }
    return best
  }

  /** Index of the head of a row; below 0 when there is no such piece: strangers name them. */
  #row(piece: number): number {
    return piece >= 0 && piece < this.#length ? piece * PARTS * this.#width : -1
  }

  #isOwn(row: number): boolean {
    return ((this.#rows[row] ?? 0) & 1) === 1
  }

  /** The head of a row changes: a bit more (2) or fewer (-2). */
  #raise(row: number, by: 2 | -2): void {
    const head = this.#rows[row] ?? 0
    this.#rows[row] = head + by
    if ((head & 1) === 0) return
    this.#tally(head, -1)
    this.#tally(head + by, 1)
  }

  #tally(head: number, by: 1 | -1): void {
    const bits = head >> 1
    while (this.#byBits.length <= bits) this.#byBits.push(0)
    this.#byBits[bits] = (this.#byBits[bits] ?? 0) + by
  }

  #bit(row: number, holding: Holding, slot: number): boolean {
    return ((this.#rows[row + holding * this.#width + (slot >> 5)] ?? 0) & (1 << (slot & 31))) !== 0
  }

  #flip(row: number, holding: Holding, slot: number, by: 1 | -1): void {
    const at = row + holding * this.#width + (slot >> 5)
    this.#rows[at] = (this.#rows[at] ?? 0) ^ (1 << (slot & 31))
    const counts = this.#counts[holding]
    if (counts !== undefined) counts[slot] = (counts[slot] ?? 0) + by
  }

  #isFree(row: number, slot: number): boolean {
    const at = row + (slot >> 5)
    const rows = this.#rows
    const width = this.#width
    const word = (rows[at + width] ?? 0) | (rows[at + 2 * width] ?? 0) | (rows[at + 3 * width] ?? 0)
    return (word & (1 << (slot & 31))) === 0
  }

  /** A bit of a piece that is here is not set: before it is, or after it was. */
  #count(row: number, holding: Holding, slot: number, by: 1 | -1): void {
    if (holding === HAS) this.#lacks[slot] = (this.#lacks[slot] ?? 0) + by
    if (this.#isFree(row, slot)) this.#takes[slot] = (this.#takes[slot] ?? 0) + by
  }

  /** Lays the rows out anew. */
  #lay(width: number): void {
    const rows = new Int32Array(this.#length * PARTS * width)
    for (let from = 0, to = 0; from < this.#rows.length && to < rows.length; to += PARTS * width) {
      rows[to] = this.#rows[from] ?? 0
      for (let part = 1; part < PARTS; part++)
        for (let word = 0; word < this.#width; word++)
          rows[to + part * width + word] = this.#rows[from + part * this.#width + word] ?? 0
      from += PARTS * this.#width
    }
    this.#takes = enlarged(this.#takes, width * 32)
    this.#lacks = enlarged(this.#lacks, width * 32)
    this.#counts = this.#counts.map((counts) => enlarged(counts, width * 32))
    this.#rows = rows
    this.#width = width
  }
}

/** The pieces of which the same is said of one peer. */
export class HeldPieces {
  readonly #holdings: Holdings
  readonly #holding: Holding
  readonly #slot: number

  constructor(holdings: Holdings, holding: Holding, slot: number) {
    this.#holdings = holdings
    this.#holding = holding
    this.#slot = slot
  }

  get count(): number {
    return this.#holdings.count(this.#holding, this.#slot)
  }

  has(piece: number): boolean {
    return this.#holdings.has(this.#holding, this.#slot, piece)
  }

  /** False when it was among them, or there is no such piece. */
  add(piece: number): boolean {
    return this.#holdings.add(this.#holding, this.#slot, piece)
  }

  /** False when it was not among them. */
  delete(piece: number): boolean {
    return this.#holdings.delete(this.#holding, this.#slot, piece)
  }
}

function enlarged(column: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length)
  larger.set(column)
  return larger
}
