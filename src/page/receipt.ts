/**
 * One file on its way: asked for, checked, stored; paused and resumed; and asked for again from where it stopped, for as
 * long as the connection is lost.
 */
import type { ShareError } from '../core/errors.ts'
import { checkedBytes } from './checked-file.ts'
import { Lost, type Remote } from './remote.ts'
import type { SharedFile } from './shared-files.ts'
import type { Sink } from './sink.ts'
import { errorOf } from './words.ts'

/**
 * `idle` nothing yet; `receiving`; `lost` waits to try again; `paused` by the user, or by an error that may pass;
 * `saving` all is here; `saved`; `refused` what came is not what the link names.
 */
export type Phase = 'idle' | 'receiving' | 'lost' | 'paused' | 'saving' | 'saved' | 'refused'

/** Ms until it is tried again, the first time and so on; the last one from then on. */
const RETRY_MS = [500, 1000, 2000, 4000, 8000, 15_000] as const

/** What was wrong at the node, and may be right later. */
const MAY_PASS: ReadonlySet<ShareError['code']> = new Set(['BAD_CONTENT', 'VERIFICATION_FAILED'])

export class Receipt {
  readonly file: SharedFile
  readonly #remote: Pick<Remote, 'blocks'>
  readonly #onChange: () => void
  #sink: Sink | undefined
  #phase: Phase = 'idle'
  #stopping = new AbortController()
  /** Why it is paused or refused, where the user did not do it. */
  error: ShareError | undefined

  constructor(file: SharedFile, remote: Pick<Remote, 'blocks'>, onChange: () => void) {
    this.file = file
    this.#remote = remote
    this.#onChange = onChange
  }

  get phase(): Phase {
    return this.#phase
  }

  /** Bytes that are here, checked. */
  get received(): number {
    return this.#phase === 'saved' ? this.file.size : (this.#sink?.at ?? 0)
  }

  /** Goes on where the sink ends; resolves when it has come to rest. */
  async receive(sink: Sink | undefined = this.#sink): Promise<void> {
    if (sink === undefined) throw new RangeError('nowhere to put it')
    this.#sink = sink
    this.#stopping = new AbortController()
    this.error = undefined
    this.#become('receiving')
    try {
      await this.#untilHere(sink, this.#stopping.signal)
      this.#become('saving')
      await sink.finish()
      this.#become('saved')
    } catch (thrown) {
      await this.#rest(sink, thrown)
    }
  }

  pause(): void {
    this.#stopping.abort()
  }

  /** Deletes what is here; it can be begun again. */
  async discard(): Promise<void> {
    const sink = this.#sink
    this.#sink = undefined
    this.error = undefined
    this.#become('idle')
    await sink?.discard()
  }

  /** Over as many connections as it takes. Each one that brings something makes the next one come soon. */
  async #untilHere(sink: Sink, signal: AbortSignal): Promise<void> {
    for (let tries = 0; ; tries++) {
      const before = sink.at
      try {
        for await (const bytes of checkedBytes(this.file, sink.at, this.#remote, signal)) {
          signal.throwIfAborted()
          if (this.#phase === 'lost') this.#become('receiving')
          await sink.write(bytes)
        }
        return
      } catch (thrown) {
        signal.throwIfAborted()
        if (!(thrown instanceof Lost)) throw thrown
        if (sink.at > before) tries = 0
        this.#become('lost')
        await delay(RETRY_MS[tries] ?? RETRY_MS[RETRY_MS.length - 1] ?? 0, signal)
      }
    }
  }

  async #rest(sink: Sink, thrown: unknown): Promise<void> {
    const aborted = this.#stopping.signal.aborted
    const error = aborted ? undefined : errorOf(thrown)
    await sink.flush().catch(() => {})
    this.error = error
    this.#become(error !== undefined && MAY_PASS.has(error.code) ? 'refused' : 'paused')
  }

  #become(phase: Phase): void {
    this.#phase = phase
    this.#onChange()
  }
}

/** Ends sooner when the browser finds its network again. */
function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => (): void => {
      clearTimeout(timer)
      globalThis.removeEventListener?.('online', back)
      signal.removeEventListener('abort', aborted)
      settle()
    }
    const back = end(resolve)
    const aborted = end(() => reject(signal.reason))
    const timer = setTimeout(back, ms)
    globalThis.addEventListener?.('online', back)
    signal.addEventListener('abort', aborted)
  })
}
