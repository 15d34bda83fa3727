/**
 * One token bucket for every wire. A debt is allowed: whoever takes is let through at once when the bucket
 * is not in debt and waits its debt out otherwise, so a frame larger than the bucket still passes.
 */
import { type Millis, millis } from '../core/types.ts'

/** What may be saved up while idle, in seconds of the rate; at least a small frame. */
const BURST_SECONDS = 0.25
const LEAST_BURST = 16 << 10

/** Requests bring in so many seconds' worth at a time. */
const STEP_SECONDS = 0.1

export class Limiter {
  #rate = 0
  #tokens = 0
  #at: Millis = millis(0)

  /** Bytes a second; 0 is unlimited. */
  get rate(): number {
    return this.#rate
  }

  setRate(rate: number, now: Millis): void {
    this.#refill(now)
    this.#rate = rate
    this.#tokens = Math.min(this.#tokens, this.#burst)
  }

  get unlimited(): boolean {
    return this.#rate === 0
  }

  /** Bytes that should be let through at once where so many take turns: what comes in a moment, and a small frame at least. Infinity without a limit. */
  step(turns: number): number {
    if (this.#rate === 0) return Number.POSITIVE_INFINITY
    return Math.max(1, Math.round((this.#rate * STEP_SECONDS) / turns / LEAST_BURST)) * LEAST_BURST
  }

  /** Whether something may go now. */
  ready(now: Millis): boolean {
    return this.waits(now) === 0
  }

  /** Milliseconds until something may go. */
  waits(now: Millis): number {
    if (this.#rate === 0) return 0
    this.#refill(now)
    // less than a byte of debt is rounding
    return this.#tokens > -1 ? 0 : Math.ceil((-this.#tokens * 1000) / this.#rate)
  }

  /** What did go, whether it waited or not. */
  charge(bytes: number, now: Millis): void {
    if (this.#rate === 0) return
    this.#refill(now)
    this.#tokens -= bytes
  }

  get #burst(): number {
    return Math.max(this.#rate * BURST_SECONDS, LEAST_BURST)
  }

  #refill(now: Millis): void {
    const elapsed = Math.max(0, now - this.#at)
    this.#at = now
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsed * this.#rate) / 1000)
  }
}
