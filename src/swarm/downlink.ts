/**
 * What is on its way to this node, over all swarms and peers, and whether its downlink takes more. A piece that would
 * only make the others slower is put off (busy), so that its sender serves somebody else meanwhile.
 */
import type { Millis } from '../core/types.ts'
import { Capacity, type Mark } from './capacity.ts'
import type { Source } from './incoming-piece.ts'

/** Incoming rates may add up to this much of the estimate: senders are not always as fast as they say. */
const OVERBOOKED = 2

/** A transfer that ends this soon after the new one could start is not in its way. */
const SLACK_MS = 30

interface Booking {
  readonly ends: number
  readonly rate: number
}

export class Downlink {
  readonly #capacity = new Capacity()
  readonly #sources = new Set<Source>()

  get busySources(): number {
    return this.#sources.size
  }

  rate(now: Millis): number {
    return this.#capacity.rate(now)
  }

  mark(now: Millis): Mark {
    return this.#capacity.mark(now)
  }

  arrived(bytes: number): void {
    this.#capacity.moved(bytes)
  }

  add(source: Source): void {
    this.#sources.add(source)
  }

  /** The source will send no more. */
  remove(source: Source, now: Millis): void {
    if (this.#sources.delete(source) && source.progress.started) this.#capacity.sample(source.mark, now)
  }

  *[Symbol.iterator](): Generator<Source> {
    yield* this.#sources
  }

  /** Bytes a second that come in now. */
  load(): number {
    let load = 0
    for (const source of this.#sources) if (source.progress.started) load += source.rate
    return load
  }

  /** How many ms after `startsAt` a transfer would fit beside the others; 0 when it does at once. */
  wait(startsAt: number, now: Millis): number {
    const limit = OVERBOOKED * this.rate(now)
    const bookings = this.#bookings(startsAt, now)
    let sum = 0
    for (const { rate } of bookings) sum += rate
    if (sum <= limit) return 0
    bookings.sort((a, b) => a.ends - b.ends)
    for (const { ends, rate } of bookings) {
      sum -= rate
      if (sum <= limit) return ends - startsAt
    }
    return 0
  }

  #bookings(startsAt: number, now: Millis): Booking[] {
    const most = this.rate(now)
    const bookings: Booking[] = []
    for (const source of this.#sources) {
      if (!source.peer.reliable) continue
      const rate = Math.max(1, source.progress.rate ?? Math.min(source.announced, most))
      const from = source.progress.started ? now : Math.max(source.startsAt, now)
      const left = source.end - source.begin - source.progress.expected(now)
      const ends = from + (Math.max(0, left) * 1000) / rate
      if (ends > startsAt + SLACK_MS) bookings.push({ ends, rate })
    }
    return bookings
  }
}
