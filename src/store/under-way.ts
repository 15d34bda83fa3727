/** Work that has begun and not ended: whoever closes what it works on waits for it. */
export class UnderWay {
  readonly #work = new Set<Promise<unknown>>()

  /** Gives the work back as it is. */
  track<T>(work: Promise<T>): Promise<T> {
    const settled = work.then(
      () => undefined,
      () => undefined,
    )
    this.#work.add(settled)
    void settled.then(() => this.#work.delete(settled))
    return work
  }

  /** Resolves when all that has begun by now has ended, one way or the other. */
  async settle(): Promise<void> {
    await Promise.all(this.#work)
  }
}
