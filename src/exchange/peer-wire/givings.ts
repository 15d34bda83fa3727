/**
 * What is being sent to one peer. It acknowledges bytes by their number alone, in the order in which they left; here
 * lies which they were. A block is given back once all that left of it is acknowledged and no more will leave.
 */
import type { DataPart } from './outbox.ts'

/** Bytes of one answer that have arrived. */
export interface Delivered {
  readonly piece: number
  /** Where the request begins. */
  readonly begin: number
  readonly bytes: number
}

interface Giving {
  readonly piece: number
  readonly begin: number
  readonly block: Uint8Array
  unconfirmed: number
  /** Nothing more of it leaves. */
  ended: boolean
  /** What arrives of it is still of interest. */
  counts: boolean
}

export class Givings {
  /** Those of which something may leave, by piece and begin. */
  readonly #open = new Map<string, Giving>()
  /** What left and is not acknowledged, oldest first. */
  readonly #left: { readonly giving: Giving; bytes: number }[] = []
  readonly #release: (block: Uint8Array) => void

  constructor(release: (block: Uint8Array) => void) {
    this.#release = release
  }

  /** The answer to the request that begins at `begin` is taken from this block. */
  start(piece: number, begin: number, block: Uint8Array): void {
    this.#open.set(keyOf(piece, begin), {
      piece,
      begin,
      block,
      unconfirmed: 0,
      ended: false,
      counts: true,
    })
  }

  left({ index, request, length, last }: DataPart): void {
    const giving = this.#open.get(keyOf(index, request))
    if (giving === undefined) throw new Error(`nobody gave piece ${index}`)
    giving.unconfirmed += length
    const newest = this.#left.at(-1)
    if (newest?.giving === giving) newest.bytes += length
    else this.#left.push({ giving, bytes: length })
    if (last) this.#end(giving)
  }

  /** Nothing more of it leaves; with `counts` false, what has left is of no interest either. */
  end(piece: number, begin: number, counts: boolean): void {
    const giving = this.#open.get(keyOf(piece, begin))
    if (giving === undefined) return
    giving.counts = counts
    this.#end(giving)
  }

  confirmed(bytes: number): readonly Delivered[] {
    const delivered: Delivered[] = []
    let rest = bytes
    while (rest > 0) {
      const [first] = this.#left
      if (first === undefined) break
      const { giving } = first
      const part = Math.min(rest, first.bytes)
      rest -= part
      first.bytes -= part
      if (first.bytes === 0) this.#left.shift()
      giving.unconfirmed -= part
      if (giving.counts) delivered.push({ piece: giving.piece, begin: giving.begin, bytes: part })
      this.#giveBack(giving)
    }
    return delivered
  }

  #end(giving: Giving): void {
    giving.ended = true
    this.#open.delete(keyOf(giving.piece, giving.begin))
    this.#giveBack(giving)
  }

  #giveBack(giving: Giving): void {
    if (giving.ended && giving.unconfirmed === 0) this.#release(giving.block)
  }
}

function keyOf(piece: number, begin: number): string {
  return `${piece} ${begin}`
}
