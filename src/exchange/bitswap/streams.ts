/** libp2p's event-based streams as sources and sinks for it-pipe, with backpressure both ways. */
import type { Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'

/** Bytes taken from a stream and not yet handled; beyond this the sender is told to wait. */
const MOST_UNHANDLED = 1 << 20

type Chunk = Uint8Array | Uint8ArrayList

/** A gate that many streams wait at while too much of what they brought is still held in memory. */
export interface Gate {
  /** Resolves at once while the gate is open. */
  pass(): Promise<void> | undefined
}

/** What arrives, chunk by chunk, until the other side closes; throws when the stream is reset. */
export async function* streamSource(stream: Stream, gate: Gate): AsyncGenerator<Chunk> {
  const queue: Chunk[] = []
  let queued = 0
  let ended = false
  let failure: Error | undefined
  let wake = (): void => {}
  const onMessage = (event: { data: Chunk }): void => {
    queue.push(event.data)
    queued += event.data.byteLength
    if (queued > MOST_UNHANDLED) pause(stream)
    wake()
  }
  const onEnd = (event: Event & { error?: Error }): void => {
    ended = true
    failure ??= event.error
    wake()
  }
  stream.addEventListener('message', onMessage)
  stream.addEventListener('end', onEnd)
  stream.addEventListener('close', onEnd)
  try {
    while (true) {
      const chunk = queue.shift()
      if (chunk !== undefined) {
        queued -= chunk.byteLength
        if (queue.length === 0) resume(stream)
        await gate.pass()
        yield chunk
        continue
      }
      if (failure !== undefined) throw failure
      if (ended || stream.readableEnded || stream.status !== 'open') return
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('end', onEnd)
    stream.removeEventListener('close', onEnd)
  }
}

/**
 * Writes everything and waits whenever the stream is full; the next chunk is asked for once it has drained. The
 * signal ends a wait with its reason.
 */
export function streamSink(stream: Stream, signal: AbortSignal) {
  return async (chunks: AsyncIterable<Chunk>): Promise<void> => {
    for await (const chunk of chunks) {
      if (!stream.send(chunk)) await drained(stream, signal)
    }
  }
}

/**
 * Resolves once the stream takes more. libp2p's own `onDrain` will not do: its promise stays resolved after the first
 * time. And a drain event says only that the stream goes on sending what it holds, after which it may be full again.
 */
async function drained(stream: Stream, signal: AbortSignal): Promise<void> {
  while (stream.writableNeedsDrain) {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onDrain = (): void => resolve()
    const onClose = (event: Event & { error?: Error }): void =>
      reject(event.error ?? new Error('the stream was closed'))
    const onAbort = (): void => reject(signal.reason)
    stream.addEventListener('drain', onDrain)
    stream.addEventListener('close', onClose)
    signal.addEventListener('abort', onAbort)
    try {
      if (stream.status !== 'open') throw new Error('the stream was closed')
      await promise
    } finally {
      stream.removeEventListener('drain', onDrain)
      stream.removeEventListener('close', onClose)
      signal.removeEventListener('abort', onAbort)
    }
  }
}

/** A stream whose other side has closed already, as after its only message, refuses both. */
function pause(stream: Stream): void {
  if (stream.readStatus === 'readable') stream.pause()
}

function resume(stream: Stream): void {
  if (stream.readStatus === 'paused') stream.resume()
}
