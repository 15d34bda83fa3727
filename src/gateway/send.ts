/** An answer on its way out, and what an error is in HTTP. */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { type ErrorCode, errno, ShareError } from '../core/errors.ts'
import type { Answer } from './answer.ts'

/** A request that takes longer to arrive is nobody's. */
export const REQUEST_TIMEOUT_MS = 30_000

/** Answer bytes that wait for the client, beside one block. */
const WAITING_BYTES = 64 << 10

const STATUS: Partial<Record<ErrorCode, number>> = {
  USAGE: 400,
  BAD_CID: 400,
  NOT_FOUND: 404,
  UNSUPPORTED: 501,
  BAD_CONTENT: 502,
  VERIFICATION_FAILED: 502,
  NOBODY_HAS_IT: 504,
  TIMED_OUT: 504,
}

export function statusOf(error: ShareError): number {
  return STATUS[error.code] ?? 500
}

/** What goes wrong before the first byte has a status of its own; afterwards the connection is cut. */
export async function send(
  reply: FastifyReply,
  { status, headers, body }: Answer,
  bare: boolean,
): Promise<FastifyReply> {
  if (bare || body === undefined) return reply.status(status).headers(headers).send()
  const chunks = body()[Symbol.asyncIterator]()
  const first = await chunks.next()
  const stream = Readable.from(rest(first, chunks), { objectMode: false, highWaterMark: WAITING_BYTES })
  return reply.status(status).headers(headers).send(stream)
}

async function* rest(
  first: IteratorResult<Uint8Array>,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let step = first; step.done !== true; step = await chunks.next())
      if (step.value.length > 0) yield step.value
  } finally {
    await chunks.return?.()
  }
}

/** Why a server could not be opened. `setting` is the key that names its address. */
export function listenError(
  thrown: unknown,
  { what, where, setting }: { what: string; where: string; setting: string },
): ShareError {
  if (errno(thrown) !== 'EADDRINUSE') return ShareError.from(thrown, `open the ${what} on ${where}`)
  const hint = `stop the other program, or choose another port: share config set ${setting}`
  return new ShareError('CONFLICT', `cannot open the ${what} on ${where}: the port is in use`, hint, {
    cause: thrown,
  })
}
