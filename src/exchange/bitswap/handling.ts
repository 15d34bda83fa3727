/** The messages of one stream, handled in their order, while those behind them come in and are got ready. */
import { asError } from '../../core/errors.ts'
import type { MemoryGate } from './memory-gate.ts'

export class Handling {
  readonly #gate: MemoryGate
  readonly #abort: (reason: Error) => void
  #last: Promise<void> = Promise.resolve()
  #failure: Error | undefined

  /** @param abort ends the reading, because a message could not be handled */
  constructor(gate: MemoryGate, abort: (reason: Error) => void) {
    this.#gate = gate
    this.#abort = abort
  }

  /** Handles a message of so many bytes as soon as it is ready and those before it are done. */
  next<T>(bytes: number, ready: Promise<T>, handle: (message: T) => Promise<void>): Promise<void> {
    this.#gate.hold(bytes)
    this.#last = Promise.all([ready, this.#last])
      .then(([message]) => handle(message))
      .finally(() => this.#gate.release(bytes))
    this.#last.catch((thrown: unknown) => this.#fail(asError(thrown)))
    return this.#last
  }

  /** Until all is read and handled. @throws what a message could not be handled for, or the reading's own error */
  async whole(reading: Promise<void>): Promise<void> {
    try {
      await reading
      await this.#last
    } catch (thrown) {
      throw this.#failure ?? thrown
    }
  }

  #fail(reason: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = reason
    this.#abort(reason)
  }
}
