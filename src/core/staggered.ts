/**
 * Attempts of which one is enough, begun one after the other: the next when those before have failed, or have had their time.
 * The first that succeeds ends the others ("happy eyeballs", RFC 8305), so one that leads nowhere costs a moment, and those
 * that would not have been needed are mostly never begun. The time comes from outside.
 */
export interface Attempts<A, T> {
  /** Ends with an error when the signal does. */
  attempt(what: A, signal: AbortSignal): Promise<T>
  /** How long an attempt waits for those before it, in ms. */
  readonly patience: (what: A) => number
  /** At the same time. */
  readonly most: number
  readonly signal: AbortSignal
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

/** @throws what the only one threw; AggregateError of what each threw */
export async function staggered<A, T>(all: readonly A[], how: Attempts<A, T>): Promise<T> {
  const race = new Race(how)
  for (const what of all) {
    await race.turnOf(what)
    if (race.isOver) break
    race.begin(what)
  }
  return race.end()
}

class Race<A, T> {
  readonly #how: Attempts<A, T>
  readonly #decided = new AbortController()
  readonly #signal: AbortSignal
  readonly #underWay = new Set<Promise<void>>()
  readonly #won: T[] = []
  readonly #errors: unknown[] = []

  constructor(how: Attempts<A, T>) {
    this.#how = how
    this.#signal = AbortSignal.any([how.signal, this.#decided.signal])
  }

  get isOver(): boolean {
    return this.#won.length > 0 || this.#how.signal.aborted
  }

  /** Until those before have failed, or had their time and left room for one more. */
  async turnOf(what: A): Promise<void> {
    if (this.#underWay.size === 0) return
    const { patience, sleep, most } = this.#how
    let isDue = false
    const pause = sleep(patience(what), this.#signal).then(
      () => {
        isDue = true
      },
      () => undefined,
    )
    while (!this.isOver && this.#underWay.size > 0 && (!isDue || this.#underWay.size >= most))
      await Promise.race(isDue ? this.#underWay : [pause, ...this.#underWay])
  }

  begin(what: A): void {
    const attempt = this.#how
      .attempt(what, this.#signal)
      .then(
        (value) => void this.#won.push(value),
        (thrown: unknown) => void this.#errors.push(thrown),
      )
      .finally(() => this.#underWay.delete(attempt))
    this.#underWay.add(attempt)
  }

  async end(): Promise<T> {
    while (this.#won.length === 0 && this.#underWay.size > 0) await Promise.race(this.#underWay)
    this.#decided.abort()
    if (this.#won.length > 0) return this.#won[0] as T
    if (this.#errors.length === 1) throw this.#errors[0]
    throw new AggregateError(this.#errors, 'none of the attempts came to something')
  }
}
