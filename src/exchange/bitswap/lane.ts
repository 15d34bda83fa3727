/**
 * One long-lived outbound stream, opened when there is something to send and again after it broke. What to
 * send is asked for when the stream can take it, so nothing is encoded or read from disk before its turn.
 */
import type { Stream } from '@libp2p/interface'
import { pipe } from 'it-pipe'
import { Uint8ArrayList } from 'uint8arraylist'
import type { RootKey } from '../../core/types.ts'
import type { Outflow } from '../outflow.ts'
import { frameLength } from './framing.ts'
import { streamSink } from './streams.ts'
import { Turns } from './turns.ts'

/** A message ready to be written: the parts of one frame, and what to do once the stream has taken them. */
export interface Outbound {
  readonly parts: readonly Uint8Array[]
  /** Whose limit it is charged to, besides the common one. */
  readonly root: RootKey | undefined
  sent(): void
}

export interface LaneOptions {
  open(signal: AbortSignal): Promise<Stream>
  /** The next message, or undefined while there is none; `wake` says when to ask again. */
  next(stream: Stream): Promise<Outbound | undefined> | Outbound | undefined
  /** The stream broke or could not be opened; what was handed over may not have arrived. */
  broke(error: Error): void
  readonly outflow: Outflow
  /** Messages are cut into slices, and each leaves when its turn comes; otherwise they leave at once. */
  readonly byTurns: boolean
}

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
    const turns = new Turns(this.#options.outflow, this.#closing.signal)
    stream.inactivityTimeout = REST_MS
    const onClose = (): void => this.#wake()
    stream.addEventListener('close', onClose)
    try {
      await pipe(
        () => this.#messages(stream),
        (messages) => this.#frames(messages, turns),
        streamSink(stream, this.#closing.signal),
      )
      await stream.close()
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error(String(error)))
      throw error
    } finally {
      turns.end()
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
  async *#frames(messages: AsyncIterable<Outbound>, turns: Turns): AsyncGenerator<Uint8ArrayList> {
    for await (const { parts, root, sent } of messages) {
      const frame = new Uint8ArrayList(...parts)
      frame.prepend(frameLength(frame.byteLength))
      if (this.#options.byTurns) yield* turns.slices(frame, root)
      else {
        this.#options.outflow.charge(frame.byteLength, root)
        yield frame
      }
      sent()
    }
  }
}
