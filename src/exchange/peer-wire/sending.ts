/**
 * Our side as the one who gives pieces: what the peer asked for and accepted, what we offered it, and the answers
 * on their way. Answers leave in the order in which they were given, in messages of at most 64 KiB of data.
 */
import type { SendingEvent } from './events.ts'
import type { ExtensionMessage, Terms } from './extensions.ts'
import { encodeMessage, type KnownMessage, type Span } from './messages.ts'
import { OfferBook } from './offer-book.ts'
import type { Outbox, Outgoing } from './outbox.ts'
import { fits, type OpenRequest, overlaps, RequestBook } from './request-book.ts'
import { WireViolation } from './violation.ts'

/** Data in one message at most, so that others get in between: 64 KiB are 5 ms on 100 Mbit/s. */
export const MAX_DATA_BYTES = 64 << 10

/** The messages that concern this side. */
export type SendingMessage = Extract<
  KnownMessage,
  { type: 'interested' | 'not-interested' | 'request' | 'cancel' }
>
export type SendingExtension = Extract<
  ExtensionMessage,
  { name: 'share_decline' | 'share_busy' | 'share_expect' | 'share_ack' }
>

interface TheirRequest extends OpenRequest {
  /** The peer sent a request for it; an eager piece goes out before that. */
  asked: boolean
  /** It accepts an offer, so a choke does not end it. */
  readonly offered: boolean
  /** The bytes from `begin` on, once they are there to be sent. */
  data: Uint8Array | undefined
}

export interface SendingOptions {
  /** Bytes of each piece. */
  readonly sizes: ArrayLike<number>
  readonly outbox: Outbox
  /** Requests that we take at once, as our handshake said. */
  readonly limit: number
}

export class Sending {
  readonly #sizes: ArrayLike<number>
  readonly #outbox: Outbox
  readonly #limit: number
  readonly #open = new RequestBook<TheirRequest>()
  /** Those of the open requests that the peer sent. */
  #asked = 0
  #answers: TheirRequest[] = []
  /** What we offer. */
  readonly #offers = new OfferBook<TheirRequest>()
  readonly #allowed = new Set<number>()
  #choking = true
  #interested = false
  /** Requests turned away since we choked. */
  #refused = 0
  #unconfirmed = 0

  constructor(options: SendingOptions) {
    this.#sizes = options.sizes
    this.#outbox = options.outbox
    this.#limit = options.limit
  }

  get choking(): boolean {
    return this.#choking
  }

  /** The peer said that we have something that it wants. */
  get interested(): boolean {
    return this.#interested
  }

  /** Bytes of data handed out and not acknowledged; means something where the peer speaks `share_ack`. */
  get unconfirmed(): number {
    return this.#unconfirmed
  }

