/** How fast something comes, over the last seconds, and when it will be here. */

/** In ms: long enough to be read, short enough to be true. */
const WINDOW_MS = 5000

export class Speed {
  readonly #samples: { readonly at: number; readonly bytes: number }[] = []

  /** @param at ms on a clock that only goes on; @param bytes in all */
  sample(at: number, bytes: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && bytes < last.bytes) this.#samples.length = 0
    this.#samples.push({ at, bytes })
    while ((this.#samples[1]?.at ?? at) <= at - WINDOW_MS) this.#samples.shift()
  }

  /** It has stopped: what comes next is not measured together with what came. */
  forget(): void {
    this.#samples.length = 0
  }

  /** Bytes a second; undefined while nothing can be said. */
  get rate(): number | undefined {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.at - first.at < 500) return undefined
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at)
  }
}
