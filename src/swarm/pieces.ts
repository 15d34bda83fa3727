/**
 * The pieces of one root and how far each has come. Each is in exactly one state: missing (some of its bytes are
 * neither here nor asked of anybody) -> requested -> verifying -> storing -> have. A failure goes back to missing.
 */
import { Bitfield } from '../core/bitfield.ts'
import type { Prng } from '../core/prng.ts'
import { IncomingPiece, type Source } from './incoming-piece.ts'
import { PiecePicker } from './piece-picker.ts'

type PieceState = 'missing' | 'requested' | 'verifying' | 'storing' | 'have'

export class Pieces {
  /** Those that are missing, by how many peers have them. */
  readonly picker: PiecePicker
  /** What is known of pieces of which something was asked or came. */
  readonly incoming = new Map<number, IncomingPiece>()
  /** Missing ones of which some bytes are here or asked for, the oldest first. */
  readonly begun = new Set<number>()
  readonly #sizes: number[] = []
  readonly #states: PieceState[] = []
  #have = new Bitfield(0)
  #final = false
  #longest = 0

  constructor(prng: Prng, rarest: boolean) {
    this.picker = new PiecePicker(prng, rarest)
  }

  get length(): number {
    return this.#states.length
  }

  /** Bytes of the longest. */
  get longest(): number {
    return this.#longest
  }

  get final(): boolean {
    return this.#final
  }

  get have(): Bitfield {
    return this.#have
  }

  get complete(): boolean {
    return this.#final && this.#have.complete
  }

  size(piece: number): number {
    return this.#sizes[piece] ?? 0
  }

  state(piece: number): PieceState | undefined {
    return this.#states[piece]
  }

  has(piece: number): boolean {
    return this.#states[piece] === 'have'
  }

  /** Whether bytes of it may be of use. */
  isWanted(piece: number): boolean {
    return this.#states[piece] === 'missing' || this.#states[piece] === 'requested'
  }

  /** Appends pieces. */
  grow(sizes: ArrayLike<number>, final: boolean): void {
    const from = this.length
    for (let at = 0; at < sizes.length; at++) {
      this.#sizes.push(sizes[at] ?? 0)
      this.#longest = Math.max(this.#longest, sizes[at] ?? 0)
      this.#states.push('missing')
    }
    this.#final = final
    this.#have = this.#have.resized(this.length)
    this.picker.grow(this.length)
    for (let piece = from; piece < this.length; piece++) this.picker.add(piece)
  }

  /** The piece's book, a new one if there is none. */
  book(piece: number): IncomingPiece {
    const known = this.incoming.get(piece)
    if (known !== undefined) return known
    const fresh = new IncomingPiece(this.size(piece))
    this.incoming.set(piece, fresh)
    return fresh
  }

  /** All its bytes are here, or asked for of peers some of which send as far as is known. */
  isComing(piece: number): boolean {
    const state = this.#states[piece]
    if (state !== 'requested') return state === 'verifying' || state === 'storing'
    const { sources = [] } = this.incoming.get(piece) ?? {}
    return sources.length === 0 || sources.some(({ peer }) => peer.reliable)
  }

  /** Somebody is to send what was missing. */
  asked(piece: number, source: Source): void {
    const book = this.book(piece)
    book.sources.push(source)
    this.#settle(piece, book)
  }

  /** A source is over. */
  ended(piece: number, source: Source): void {
    const book = this.incoming.get(piece)
    if (book === undefined) return
    book.drop(source)
    this.#settle(piece, book)
  }

  /** All bytes are here. */
  verifying(piece: number): void {
    this.#enter(piece, 'verifying')
  }

  storing(piece: number): void {
    this.#enter(piece, 'storing')
  }

  stored(piece: number): void {
    this.#enter(piece, 'have')
    this.incoming.delete(piece)
    this.#have.add(piece)
  }

  /** It is to be had again from the start. */
  again(piece: number, undivided: boolean): void {
    this.incoming.delete(piece)
    this.begun.delete(piece)
    if (undivided) this.book(piece).undivided = true
    this.#enter(piece, 'missing')
  }

  /** Missing or requested, by whether all its bytes are accounted for. */
  #settle(piece: number, book: IncomingPiece): void {
    if (!this.isWanted(piece)) return
    if (!book.hasHoles) {
      this.#enter(piece, 'requested')
      return
    }
    this.#enter(piece, 'missing')
    if (!book.empty || book.sources.length > 0) this.begun.add(piece)
    else {
      this.begun.delete(piece)
      if (!book.undivided) this.incoming.delete(piece)
    }
  }

  #enter(piece: number, state: PieceState): void {
    this.#states[piece] = state
    if (state === 'missing') this.picker.add(piece)
    else {
      this.picker.remove(piece)
      this.begun.delete(piece)
    }
  }

  /** Throws when the books do not agree; tests call it after every event. */
  checkInvariants(): void {
    for (let piece = 0; piece < this.length; piece++) {
      const state = this.#states[piece]
      const book = this.incoming.get(piece)
      const sources = book?.sources.length ?? 0
      check(this.picker.includes(piece) === (state === 'missing'), `piece ${piece} is ${state}, or pickable`)
      check(this.#have.has(piece) === (state === 'have'), `piece ${piece} is ${state}, or here`)
      check(state !== 'requested' || sources > 0, `piece ${piece} is requested of nobody`)
      check(state !== 'requested' || book?.hasHoles === false, `piece ${piece} is requested in part`)
      check(state !== 'have' || book === undefined, `piece ${piece} is here and on its way`)
      const begun = state === 'missing' && book !== undefined && (!book.empty || sources > 0)
      check(this.begun.has(piece) === begun, `piece ${piece} is ${state}, or begun`)
      check(state !== 'storing' || sources === 0, `piece ${piece} is being stored and asked for`)
    }
  }
}

export function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`swarm invariant: ${otherwise}`)
}
