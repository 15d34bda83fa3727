/**
 * Answers that last: each is bound to its client and to the daemon's life. Its signal aborts when either ends,
 * so that nobody's work goes on for nobody.
 */
import { once } from 'node:events'
import type { FastifyReply } from 'fastify'
import { ShareError } from '../core/errors.ts'
import { ERROR_TRAILER } from './api.ts'
import { encodeEvent } from './sse.ts'

export interface EventSink {
  /** Sends a report that the next one replaces: left out while the client is slow to read. */
  offer(event: string, data: unknown): void
  /** Sends an event that must arrive; resolves when there is room for more. */
  send(event: string, data: unknown): Promise<void>
}

export class Streams {
  readonly #stopping = new AbortController()
  readonly #open = new Set<Promise<void>>()

  /** A signal that aborts when this reply's client leaves or the daemon stops. */
  signal(reply: FastifyReply): AbortSignal {
    const gone = new AbortController()
    reply.raw.once('close', () => {
      if (reply.raw.writableFinished) return
      gone.abort(new ShareError('INTERRUPTED', 'stopped', 'run the same command again to resume'))
    })
    return AbortSignal.any([gone.signal, this.#stopping.signal])
  }

  /** Answers with events: what `work` sends, then `done` with its result or `error`. */
  events(
    reply: FastifyReply,
    work: (sink: EventSink, signal: AbortSignal) => Promise<unknown>,
  ): FastifyReply {
    const signal = this.signal(reply)
    const raw = reply.hijack().raw
    raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    raw.flushHeaders()
    const sink: EventSink = {
      offer: (event, data) => {
        if (!raw.writableNeedDrain && !raw.destroyed) raw.write(encodeEvent(event, data))
      },
      send: (event, data) => write(reply, encodeEvent(event, data), signal),
    }
    this.#track(
      work(sink, signal).then(
        (result) => raw.end(encodeEvent('done', result)),
        (thrown: unknown) => raw.end(encodeEvent('error', this.#failure(thrown).toJSON())),
      ),
    )
    return reply
  }

  /**
   * Answers with bytes, as fast as the client reads. What fails before the first byte is an ordinary error;
   * after it the reason goes into a trailer.
   */
  async bytes(
    reply: FastifyReply,
    open: (signal: AbortSignal) => AsyncIterable<Uint8Array>,
  ): Promise<FastifyReply> {
    const signal = this.signal(reply)
    const chunks = open(signal)[Symbol.asyncIterator]()
    const first = await chunks.next()
    const raw = reply.hijack().raw
    raw.writeHead(200, { 'content-type': 'application/octet-stream', trailer: ERROR_TRAILER })
    this.#track(
      copy(reply, chunks, first, signal)
        .catch((thrown: unknown) => {
          raw.addTrailers({ [ERROR_TRAILER]: encodeURIComponent(JSON.stringify(this.#failure(thrown))) })
        })
        .then(() => raw.end()),
    )
    return reply
  }

  /** Aborts what is open and waits until each has told its client so. */
  async stop(): Promise<void> {
    this.#stopping.abort(
      new ShareError('DAEMON_UNREACHABLE', 'the daemon was stopped', 'run the same command again to resume'),
    )
    await Promise.all(this.#open)
  }

  #track(work: Promise<unknown>): void {
    const settled = work.then(
      () => {},
      () => {},
    )
    this.#open.add(settled)
    void settled.then(() => this.#open.delete(settled))
  }

  /** Work that a stopping daemon broke off says so, whatever it threw. */
  #failure(thrown: unknown): ShareError {
    return ShareError.from(this.#stopping.signal.aborted ? this.#stopping.signal.reason : thrown)
  }
}

async function copy(
  reply: FastifyReply,
  chunks: AsyncIterator<Uint8Array>,
  first: IteratorResult<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let step = first; step.done !== true; step = await chunks.next())
      await write(reply, step.value, signal)
  } finally {
    await chunks.return?.()
  }
}

async function write(reply: FastifyReply, data: string | Uint8Array, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (!reply.raw.write(data)) await once(reply.raw, 'drain', { signal })
}
