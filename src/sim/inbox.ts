/**
 * What neighbours told a peer unasked, until it looks. A swarm of a thousand tells a hundred million of these, and each
 * alone would find everything that the peer keeps gone from the processor's cache; so a peer reads them together.
 */
import type { SwarmEvent } from '../swarm/events.ts'

/** A queue drops its head when so much was read, and more than is left. */
const LONG = 256

export class Inbox {
  /** In the order in which they come, and at the same time in which they were sent. */
  readonly #events: SwarmEvent[] = []
  readonly #due: number[] = []
  #next = 0

  /** True when nothing comes sooner. */
  put(event: SwarmEvent, due: number): boolean {
    let at = this.#due.length
    // one from further away may have been sent sooner
    while (at > this.#next && (this.#due[at - 1] ?? 0) > due) at--
    if (at === this.#due.length) {
      this.#events.push(event)
      this.#due.push(due)
    } else {
      this.#events.splice(at, 0, event)
      this.#due.splice(at, 0, due)
    }
    return at === this.#next
  }

  /** When the first comes; Infinity when there is none. */
  get due(): number {
    return this.#due[this.#next] ?? Number.POSITIVE_INFINITY
  }

  /** Takes the first that has come by now. */
  take(now: number): SwarmEvent | undefined {
    if (this.due > now) return undefined
    const event = this.#events[this.#next++]
    if (this.#next >= LONG && 2 * this.#next >= this.#due.length) this.#shift()
    return event
  }

  #shift(): void {
    this.#events.splice(0, this.#next)
    this.#due.splice(0, this.#next)
    this.#next = 0
  }
}
