/**
 * What the peer asked for, and the answers on their way. Answers leave in the order in which they were given, in
 * messages of at most 64 KiB of data; what is taken back or turned down is rejected, as far as it has not left.
 */
import { encodeMessage, type Span } from './messages.ts'
import type { Outbox, Outgoing } from './outbox.ts'
import { type OpenRequest, overlaps, RequestBook } from './request-book.ts'

/** Data in one message at most, so that others get in between: 64 KiB are 5 ms on 100 Mbit/s. */
const MAX_DATA_BYTES = 64 << 10

export interface TheirRequest extends OpenRequest {
  /** The peer sent a request for it; an eager piece goes out before that. */
  asked: boolean
  /** It accepts an offer, so a choke does not end it. */
  readonly offered: boolean
  /** The bytes from `begin` on, once they are there to be sent. */
  data: Uint8Array | undefined
}

export class Answers {
  readonly #outbox: Outbox
  readonly #open = new RequestBook<TheirRequest>()
  #asked = 0
  #queue: TheirRequest[] = []

  constructor(outbox: Outbox) {
    this.#outbox = outbox
  }

  /** Open requests that the peer sent. */
  get asked(): number {
    return this.#asked
  }

  /** Whether something of the piece is asked for, or is being sent. */
  concerns(index: number): boolean {
    return this.#open.of(index).length > 0
  }

  overlaps(span: Span): boolean {
    return this.#open.of(span.index).some(({ at, end }) => overlaps(span, at, end))
  }

  add({ index, begin, length }: Span, offered: boolean): void {
    this.#open.add({ index, begin, at: begin, end: begin + length, asked: true, offered, data: undefined })
    this.#asked++
  }

  /** Sends a piece that was not asked for yet. */
  addEager(index: number, size: number, data: Uint8Array): TheirRequest {
    const request = { index, begin: 0, at: 0, end: size, asked: false, offered: true, data }
    this.#open.add(request)
    this.#queue.push(request)
    return request
  }

  /** The request for an eager piece came, which is being sent or has left. */
  accept(eager: TheirRequest): void {
    eager.asked = true
    if (eager.at < eager.end) this.#asked++
  }

  /** False when no request that begins there waits for its bytes. @throws RangeError when they are too few */
  give(index: number, begin: number, data: Uint8Array): boolean {
    const request = this.#open.of(index).find((open) => open.begin === begin && open.data === undefined)
    if (request === undefined) return false
    if (data.length < request.end - begin) throw new RangeError(`${data.length} bytes answer too little`)
    request.data = data
    this.#queue.push(request)
    return true
  }

  /** The request that begins there; before it, what is sent eagerly. */
  find(index: number, begin: number): TheirRequest | undefined {
    return this.#open.of(index).find((open) => open.begin === begin)
  }

  /** The request that ends where the span ends, and not before it begins. */
  endingWith({ index, begin, length }: Span): TheirRequest | undefined {
    return this.#open
      .of(index)
      .find((open) => open.begin <= begin && begin < open.end && begin + length === open.end)
  }

  /** Requests without an answer so far. */
  waiting(): readonly TheirRequest[] {
    return [...this.#open].filter((request) => request.data === undefined)
  }

  /** Rejects a request from `to` on, or from where its data ended, and returns what that was. */
  cut(request: TheirRequest, to = request.at): Span {
    const begin = Math.max(to, request.at)
    const span = { index: request.index, begin, length: request.end - begin }
    if (span.length > 0) this.#outbox.send({ type: 'reject', ...span })
    if (request.at < request.end) this.#narrow(request, request.at, begin)
    return span
  }

  /** Whether data waits to leave. */
  get ready(): boolean {
    return this.#first() !== undefined
  }

  /** The next message of data, with at most so many bytes of it. */
  next(most: number): Outgoing | undefined {
    const request = this.#first()
    if (request?.data === undefined) return undefined
    const { index, at: begin } = request
    const length = Math.min(MAX_DATA_BYTES, most, request.end - begin)
    const data = request.data.subarray(begin - request.begin, begin - request.begin + length)
    const last = this.#narrow(request, begin + length, request.end)
    const parts = encodeMessage({ type: 'piece', index, begin, data })
    const bytes = parts.reduce((sum, part) => sum + part.length, 0)
    return { parts, bytes, data: { index, request: request.begin, begin, length, last } }
  }

  /** The first answer that is not over. */
  #first(): TheirRequest | undefined {
    for (;;) {
      const [first] = this.#queue
      if (first === undefined || first.at < first.end) return first
      this.#queue.shift()
    }
  }

  #narrow(request: TheirRequest, at: number, end: number): boolean {
    const ended = this.#open.narrow(request, at, end)
    if (!ended) return false
    if (request.asked) this.#asked--
    request.data = undefined
    return true
  }
}
