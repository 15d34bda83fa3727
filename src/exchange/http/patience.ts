/** Worth a word: most servers begin to answer within a second. */
const SILENCE_MS = 5_000

/** Aborts its signal unless it is extended in time; says once before that it is being tried. */
export class Patience implements Disposable {
  readonly #late = new AbortController()
  #onSilence: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined
  #silence: NodeJS.Timeout | undefined

  constructor(onSilence?: () => void) {
    this.#onSilence = onSilence
  }

  get signal(): AbortSignal {
    return this.#late.signal
  }

  extend(ms: number): void {
    this[Symbol.dispose]()
    this.#timer = setTimeout(() => this.#late.abort(), ms)
    if (this.#onSilence !== undefined) this.#silence = setTimeout(() => this.#say(), SILENCE_MS)
  }

  #say(): void {
    this.#onSilence?.()
    this.#onSilence = undefined
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#silence)
  }
}
