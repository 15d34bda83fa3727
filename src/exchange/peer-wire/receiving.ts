/**
 * Our side as the one who gets pieces: what the peer has, offers us and sends us, and what we asked it for.
 *
 * Nobody offers a piece of which a request is open. So when an offer comes while we have asked for bytes of the
 * piece, the two crossed, and both ends take the request as the answer to the offer. An eager offer stands for a
 * request of the whole piece: a request for all of it accepts it, one for a part declines it.
 */
import { Bitfield } from '../../core/bitfield.ts'
import type { ReceivingEvent } from './events.ts'
import type { Terms } from './extensions.ts'
import type { KnownMessage, Span } from './messages.ts'
import { OfferBook } from './offer-book.ts'
import type { Outbox } from './outbox.ts'
import { fits, type OpenRequest, overlaps, RequestBook } from './request-book.ts'
import { WireViolation } from './violation.ts'

/** Data that is confirmed at the latest, so that the uploader sees its pipe drain. */
const ACK_BYTES = 128 << 10

/** The messages that concern this side. */
export type ReceivingMessage = Extract<
  KnownMessage,
  { type: 'choke' | 'unchoke' | 'have' | 'piece' | 'reject' | 'suggest' | 'allowed-fast' }
>

interface OurRequest extends OpenRequest {
  /** From here on it is not wanted any more: cancelled, or an eager offer declined. */
  wantedEnd: number
}

export interface ReceivingOptions {
  /** Bytes of each piece. */
  readonly sizes: ArrayLike<number>
  readonly outbox: Outbox
  /** Requests that the peer takes at once. */
  readonly limit: number
}

export class Receiving {
  /** What the peer has. */
  have: Bitfield
  readonly #sizes: ArrayLike<number>
  readonly #outbox: Outbox
  readonly #limit: number
  readonly #open = new RequestBook<OurRequest>()
  /** What the peer offers. */
  readonly #offers = new OfferBook<OurRequest>()
  readonly #allowed = new Set<number>()
  #choked = true
  #interested = false
  #unconfirmed = 0

  constructor(options: ReceivingOptions) {
    this.have = new Bitfield(options.sizes.length)
    this.#sizes = options.sizes
    this.#outbox = options.outbox
    this.#limit = options.limit
  }

  /** The peer serves no requests, save for pieces that it offered or allowed. */
  get choked(): boolean {
    return this.#choked
  }

  /** We told the peer that it has something that we want. */
  get interested(): boolean {
    return this.#interested
  }

  /** Requests that are not answered in full. */
  get open(): number {
    return this.#open.size
  }

  /** Bytes of data that came and are not acknowledged. */
  get unconfirmed(): number {
    return this.#unconfirmed
  }

