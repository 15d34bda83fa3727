/**
 * Virtual time and what is to happen in it: a binary heap of timers that know their place in it, so a flow whose
 * rate changes moves its one timer. Timers of the same instant fire in the order in which they were set.
 */
import { type Millis, millis } from '../core/types.ts'

export interface Timer {
  at: number
  /** Breaks ties. */
  order: number
  /** Index in the heap, -1 when it is not due. */
  position: number
  readonly fire: () => void
}

export class Clock {
  now: Millis = millis(0)
  /** Timers fired so far. */
  fired = 0
  readonly #heap: Timer[] = []
  #order = 0

  /** Fires `delay` ms from now. */
  after(delay: number, fire: () => void): Timer {
    return this.at(this.now + delay, fire)
  }

  /** Fires at that time; the past counts as now. */
  at(at: number, fire: () => void): Timer {
    const timer = this.idle(fire)
    this.move(timer, at)
    return timer
  }

  /** A timer that is not due until it is moved. */
  idle(fire: () => void): Timer {
    return { at: Number.POSITIVE_INFINITY, order: 0, position: -1, fire }
  }

  /** Makes the timer due at `at` instead of when it was, if it was. */
  move(timer: Timer, at: number): void {
    timer.at = Math.max(at, this.now)
    timer.order = this.#order++
    if (timer.position < 0) {
      timer.position = this.#heap.length
      this.#heap.push(timer)
    }
    this.#sink(this.#rise(timer))
  }

  cancel(timer: Timer | undefined): void {
    if (timer === undefined || timer.position < 0) return
    const hole = timer.position
    timer.position = -1
    const last = this.#heap.pop()
    if (last === undefined || last === timer) return
    this.#put(last, hole)
    this.#sink(this.#rise(last))
  }

  /** Fires the next timer; false when none is due. */
  step(): boolean {
    const timer = this.#heap[0]
    if (timer === undefined) return false
    this.cancel(timer)
    this.now = millis(timer.at)
    this.fired++
    timer.fire()
    return true
  }

  #rise(timer: Timer): Timer {
    let position = timer.position
    while (position > 0) {
      const parent = (position - 1) >> 1
      const above = this.#heap[parent]
      if (above === undefined || !isBefore(timer, above)) break
      this.#put(above, position)
      position = parent
    }
    this.#put(timer, position)
    return timer
  }

  #sink(timer: Timer): void {
    let position = timer.position
    for (;;) {
      const left = 2 * position + 1
      let child = this.#heap[left]
      const other = this.#heap[left + 1]
      if (child === undefined) break
      if (other !== undefined && isBefore(other, child)) child = other
      if (!isBefore(child, timer)) break
      const below = child.position
      this.#put(child, position)
      position = below
    }
    this.#put(timer, position)
  }

  #put(timer: Timer, position: number): void {
    this.#heap[position] = timer
    timer.position = position
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
