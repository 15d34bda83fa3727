/**
 * What one direction of this node's link can carry, learnt from what it did: the best rate of the last ten seconds.
 * A sample is all the bytes that moved during one transfer over its time, so that several transfers at once count
 * together.
 */
import type { Millis } from '../core/types.ts'

/** Assumed before anything was measured, in bytes a second. */
const FIRST_GUESS = 4_000_000

/** A sample is forgotten after this. */
const MEMORY_MS = 10_000

/** Samples closer than this share an entry. */
const SLOT_MS = 500

/** A shorter transfer says more about timers than about the link. */
const LEAST_MS = 10

/** The beginning of a transfer: when, and what had moved by then. */
export interface Mark {
  readonly at: Millis
  readonly total: number
}

interface Sample {
  readonly at: number
  rate: number
}

export class Capacity {
  #total = 0
  #samples: Sample[] = []
  /** Of the samples; until the first of them is forgotten. */
  #best = 0
  #bestUntil = Number.POSITIVE_INFINITY

  moved(bytes: number): void {
    this.#total += bytes
  }

  mark(now: Millis): Mark {
    return { at: now, total: this.#total }
  }

  /** A transfer that began at the mark has ended; it took no less than `least` ms. */
  sample(since: Mark, now: Millis, least = 0): void {
    const elapsed = Math.max(least, now - since.at)
    if (elapsed < LEAST_MS) return
    const rate = ((this.#total - since.total) * 1000) / elapsed
    const last = this.#samples.at(-1)
    if (last !== undefined && now - last.at < SLOT_MS) last.rate = Math.max(last.rate, rate)
    else this.#samples.push({ at: now, rate })
    this.#best = Math.max(this.#best, rate)
    this.#bestUntil = Math.min(this.#bestUntil, now + MEMORY_MS)
  }

  /** Bytes a second. */
  rate(now: Millis): number {
    if (now > this.#bestUntil) this.#review(now)
    return this.#best || FIRST_GUESS
  }

  /** The newest sample is kept however old it is: an idle link is still the same link. */
  #review(now: Millis): void {
    const oldest = now - MEMORY_MS
    while (this.#samples.length > 1 && (this.#samples[0]?.at ?? now) < oldest) this.#samples.shift()
    this.#bestUntil = (this.#samples[0]?.at ?? now) + MEMORY_MS
    this.#best = 0
    for (const { rate } of this.#samples) this.#best = Math.max(this.#best, rate)
  }
}
