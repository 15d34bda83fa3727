/**
 * Jobs that come fast are handed on four at once, as many as are hashed side by side: that takes less time than one after the other.
 * One that comes alone is handed on alone.
 */
import { LANES } from './lane-code.ts'

/** Jobs come fast when four come within this, in ms; and so long one waits at most. */
const FAST_MS = 50

export class Gathering<J> {
  readonly #handOn: (jobs: readonly J[]) => void
  readonly #waiting: J[] = []
  /** When the last four came, the oldest first. */
  readonly #came: number[] = Array(LANES).fill(Number.NEGATIVE_INFINITY)
  #timer: NodeJS.Timeout | undefined

  /** @param handOn is given one to four jobs, in the order in which they came */
  constructor(handOn: (jobs: readonly J[]) => void) {
    this.#handOn = handOn
  }

  /** @param waits whether it is worth to wait for others like it */
  add(job: J, waits: boolean): void {
    this.#waiting.push(job)
    this.#came.push(performance.now())
    this.#came.shift()
    if (this.#waiting.length === LANES || !waits) this.#end()
    else this.#timer ??= setTimeout(() => this.#end(), this.#isFast() ? FAST_MS : 0)
  }

  #isFast(): boolean {
    const [first = 0, last = 0] = [this.#came[0], this.#came.at(-1)]
    return last - first < FAST_MS
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#handOn(this.#waiting.splice(0))
  }
}
