/** HTTP on the daemon's socket, with each failure turned into the ShareError it means. */
import type { IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { errno, ShareError } from '../core/errors.ts'
import { ERROR_TRAILER, type ErrorBody } from './api.ts'

// an import of it would load all that it exports, a fetch and its HTTP client too: a fifth of a short command's time
const { request } = process.getBuiltinModule('node:http')

export interface Work {
  /** Aborting closes the connection, on which the daemon stops what was asked; the call rejects with the reason. */
  readonly signal?: AbortSignal
}

export interface Call extends Work {
  readonly path: string
  /** With a body it is a POST. */
  readonly body?: unknown
}

/** What connecting answers when nobody listens: no file, no listener, or a path that cannot be a socket. */
const NOT_RUNNING = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'EINVAL', 'ENAMETOOLONG'])

/**
 * Sends a call and returns the answer's head with its body still to come.
 * @throws ShareError DAEMON_UNREACHABLE, or the one that the daemon answers
 */
export async function open(socketPath: string, call: Call): Promise<IncomingMessage> {
  call.signal?.throwIfAborted()
  const answer = await send(socketPath, call)
  if (answer.statusCode === 200) return answer
  const body = (await readJson(answer, call)) as ErrorBody
  throw ShareError.fromJSON(body.error)
}

function send(socketPath: string, call: Call): Promise<IncomingMessage> {
  const text = call.body === undefined ? undefined : JSON.stringify(call.body)
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath,
      path: call.path,
      method: text === undefined ? 'GET' : 'POST',
      // a connection of its own: nothing is kept alive, so the command ends when its answers have
      agent: false,
      headers:
        text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      ...(call.signal && { signal: call.signal }),
    })
    outgoing.once('response', resolve)
    outgoing.on('error', (cause) => reject(failure(cause, call, socketPath)))
    outgoing.end(text)
  })
}

/** The whole body as JSON. */
export async function readJson(answer: IncomingMessage, call: Call): Promise<unknown> {
  try {
    return await json(answer)
  } catch (cause) {
    throw failure(cause, call)
  }
}

/** The body, chunk by chunk; throws where it breaks off, and what the daemon put into the trailer. */
export async function* readBytes(answer: IncomingMessage, work: Work): AsyncGenerator<Uint8Array> {
  try {
    yield* answer
  } catch (cause) {
    throw failure(cause, work)
  }
  const trailer = answer.trailers[ERROR_TRAILER]
  if (trailer !== undefined) throw ShareError.fromJSON(JSON.parse(decodeURIComponent(trailer)))
}

/** The daemon went away in the middle. */
export function broken(cause?: unknown): ShareError {
  const hint = 'see `share daemon logs`, then run the same command again'
  return new ShareError('DAEMON_UNREACHABLE', 'the daemon ended before the work was done', hint, { cause })
}

function failure(cause: unknown, { signal }: Work, socketPath?: string): Error {
  if (signal?.aborted) return ShareError.from(signal.reason)
  const code = errno(cause) ?? ''
  if (NOT_RUNNING.has(code)) {
    return new ShareError(
      'DAEMON_UNREACHABLE',
      'the daemon is not running',
      'start it with `share daemon start`',
      { cause },
    )
  }
  if (code === 'EACCES' || code === 'EPERM') {
    const message = `no permission to open ${socketPath ?? 'the socket'}`
    return new ShareError(
      'DAEMON_UNREACHABLE',
      message,
      'run as the user whose daemon it is, or set SHARE_HOME',
      { cause },
    )
  }
  return broken(cause)
}
