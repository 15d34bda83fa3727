/** Bytes a second over a sliding window, in fixed slots. */
import type { Millis } from '../core/types.ts'

/** Slot length and count: a window of five seconds smooths bursts and still follows a change. */
const SLOT_MS = 500
const SLOTS = 10

export class RateMeter {
  readonly #slots = Array<number>(SLOTS).fill(0)
  #current = 0
  #first: number | undefined
  total = 0

  add(bytes: number, now: Millis): void {
    this.#advance(now)
    const at = this.#current % SLOTS
    this.#slots[at] = (this.#slots[at] ?? 0) + bytes
    this.total += bytes
  }

  /** Over the window, or over the time since the first byte when that is shorter (a slot at least). */
  rate(now: Millis): number {
    if (this.#first === undefined) return 0
    this.#advance(now)
    let bytes = 0
    for (const slot of this.#slots) bytes += slot
    const whole = SLOTS * SLOT_MS - (SLOT_MS - (now % SLOT_MS))
    const elapsed = Math.min(whole, Math.max(now - this.#first, SLOT_MS))
    return (bytes * 1000) / elapsed
  }

  #advance(now: Millis): void {
    const slot = Math.floor(now / SLOT_MS)
    if (this.#first === undefined) {
      this.#first = now
      this.#current = slot
    }
    if (slot - this.#current >= SLOTS) this.#slots.fill(0)
    else for (let at = this.#current + 1; at <= slot; at++) this.#slots[at % SLOTS] = 0
    this.#current = Math.max(slot, this.#current)
  }
}
