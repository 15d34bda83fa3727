/**
 * One long-lived outbound stream, opened when there is something to send and again after it broke. What to
 * send is asked for when the stream can take it, so nothing is encoded or read from disk before its turn.
 */
import type { Stream } from '@libp2p/interface'
import { pipe } from 'it-pipe'
import { type Millis, millis } from '../../core/types.ts'
import type { Limiter } from '../../swarm/limiter.ts'
import { frameLength } from './framing.ts'
import { streamSink } from './streams.ts'

/** A message ready to be written: the parts of one frame, and what to do once the stream has taken them. */
export interface Outbound {
  readonly parts: readonly Uint8Array[]
  sent(): void
}

export interface LaneOptions {
  open(signal: AbortSignal): Promise<Stream>
  /** The next message, or undefined while there is none; `wake` says when to ask again. */
  next(stream: Stream): Promise<Outbound | undefined> | Outbound | undefined
  /** The stream broke or could not be opened; what was handed over may not have arrived. */
  broke(error: Error): void
  readonly limiter: Limiter
  readonly now: () => Millis
}

/** While limited, frames are cut so small that the link is never taken for longer than it was granted. */
const PACED_SLICE = 64 << 10

/** libp2p closes streams that rest for two minutes; ours rest as long as their peer stays. */
const REST_MS = 24 * 60 * 60 * 1000

type LaneState = 'idle' | 'running' | 'closed'

export class Lane {
  readonly #options: LaneOptions
  readonly #closing = new AbortController()
  #state: LaneState = 'idle'
  #wake = (): void => {}

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** There is something to send. */
  wake(): void {
    if (this.#state === 'running') this.#wake()
    else if (this.#state === 'idle') this.#start()
  }

  /** A stream that takes no more is aborted, one that does is closed. */
  close(): void {
    this.#state = 'closed'
    this.#closing.abort()
    this.#wake()
  }

  #start(): void {
    this.#state = 'running'
    this.#run().catch((error: unknown) => {
      if (this.#state === 'closed') return
      this.#state = 'idle'
      this.#options.broke(error instanceof Error ? error : new Error(String(error)))
    })
  }

  async #run(): Promise<void> {
    const stream = await this.#options.open(this.#closing.signal)
    stream.inactivityTimeout = REST_MS
    const onClose = (): void => this.#wake()
    stream.addEventListener('close', onClose)
    try {
      await pipe(
        () => this.#messages(stream),
        (messages) => this.#frames(messages),
        streamSink(stream, this.#closing.signal),
      )
      await stream.close()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  async *#messages(stream: Stream): AsyncGenerator<Outbound> {
    while (this.#state === 'running') {
      if (stream.writeStatus !== 'writable') throw new Error('the stream was closed')
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      const message = await this.#options.next(stream)
      if (message === undefined) await woken
      else yield message
    }
  }

  /** A message counts as sent when the stream asks for what follows it: by then it has drained. */
  async *#frames(messages: AsyncIterable<Outbound>): AsyncGenerator<Uint8Array> {
    for await (const { parts, sent } of messages) {
      const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
      yield frameLength(bytes)
      for (const part of parts) yield* this.#paced(part)
      sent()
    }
  }

  async *#paced(part: Uint8Array): AsyncGenerator<Uint8Array> {
    const { limiter, now } = this.#options
    if (limiter.unlimited) {
      yield part
      return
    }
    for (let at = 0; at < part.byteLength; at += PACED_SLICE) {
      const slice = part.subarray(at, at + PACED_SLICE)
      for (let wait = limiter.waits(now()); wait > 0; wait = limiter.waits(now()))
        await this.#pause(millis(wait))
      limiter.charge(slice.byteLength, now())
      yield slice
    }
  }

  /** Throws when the lane is closed meanwhile: what is half sent cannot be ended in order. */
  async #pause(wait: Millis): Promise<void> {
    const { signal } = this.#closing
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, wait)
    const onClosing = (): void => reject(signal.reason)
    signal.addEventListener('abort', onClosing)
    try {
      signal.throwIfAborted()
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onClosing)
    }
  }
}
