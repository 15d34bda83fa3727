/**
 * What an end asked the other for. Every byte that is asked for is answered once, by data or by a reject: data in
 * ascending order, rejects from the end. So what is open of a request is one range.
 */
import type { End } from './connection.ts'
import type { Span } from './messages.ts'
import { refuse } from './wire.ts'

interface Asked {
  readonly piece: number
  /** First byte of the request as it was made. */
  readonly begin: number
  /** First byte that is not answered yet. */
  at: number
  /** After the last byte that is not answered yet. */
  end: number
  /** From here on it is not wanted any more: cancelled, or an eager offer declined. */
  wantedEnd: number
}

export class Asking {
  /** The other serves nothing but what it offers. */
  choked = true
  readonly #end: End
  #open: Asked[] = []

  constructor(end: End) {
    this.#end = end
  }

  /** The first open request for bytes of the piece. */
  of(piece: number): Asked | undefined {
    return this.#open.find((asked) => asked.piece === piece)
  }

  /** The request that these bytes answer. */
  awaits({ piece, begin }: Span): Asked | undefined {
    return this.#open.find((asked) => asked.piece === piece && asked.at === begin)
  }

  /** Opens a request that is to be sent. */
  add(span: Span): Asked {
    const { piece, begin, length } = span
    const end = begin + length
    if (length <= 0 || end > this.#end.owner.size(piece)) refuse('no such bytes', span)
    if (this.#open.some((one) => one.piece === piece && one.at < end && begin < one.wantedEnd))
      refuse('bytes that are asked for already', span)
    const asked = { piece, begin, at: begin, end, wantedEnd: end }
    this.#open.push(asked)
    return asked
  }

  /** What comes before the open requests of its piece, and is not wanted. */
  addUnwanted(piece: number, size: number): void {
    this.#open.unshift({ piece, begin: 0, at: 0, end: size, wantedEnd: 0 })
  }

  /** An eager offer is turned down; what comes of it is not wanted. */
  unwant(piece: number): void {
    const asked = this.of(piece)
    if (asked !== undefined) asked.wantedEnd = asked.begin
  }

  /** Takes back the end of a request. */
  cancel(span: Span): void {
    const { piece, begin, length } = span
    const asked = this.#open.find(
      (one) => one.piece === piece && one.at <= begin && one.wantedEnd === begin + length,
    )
    if (asked === undefined || length <= 0) return
    asked.wantedEnd = begin
    this.#end.tell({ type: 'cancel', piece, begin, length })
  }

  /** Data came in. */
  take(data: Span & { readonly genuine: boolean }): void {
    const { owner, connection, peer } = this.#end
    const { piece, begin, length, genuine } = data
    const asked = this.awaits(data)
    if (asked === undefined || begin + length > asked.end) refuse('nobody asked for', data)
    asked.at = begin + length
    if (asked.at === asked.end) this.#close(asked)
    const wanted = Math.max(0, Math.min(asked.wantedEnd, begin + length) - begin)
    const span = { piece, begin, length: wanted }
    const fresh = wanted > 0 && !owner.has(piece) ? owner.disk.add(span, genuine) : 0
    connection.medium.tally.duplicate += length - fresh
    const { root } = owner
    if (wanted > 0) owner.dispatch({ type: 'arrived', root, peer, ...span })
    else owner.dispatch({ type: 'progressed', root, peer })
  }

  /** The other will not send the end of a request. */
  rejected({ piece, begin, length }: Span): void {
    const { owner, peer } = this.#end
    const asked = this.#open.find((one) => one.piece === piece && one.end === begin + length)
    if (asked === undefined) refuse('a reject of what nobody asked for', { piece, begin, length })
    const lost = Math.min(asked.end, asked.wantedEnd) - begin
    asked.end = begin
    asked.wantedEnd = Math.min(begin, asked.wantedEnd)
    if (asked.at >= asked.end) this.#close(asked)
    if (lost > 0) owner.dispatch({ type: 'rejected', root: owner.root, peer, piece, begin, length: lost })
  }

  #close(asked: Asked): void {
    this.#open.splice(this.#open.indexOf(asked), 1)
  }
}
