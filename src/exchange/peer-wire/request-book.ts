/**
 * Open requests of one direction. Every byte that is asked for is answered exactly once, by data or by a reject
 * (BEP 6, which says it of whole requests): data in ascending order, rejects from the end. So what is open of a
 * request is always one range, `at` to `end`.
 */
import type { Span } from './messages.ts'

export interface OpenRequest {
  readonly index: number
  /** First byte of the request as it was made. */
  readonly begin: number
  /** First byte that is not answered yet. */
  at: number
  /** After the last byte that is not answered yet. */
  end: number
}

export class RequestBook<T extends OpenRequest> {
  readonly #byPiece = new Map<number, readonly T[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  add(request: T): void {
    this.#byPiece.set(request.index, [...this.of(request.index), request])
    this.#size++
  }

  /** The same for what is answered before the requests of the piece that are open. */
  addFirst(request: T): void {
    this.#byPiece.set(request.index, [request, ...this.of(request.index)])
    this.#size++
  }

  /** The open requests of a piece, in the order in which they are answered. */
  of(index: number): readonly T[] {
    return this.#byPiece.get(index) ?? []
  }

  *[Symbol.iterator](): Generator<T> {
    for (const requests of this.#byPiece.values()) yield* requests
  }

  /** Notes that the bytes before `at` and those from `end` on are answered; true when that was all of it, and it is open no more. */
  narrow(request: T, at: number, end: number): boolean {
    request.at = at
    request.end = end
    if (at < end) return false
    const left = this.of(request.index).filter((other) => other !== request)
    this.#size--
    if (left.length > 0) this.#byPiece.set(request.index, left)
    else this.#byPiece.delete(request.index)
    return true
  }
}

/** Whether a span lies in a piece of the given size and is not empty. */
export function fits({ begin, length }: Span, size: number): boolean {
  return length > 0 && begin + length <= size
}

export function overlaps({ begin, length }: Span, from: number, to: number): boolean {
  return begin < to && from < begin + length
}
