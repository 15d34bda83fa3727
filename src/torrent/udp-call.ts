/**
 * One announce over UDP (BEP 15), without the socket: which packet goes out, and when again. A packet that is not answered is
 * sent again after 15 s, 30 s, 60 s and so on; an id of the connection older than a minute is asked for anew. Packets that
 * answer nothing of ours are passed over: anybody can send one.
 */
import type { Family } from '../core/endpoint.ts'
import type { Prng } from '../core/prng.ts'
import { type Millis, millis } from '../core/types.ts'
import { type AnnounceAnswer, type AnnounceRequest, saneInterval, TrackerError } from './announce.ts'
import { decodeUdpAnswer, encodeAnnounce, encodeConnect, type UdpAnswer } from './udp-packets.ts'

const FIRST_WAIT_MS = 15_000
/** Packets to a tracker that is silent; the last is waited for four minutes. BEP 15 would go on to eight, which takes two hours. */
const MOST_PACKETS = 5
const CONNECTION_MS = 60_000

export interface UdpTracker {
  readonly family: Family
  /** Of its URL, with the query. */
  readonly path: string
}

/** What to do next: send a packet; or the call is over. */
export type UdpStep =
  | { readonly type: 'send'; readonly packet: Uint8Array }
  | { readonly type: 'done'; readonly answer: AnnounceAnswer }
  | { readonly type: 'failed'; readonly error: TrackerError }

export class UdpCall {
  readonly #tracker: UdpTracker
  readonly #request: AnnounceRequest
  /** Unpredictable from outside: it is what tells an answer from a forgery. */
  readonly #numbers: Prng
  #transaction = 0
  #connection: { readonly id: bigint; readonly until: Millis } | undefined
  #sent = 0
  #due: Millis
  #over = false

  constructor(tracker: UdpTracker, request: AnnounceRequest, numbers: Prng, now: Millis) {
    this.#tracker = tracker
    this.#request = request
    this.#numbers = numbers
    this.#due = now
  }

  /** When `tick` has something to do; undefined when the call is over. */
  get due(): Millis | undefined {
    return this.#over ? undefined : this.#due
  }

  /** Call it when `due` is reached, the first time at once. */
  tick(now: Millis): UdpStep | undefined {
    if (this.#over || now < this.#due) return undefined
    if (this.#sent < MOST_PACKETS) return this.#send(now)
    this.#over = true
    return { type: 'failed', error: new TrackerError('silent', 'the tracker does not answer') }
  }

  /** A packet from the tracker's address. */
  received(packet: Uint8Array, now: Millis): UdpStep | undefined {
    const answer = this.#over || this.#sent === 0 ? undefined : this.#answerIn(packet)
    if (answer?.transaction !== this.#transaction) return undefined
    switch (answer.type) {
      case 'error':
        this.#over = true
        return { type: 'failed', error: new TrackerError('refused', answer.message) }
      case 'connected':
        if (this.#connection !== undefined) return undefined
        this.#connection = { id: answer.connection, until: millis(now + CONNECTION_MS) }
        this.#sent = 0
        return this.#send(now)
      case 'announced':
        if (this.#connection === undefined) return undefined
        this.#over = true
        return { type: 'done', answer: answerOf(answer) }
    }
  }

  #send(now: Millis): UdpStep {
    if (this.#connection !== undefined && now >= this.#connection.until) this.#connection = undefined
    this.#transaction = this.#numbers.below(2 ** 32)
    this.#due = millis(now + FIRST_WAIT_MS * 2 ** this.#sent)
    this.#sent++
    const packet =
      this.#connection === undefined
        ? encodeConnect(this.#transaction)
        : encodeAnnounce(this.#connection.id, this.#transaction, this.#request, this.#tracker.path)
    return { type: 'send', packet }
  }

  #answerIn(packet: Uint8Array): UdpAnswer | undefined {
    try {
      return decodeUdpAnswer(packet, this.#tracker.family)
    } catch (thrown) {
      if (thrown instanceof TrackerError) return undefined
      throw thrown
    }
  }
}

function answerOf({
  interval,
  peers,
  seeders,
  leechers,
}: Extract<UdpAnswer, { type: 'announced' }>): AnnounceAnswer {
  const sane = saneInterval(interval)
  return {
    interval: sane,
    minInterval: sane,
    peers,
    seeders,
    leechers,
    warning: undefined,
    trackerId: undefined,
  }
}
