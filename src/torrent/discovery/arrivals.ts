/** How many datagrams are looked at: of everybody together, and of each address. What is more is dropped unread. */
import type { Millis } from '../../core/types.ts'

export interface ArrivalLimits {
  /** A second, on average; twice that at once. */
  readonly all: number
  readonly each: number
}

/** Addresses remembered; forging more of them makes room for the forger alone. */
const MOST_ADDRESSES = 4096

export class Arrivals {
  readonly #limits: ArrivalLimits
  readonly #all: Bucket
  /** In the order in which they were last heard. */
  readonly #each = new Map<string, Bucket>()

  constructor(limits: ArrivalLimits, now: Millis) {
    this.#limits = limits
    this.#all = new Bucket(limits.all, now)
  }

  admits(address: string, now: Millis): boolean {
    const bucket = this.#each.get(address) ?? new Bucket(this.#limits.each, now)
    this.#each.delete(address)
    this.#each.set(address, bucket)
    if (this.#each.size > MOST_ADDRESSES) this.#each.delete(this.#each.keys().next().value ?? '')
    // one that sends too much takes nothing from the others
    return bucket.take(now) && this.#all.take(now)
  }
}

class Bucket {
  readonly #rate: number
  #tokens: number
  #at: Millis

  constructor(rate: number, now: Millis) {
    this.#rate = rate
    this.#tokens = 2 * rate
    this.#at = now
  }

  take(now: Millis): boolean {
    this.#tokens = Math.min(2 * this.#rate, this.#tokens + ((now - this.#at) / 1000) * this.#rate)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
