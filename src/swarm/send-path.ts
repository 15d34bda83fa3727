/**
 * What is measured of a way that bytes take to somebody who confirms them: the best rate and the least delay of the
 * last seconds, and from them how many bytes fill it. A rate is measured as BBR measures it (Cardwell and others 2016):
 * what was delivered between the sending of a frame and its confirmation, over the longer of the time in which that
 * was sent and the time in which it arrived; so neither a pause of ours nor a burst of confirmations counts as speed.
 */
import { type Millis, millis } from '../core/types.ts'

/** Fills a path whose rate has grown since it was measured, and so lets it show. */
const GAIN = 1.25

/** What is sent over that: confirmations are gathered, and processes are busy with other things. */
const SLACK_MS = 40

/** The least: two frames of 16 KiB, or a slow peer would wait for the confirmation of each. */
const LEAST_SLACK = 32 << 10

/** The most: here the rate is that of a machine, not of a network, and it is memory that is bounded. */
const MOST_SLACK = 2 << 20

/** Where nothing is measured yet. */
const FIRST_BOUND = 256 << 10

/** The best rate and the least delay are those of one to two such spans. */
const SPAN_MS = 5_000

/** What had been delivered, and when, as a frame was sent. */
export interface Mark {
  readonly delivered: number
  readonly deliveredAt: Millis
  readonly firstSentAt: Millis
}

export class SendPath {
  readonly #rate = new Extreme(Math.max)
  readonly #delay = new Extreme(Math.min)
  #delivered = 0
  #deliveredAt = millis(0)
  #firstSentAt = millis(0)
  #inFlight = 0

  /** Bytes sent and not confirmed. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Bytes a millisecond. */
  get rate(): number | undefined {
    return this.#rate.value
  }

  /** Milliseconds from sending to confirmation. */
  get delay(): number | undefined {
    return this.#delay.value
  }

  /** Bytes that may be in flight, with this delay or with another. */
  bound(delay = this.delay): number {
    const { rate } = this
    if (rate === undefined || delay === undefined) return FIRST_BOUND
    return GAIN * rate * delay + Math.min(MOST_SLACK, Math.max(LEAST_SLACK, rate * SLACK_MS))
  }

  sent(bytes: number, now: Millis): Mark {
    if (this.#inFlight === 0) {
      this.#firstSentAt = now
      this.#deliveredAt = now
    }
    this.#inFlight += bytes
    return { delivered: this.#delivered, deliveredAt: this.#deliveredAt, firstSentAt: this.#firstSentAt }
  }

  confirmed(bytes: number, now: Millis): void {
    this.#inFlight -= bytes
    this.#delivered += bytes
    this.#deliveredAt = now
  }

  /** These bytes will not be confirmed, or not soon. A negative number: they count again. */
  forget(bytes: number): void {
    this.#inFlight -= bytes
  }

  /** Measures by the newest of the frames that were confirmed just now. */
  measure(mark: Mark, sentAt: Millis, now: Millis): void {
    this.#delay.add(now - sentAt, now)
    this.#firstSentAt = sentAt
    const took = Math.max(sentAt - mark.firstSentAt, now - mark.deliveredAt)
    // what came in less than a delay came as one
    if (took >= Math.max(1, this.delay ?? 0)) this.#rate.add((this.#delivered - mark.delivered) / took, now)
  }
}

/** The best of the values of the last one to two spans. */
class Extreme {
  readonly #best: (a: number, b: number) => number
  #present: number | undefined
  #past: number | undefined
  #since: Millis | undefined

  constructor(best: (a: number, b: number) => number) {
    this.#best = best
  }

  get value(): number | undefined {
    if (this.#present === undefined || this.#past === undefined) return this.#present ?? this.#past
    return this.#best(this.#present, this.#past)
  }

  add(value: number, now: Millis): void {
    this.#since ??= now
    if (now - this.#since >= SPAN_MS) {
      this.#past = this.#present
      this.#present = undefined
      this.#since = now
    }
    this.#present = this.#present === undefined ? value : this.#best(this.#present, value)
  }
}
