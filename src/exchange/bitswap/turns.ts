/**
 * The turns of one stream of blocks among all that leaves. Bitswap confirms nothing, so what counts as on its way is
 * what the stream has not taken yet.
 */
import type { Uint8ArrayList } from 'uint8arraylist'
import type { RootKey } from '../../core/types.ts'
import type { Outflow, Outlet, Writer } from '../outflow.ts'

interface Asking {
  readonly bytes: number
  grant(bytes: number): void
}

export class Turns implements Writer {
  readonly confirms = false
  root: RootKey | undefined
  readonly #outlet: Outlet
  readonly #signal: AbortSignal
  #asking: Asking | undefined

  constructor(outflow: Outflow, signal: AbortSignal) {
    this.#signal = signal
    this.#outlet = outflow.join(this)
  }

  end(): void {
    this.#outlet.close()
  }

  write(most: number): number {
    const asking = this.#asking
    if (asking === undefined) return 0
    this.#asking = undefined
    const bytes = Math.min(most, asking.bytes)
    asking.grant(bytes)
    return bytes
  }

  /** A message in slices; the next is asked for once the stream has taken one. Throws when the lane is closed meanwhile: what is half sent cannot be ended in order. */
  async *slices(message: Uint8ArrayList, root: RootKey | undefined): AsyncGenerator<Uint8ArrayList> {
    this.root = root
    let at = 0
    while (at < message.byteLength) {
      const bytes = await this.#turn(message.byteLength - at)
      yield message.sublist(at, at + bytes)
      this.#outlet.confirmed(bytes)
      at += bytes
    }
  }

  async #turn(bytes: number): Promise<number> {
    this.#signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const onClosing = (): void => reject(this.#signal.reason)
    this.#signal.addEventListener('abort', onClosing)
    try {
      this.#asking = { bytes, grant: resolve }
      this.#outlet.wake()
      return await promise
    } finally {
      this.#asking = undefined
      this.#signal.removeEventListener('abort', onClosing)
    }
  }
}