  unchoke(): void {
    if (!this.#choking) return
    this.#choking = false
    this.#refused = 0
    this.#outbox.send({ type: 'unchoke' })
  }

  /** Chokes, and rejects what was asked for and is not being answered; those are returned. Accepted offers stay. */
  choke(): readonly Span[] {
    if (this.#choking) return []
    this.#choking = true
    this.#outbox.send({ type: 'choke' })
    const waiting = [...this.#open].filter(
      (request) => request.data === undefined && !request.offered && !this.#allowed.has(request.index),
    )
    return waiting.map((request) => this.#cut(request, request.at))
  }

  /** Tells that we have a piece. */
  have(index: number): void {
    this.#outbox.send({ type: 'have', index })
  }

  /** Proposes a piece to a peer that knows no offers. */
  suggest(index: number): void {
    this.#outbox.send({ type: 'suggest', index })
  }

  /** Lets the peer ask for a piece while it is choked. */
  allow(index: number): void {
    this.#allowed.add(index)
    this.#outbox.send({ type: 'allowed-fast', index })
  }

  /** False when the peer knows no offers, or has this one, or has asked for the piece. */
  offer(index: number, terms: Terms): boolean {
    if (!this.#mayOffer(index)) return false
    this.#outbox.extend({ name: 'share_offer', index, eager: false, ...terms })
    this.#offers.add(index)
    return true
  }

  /** Offers a piece and sends it at once, until it is declined. False as for `offer`. */
  offerEagerly(index: number, terms: Terms, block: Uint8Array): boolean {
    const end = this.#sizes[index]
    if (!end || block.length < end) throw new RangeError(`not piece ${index}`)
    if (!this.#mayOffer(index)) return false
    this.#outbox.extend({ name: 'share_offer', index, eager: true, ...terms })
    const request = { index, begin: 0, at: 0, end, asked: false, offered: true, data: block }
    this.#open.add(request)
    this.#answers.push(request)
    this.#offers.add(index, request)
    return true
  }

  /** The empty offer: asks to be handed a part of what comes too slowly from others. */
  offerUplink(terms: Terms): boolean {
    if (!this.#outbox.extend({ name: 'share_offer', index: undefined, eager: false, ...terms })) return false
    this.#offers.addEmpty()
    return true
  }

  /**
   * Gives the bytes of the request that begins at `begin`; they leave by and by, and must not change until then.
   * False when there is none any more.
   * @throws RangeError when they are fewer than asked for
   */
  answer(index: number, begin: number, data: Uint8Array): boolean {
    const request = this.#unanswered(index, begin)
    if (request === undefined) return false
    if (data.length < request.end - begin) throw new RangeError(`${data.length} bytes answer too little`)
    request.data = data
    this.#answers.push(request)
    return true
  }

  /** Rejects what has not left yet of the request that begins at `begin`. False when there is none any more. */
  reject(index: number, begin: number): boolean {
    const request = this.#open.of(index).find((open) => open.begin === begin)
    if (request === undefined) return false
    this.#cut(request, request.at)
    return true
  }

  /** The next message of data. */
  next(): Outgoing | undefined {
    const request = this.#answering()
    if (request?.data === undefined) return undefined
    const { index, at: begin, data } = request
    const length = Math.min(MAX_DATA_BYTES, request.end - begin)
    const bytes = data.subarray(begin - request.begin, begin - request.begin + length)
    const last = this.#narrow(request, begin + length, request.end)
    this.#unconfirmed += length
    const parts = encodeMessage({ type: 'piece', index, begin, data: bytes })
    return {
      parts,
      bytes: parts.reduce((sum, part) => sum + part.length, 0),
      data: { index, begin, length, last },
    }
  }

  take(message: SendingMessage): SendingEvent | undefined {
    switch (message.type) {
      case 'interested':
      case 'not-interested':
        return this.#takeInterest(message.type)
      case 'request':
        return this.#takeRequest(message)
      case 'cancel':
        return this.#takeCancel(message)
    }
  }

  takeExtension(message: SendingExtension): SendingEvent | undefined {
    switch (message.name) {
      case 'share_decline':
        return this.#dismissed(message.index) ? { type: 'declined', index: message.index } : undefined
      case 'share_busy': {
        const { index, milliseconds } = message
        return this.#dismissed(index) ? { type: 'busy', index, milliseconds } : undefined
      }
      case 'share_expect':
        this.#sizeOf(message.index)
        return { type: message.withdrawn ? 'expects-no-more' : 'expects', index: message.index }
      case 'share_ack':
        if (message.bytes > this.#unconfirmed)
          throw new WireViolation('false-ack', `${message.bytes} bytes of ${this.#unconfirmed}`)
        this.#unconfirmed -= message.bytes
        return { type: 'confirmed', bytes: message.bytes }
    }
  }

  #takeInterest(type: 'interested' | 'not-interested'): SendingEvent | undefined {
    if (this.#interested === (type === 'interested')) return undefined
    this.#interested = !this.#interested
    return { type }
  }

  #takeRequest({ index, begin, length }: Span): SendingEvent | undefined {
    const span = { index, begin, length }
    const size = this.#sizeOf(index)
    if (!fits(span, size))
      throw new WireViolation('out-of-bounds', `bytes ${begin}+${length} of ${size} in piece ${index}`)
    const eager = this.#offers.eager(index)
    if (eager !== undefined && length === size) return this.#accepted(eager)
    const offered = this.#offers.accept(index)
    if (this.#choking && !offered && !this.#allowed.has(index)) return this.#refuse(span)
    if (this.#asked >= this.#limit)
      throw new WireViolation('too-many-requests', `more than ${this.#limit} requests`)
    if (this.#open.of(index).some(({ asked, at, end }) => asked && overlaps(span, at, end)))
      throw new WireViolation('overlapping', `bytes of piece ${index} that are asked for already`)
    const end = begin + length
    this.#open.add({ index, begin, at: begin, end, asked: true, offered, data: undefined })
    this.#asked++
    return { type: 'requested', ...span, offered }
  }

  /** The request for an eager piece: it is being sent, or has left. */
  #accepted(request: TheirRequest): SendingEvent {
    this.#offers.delete(request.index)
    request.asked = true
    if (request.at < request.end) this.#asked++
    return { type: 'accepted', index: request.index }
  }

  /**
   * Rejects a request that comes while we choke. After a choke, an honest peer's requests are those that were on
   * their way, and one for every answer that was: no more than twice what it may have open.
   */
  #refuse(span: Span): undefined {
    this.#refused++
    if (this.#refused > 2 * this.#limit)
      throw new WireViolation('too-many-requests', 'requests in spite of a choke')
    this.#outbox.send({ type: 'reject', ...span })
  }

  #takeCancel({ index, begin, length }: Span): SendingEvent | undefined {
    const request = this.#open
      .of(index)
      .find((open) => open.begin <= begin && begin < open.end && begin + length === open.end)
    // it may have been answered before the cancel came
    if (request === undefined) return undefined
    this.#cut(request, Math.max(begin, request.at))
    const { at, end } = request
    return { type: 'shortened', index, begin: request.begin, length: end - request.begin, ended: at === end }
  }

  /** Forgets an offer that was turned down, and what is left of an eager piece. */
  #dismissed(index: number | undefined): boolean {
    const eager = index === undefined ? undefined : this.#offers.eager(index)
    if (eager !== undefined && eager.at < eager.end) this.#cut(eager, eager.at)
    return this.#offers.delete(index)
  }

  /** The first answer that is not over. */
  #answering(): TheirRequest | undefined {
    for (;;) {
      const [first] = this.#answers
      if (first === undefined || first.at < first.end) return first
      this.#answers.shift()
    }
  }

  #mayOffer(index: number): boolean {
    const taken = this.#offers.has(index) || this.#open.of(index).length > 0
    return !taken && this.#outbox.speaks('share_offer')
  }

  #unanswered(index: number, begin: number): TheirRequest | undefined {
    return this.#open.of(index).find((open) => open.begin === begin && open.data === undefined)
  }

  /** Rejects a request from `to` on, and returns what that was. */
  #cut(request: TheirRequest, to: number): Span {
    const span = { index: request.index, begin: to, length: request.end - to }
    if (span.length > 0) this.#outbox.send({ type: 'reject', ...span })
    this.#narrow(request, request.at, to)
    return span
  }

  #narrow(request: TheirRequest, at: number, end: number): boolean {
    const ended = this.#open.narrow(request, at, end)
    if (!ended) return false
    if (request.asked) this.#asked--
    request.data = undefined
    return true
  }

  #sizeOf(index: number): number {
    const size = this.#sizes[index]
    if (size === undefined)
      throw new WireViolation('out-of-bounds', `piece ${index} of ${this.#sizes.length}`)
    return size
  }
}