  /** Acknowledges them. */
  acknowledge(): void {
    if (this.#unconfirmed > 0) this.#outbox.extend({ name: 'share_ack', bytes: this.#unconfirmed })
    this.#unconfirmed = 0
  }

  setInterested(interested: boolean): void {
    if (this.#interested === interested) return
    this.#interested = interested
    this.#outbox.send({ type: interested ? 'interested' : 'not-interested' })
  }

  /**
   * Asks for bytes of a piece; accepts the offer of it, if there is one. False where that cannot be now: the peer
   * chokes us or takes no more, or the bytes are asked of it already.
   * @throws RangeError for bytes that no piece has
   */
  request(span: Span): boolean {
    const size = this.#sizes[span.index] ?? 0
    if (!fits(span, size))
      throw new RangeError(`no bytes ${span.begin}+${span.length} in piece ${span.index}`)
    const eager = this.#offers.eager(span.index)
    if (eager !== undefined && span.length === size) return this.#acceptEager(eager)
    if (this.#choked && !this.#offers.accepts(span.index) && !this.#allowed.has(span.index)) return false
    if (this.#open.size >= this.#limit || this.#asked(span)) return false
    this.#offers.accept(span.index)
    this.#ask(span)
    this.#outbox.send({ ...span, type: 'request' })
    return true
  }

  /** Takes back the last `length` bytes of an open request, which then come or are rejected. False when there is no such request. */
  cancel(span: Span): boolean {
    const request = this.#open
      .of(span.index)
      .find(({ begin, wantedEnd }) => begin <= span.begin && span.begin + span.length === wantedEnd)
    if (request === undefined || span.length <= 0) return false
    request.wantedEnd = span.begin
    this.#outbox.send({ ...span, type: 'cancel' })
    return true
  }

  /** Answers an offer, or without an index the empty one. False when there is none. */
  decline(index?: number): boolean {
    return this.#dismiss(index) && this.#outbox.extend({ name: 'share_decline', index })
  }

  /** The same, with the time after which it may be offered again. */
  busy(milliseconds: number, index?: number): boolean {
    return this.#dismiss(index) && this.#outbox.extend({ name: 'share_busy', index, milliseconds })
  }

  /** Tells that a piece is coming from somebody, or is not any more. False when the peer does not know the message. */
  expect(index: number, withdrawn = false): boolean {
    return this.#outbox.extend({ name: 'share_expect', index, withdrawn })
  }

  /** The peer's one bitfield, have-all or have-none. */
  list(have: Bitfield): void {
    this.have = have
  }

  take(message: ReceivingMessage): readonly ReceivingEvent[] {
    switch (message.type) {
      case 'choke':
      case 'unchoke':
        return this.#takeChoke(message.type === 'choke')
      case 'piece':
        return this.#takeData(message)
      case 'reject':
        return this.#takeReject(message)
      case 'have':
        this.#sizeOf(message.index)
        return this.have.add(message.index) ? [{ type: 'have', index: message.index }] : []
      case 'suggest':
        this.#sizeOf(message.index)
        return [{ type: 'suggested', index: message.index }]
      case 'allowed-fast':
        this.#sizeOf(message.index)
        this.#allowed.add(message.index)
        return [{ type: 'allowed', index: message.index }]
    }
  }

  /** Yields the offer, unless a request of ours has answered it, and sees to it that an eager one gets its answer. */
  *takeOffer(offer: { index: number | undefined; eager: boolean } & Terms): Generator<ReceivingEvent> {
    const { index, eager, rate, start } = offer
    if (index === undefined) {
      this.#offers.addEmpty()
      yield { type: 'idle', rate, start }
      return
    }
    const size = this.#sizeOf(index)
    if (size === 0) throw new WireViolation('out-of-bounds', `piece ${index} is empty`)
    const [crossed] = this.#open.of(index)
    if (crossed !== undefined) {
      const accepts = crossed.begin === 0 && crossed.end === size
      if (eager && !accepts) this.#open.addFirst({ index, begin: 0, at: 0, end: size, wantedEnd: 0 })
      return
    }
    const request = eager ? this.#ask({ index, begin: 0, length: size }) : undefined
    this.#offers.add(index, request)
    yield { type: 'offered', index, eager, rate, start }
    if (request !== undefined && this.#offers.eager(index) === request) this.decline(index)
  }

  #takeChoke(choked: boolean): readonly ReceivingEvent[] {
    if (this.#choked === choked) return []
    this.#choked = choked
    return [{ type: choked ? 'choked' : 'unchoked' }]
  }

  #takeData({
    index,
    begin,
    data,
  }: {
    index: number
    begin: number
    data: Uint8Array
  }): readonly ReceivingEvent[] {
    const end = begin + data.length
    const request = this.#open.of(index).find((open) => open.at === begin && end <= open.end)
    if (request === undefined || data.length === 0)
      throw new WireViolation('unrequested', `data of piece ${index} from ${begin} on that nobody asked for`)
    const wanted = begin < request.wantedEnd
    this.#confirm(data.length, this.#open.narrow(request, end, request.end))
    return [wanted ? { type: 'data', index, begin, data } : { type: 'unwanted', index, bytes: data.length }]
  }

  #takeReject({ index, begin, length }: Span): readonly ReceivingEvent[] {
    const end = begin + length
    const request = this.#open.of(index).find((open) => open.end === end && open.at <= begin && length > 0)
    if (request === undefined)
      throw new WireViolation('unrequested', `a reject for piece ${index} that nobody asked for`)
    const lost = Math.min(end, request.wantedEnd) - begin
    request.wantedEnd = Math.min(begin, request.wantedEnd)
    this.#confirm(0, this.#open.narrow(request, request.at, begin))
    return lost > 0 ? [{ type: 'rejected', index, begin, length: lost }] : []
  }

  /** Acknowledges data every so often, and at the end of a request. */
  #confirm(bytes: number, ended: boolean): void {
    this.#unconfirmed += bytes
    if (ended || this.#unconfirmed >= ACK_BYTES) this.acknowledge()
  }

  #acceptEager(request: OurRequest): boolean {
    if (this.#open.size > this.#limit) return false
    this.#offers.delete(request.index)
    const { index, begin } = request
    this.#outbox.send({ type: 'request', index, begin, length: this.#sizeOf(index) })
    return true
  }

  #ask({ index, begin, length }: Span): OurRequest {
    const end = begin + length
    const request = { index, begin, at: begin, end, wantedEnd: end }
    this.#open.add(request)
    return request
  }

  #asked(span: Span): boolean {
    return this.#open.of(span.index).some(({ at, wantedEnd }) => overlaps(span, at, wantedEnd))
  }

  #dismiss(index: number | undefined): boolean {
    const eager = index === undefined ? undefined : this.#offers.eager(index)
    if (eager !== undefined) eager.wantedEnd = eager.begin
    return this.#offers.delete(index)
  }

  #sizeOf(index: number): number {
    const size = this.#sizes[index]
    if (size === undefined)
      throw new WireViolation('out-of-bounds', `piece ${index} of ${this.#sizes.length}`)
    return size
  }
}
