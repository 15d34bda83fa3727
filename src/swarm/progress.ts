/** How one transfer goes: bytes, and the rate between the first of them and the last. */
import type { Millis } from '../core/types.ts'

export class Progress {
  readonly since: Millis
  bytes = 0
  lastAt: Millis
  #firstAt: Millis | undefined
  #firstBytes = 0

  constructor(now: Millis) {
    this.since = now
    this.lastAt = now
  }

  add(bytes: number, now: Millis): void {
    this.bytes += bytes
    this.lastAt = now
    if (this.#firstAt !== undefined) return
    this.#firstAt = now
    this.#firstBytes = bytes
  }

  get started(): boolean {
    return this.#firstAt !== undefined
  }

  /** Bytes a second; undefined until two parts have come at different times. */
  get rate(): number | undefined {
    if (this.#firstAt === undefined || this.lastAt <= this.#firstAt) return undefined
    return ((this.bytes - this.#firstBytes) * 1000) / (this.lastAt - this.#firstAt)
  }

  /** Bytes that have probably moved by now, part of which nobody has told of yet. */
  expected(now: Millis): number {
    return this.bytes + ((this.rate ?? 0) * (now - this.lastAt)) / 1000
  }
}
