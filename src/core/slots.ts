/** Runs at most `count` jobs at once; the others wait in the order they came. */
export class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await job()
    } finally {
      // a slot passes straight to the next in line, so that nobody overtakes
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
