/** Counts bytes that were received and are not stored yet, and closes when a slow disk lets them pile up. */
import type { Gate } from './streams.ts'

/** Closed above the first, open again below the second; a few large pieces of every busy peer fit. */
const MOST_HELD = 32 << 20
const ENOUGH_FREED = 16 << 20

export class MemoryGate implements Gate {
  #held = 0
  #waiting: Promise<void> | undefined
  #open = (): void => {}

  hold(bytes: number): void {
    this.#held += bytes
    if (this.#held <= MOST_HELD || this.#waiting !== undefined) return
    this.#waiting = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  release(bytes: number): void {
    this.#held -= bytes
    if (this.#held > ENOUGH_FREED) return
    this.#waiting = undefined
    this.#open()
  }

  pass(): Promise<void> | undefined {
    return this.#waiting
  }
}
