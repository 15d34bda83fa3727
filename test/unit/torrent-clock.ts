/** A clock that a test moves on. */
import type { Millis } from '../../src/core/types.ts'
import { millis } from '../../src/core/types.ts'
import type { Clock } from '../../src/torrent/discovery/clock.ts'

export class TestClock implements Clock {
  #now = 0
  readonly #planned = new Set<{ at: number; work: () => void }>()

  now(): Millis {
    return millis(this.#now)
  }

  after(ms: number, work: () => void): () => void {
    const planned = { at: this.#now + ms, work }
    this.#planned.add(planned)
    return () => this.#planned.delete(planned)
  }

  /** Does what falls due on the way, in order, and lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settled()
      const [next] = [...this.#planned].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#planned.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.work()
    }
    this.#now = end
    await settled()
  }
}

/** The time of this machine. */
export const SYSTEM_CLOCK: Clock = {
  now: () => millis(performance.now()),
  after: (ms, work) => {
    const timer = setTimeout(work, ms)
    return () => clearTimeout(timer)
  },
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
