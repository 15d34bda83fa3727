/**
 * Our side as the one who gives pieces: what the peer asks for and accepts, what we offer it, whether we choke it,
 * and what of our data has arrived there.
 */
import { Answers, type TheirRequest } from './answers.ts'
import type { SendingEvent } from './events.ts'
import type { ExtensionMessage, Terms } from './extensions.ts'
import type { KnownMessage, Span } from './messages.ts'
import { OfferBook } from './offer-book.ts'
import type { Outbox, Outgoing } from './outbox.ts'
import { fits } from './request-book.ts'
import { WireViolation } from './violation.ts'

/** The messages that concern this side. */
export type SendingMessage = Extract<
  KnownMessage,
  { type: 'interested' | 'not-interested' | 'request' | 'cancel' }
>
export type SendingExtension = Extract<
  ExtensionMessage,
  { name: 'share_decline' | 'share_busy' | 'share_expect' | 'share_ack' }
>

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
  readonly #answers: Answers
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
    this.#answers = new Answers(options.outbox)
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
    const waiting = this.#answers.waiting()
    const ended = waiting.filter(({ index, offered }) => !offered && !this.#allowed.has(index))
    return ended.map((request) => this.#answers.cut(request))
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
    this.#offers.add(index, this.#answers.addEager(index, end, block))
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
    return this.#answers.give(index, begin, data)
  }

  /** Rejects what has not left yet of the request that begins at `begin`, or of an eager piece (0). False when there is none any more. */
  reject(index: number, begin: number): boolean {
    const request = this.#answers.find(index, begin)
    if (request === undefined) return false
    this.#answers.cut(request)
    return true
  }

  /** Whether data waits to leave. */
  get ready(): boolean {
    return this.#answers.ready
  }

  /** The next message of data, with at most so many bytes of it. */
  next(most: number): Outgoing | undefined {
    const outgoing = this.#answers.next(most)
    this.#unconfirmed += outgoing?.data?.length ?? 0
    return outgoing
  }

  take(message: SendingMessage): readonly SendingEvent[] {
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

  takeExtension(message: SendingExtension): readonly SendingEvent[] {
    switch (message.name) {
      case 'share_decline':
        return this.#dismissed(message.index) ? [{ type: 'declined', index: message.index }] : []
      case 'share_busy': {
        const { index, milliseconds } = message
        return this.#dismissed(index) ? [{ type: 'busy', index, milliseconds }] : []
      }
      case 'share_expect':
        this.#sizeOf(message.index)
        return [{ type: message.withdrawn ? 'expects-no-more' : 'expects', index: message.index }]
      case 'share_ack':
        if (message.bytes > this.#unconfirmed)
          throw new WireViolation('false-ack', `${message.bytes} bytes of ${this.#unconfirmed}`)
        this.#unconfirmed -= message.bytes
        return [{ type: 'confirmed', bytes: message.bytes }]
    }
  }

  #takeInterest(type: 'interested' | 'not-interested'): readonly SendingEvent[] {
    if (this.#interested === (type === 'interested')) return []
    this.#interested = !this.#interested
    return [{ type }]
  }

  #takeRequest({ index, begin, length }: Span): readonly SendingEvent[] {
    const span = { index, begin, length }
    const size = this.#sizeOf(index)
    if (!fits(span, size))
      throw new WireViolation('out-of-bounds', `bytes ${begin}+${length} of ${size} in piece ${index}`)
    const eager = this.#offers.eager(index)
    if (eager === undefined) return this.#admit(span)
    if (length === size) return this.#accepted(eager)
    // it crossed the eager offer, which its sender then takes as declined
    this.#dismissed(index)
    return [{ type: 'declined', index }, ...this.#admit(span)]
  }

  #accepted(eager: TheirRequest): readonly SendingEvent[] {
    this.#offers.delete(eager.index)
    this.#answers.accept(eager)
    return [{ type: 'accepted', index: eager.index }]
  }

  #admit(span: Span): readonly SendingEvent[] {
    const offered = this.#offers.accept(span.index)
    if (this.#choking && !offered && !this.#allowed.has(span.index)) return this.#refuse(span)
    if (this.#answers.asked >= this.#limit)
      throw new WireViolation('too-many-requests', `more than ${this.#limit} requests`)
    if (this.#answers.overlaps(span))
      throw new WireViolation('overlapping', `bytes of piece ${span.index} that are asked for already`)
    this.#answers.add(span, offered)
    return [{ type: 'requested', ...span, offered }]
  }

  /**
   * Rejects a request that comes while we choke. After a choke, an honest peer's requests are those that were on
   * their way, and one for every answer that was: no more than twice what it may have open.
   */
  #refuse(span: Span): readonly [] {
    this.#refused++
    if (this.#refused > 2 * this.#limit)
      throw new WireViolation('too-many-requests', 'requests in spite of a choke')
    this.#outbox.send({ ...span, type: 'reject' })
    return []
  }

  #takeCancel(span: Span): readonly SendingEvent[] {
    const request = this.#answers.endingWith(span)
    // it may have been answered before the cancel came
    if (request === undefined) return []
    this.#answers.cut(request, span.begin)
    const { index, begin, at, end } = request
    return [{ type: 'shortened', index, begin, length: end - begin, ended: at === end }]
  }

  /** Forgets an offer that was turned down, and what is left of an eager piece. False when there was none. */
  #dismissed(index: number | undefined): boolean {
    const eager = index === undefined ? undefined : this.#offers.eager(index)
    if (eager !== undefined) this.#answers.cut(eager)
    return this.#offers.delete(index)
  }

  #mayOffer(index: number): boolean {
    return !this.#offers.has(index) && !this.#answers.concerns(index) && this.#outbox.speaks('share_offer')
  }

  #sizeOf(index: number): number {
    const size = this.#sizes[index]
    if (size === undefined)
      throw new WireViolation('out-of-bounds', `piece ${index} of ${this.#sizes.length}`)
    return size
  }
}
