/**
 * A range of a file on a web server, unchecked (BEP 19). Whatever the server does, this ends: it has so long to begin and so
 * long between two parts, a few redirects, and no byte more is taken than was asked for. Redirects are followed, for mirrors
 * are chosen so, but not from the world into a network of this machine.
 */
import { causeOf } from './cause.ts'
import { isLocalHost } from './local-host.ts'
import { Patience } from './patience.ts'

export type RangeOutcome =
  /** All bytes came. */
  | { readonly kind: 'whole' }
  /** It has no such file, or another one. */
  | { readonly kind: 'absent'; readonly reason: string }
  /** It is not there, stopped in the middle, or was silent for too long. `retryMs`: when it says that it can. */
  | { readonly kind: 'failed'; readonly reason: string; readonly retryMs?: number }

export interface RangeOptions {
  readonly offset: number
  readonly length: number
  /** Bytes that the whole file should have. */
  readonly fileSize: number
  readonly signal: AbortSignal
  /** In order; no more than asked for. */
  readonly onData: (data: Uint8Array) => void
}

const FIRST_BYTE_MS = 30_000
const NEXT_BYTES_MS = 15_000
const MOST_REDIRECTS = 5
/** Longer than this no server keeps anybody waiting. */
const MOST_RETRY_MS = 600_000

/** @throws the signal's reason when it aborts */
export async function fetchRange(url: string, options: RangeOptions): Promise<RangeOutcome> {
  const { signal } = options
  using patience = new Patience()
  try {
    patience.extend(FIRST_BYTE_MS)
    const answer = await follow(url, options, AbortSignal.any([signal, patience.signal]))
    if (typeof answer === 'string') return { kind: 'failed', reason: answer }
    const refused = refusal(answer, options)
    if (refused === undefined) return await read(answer, patience, options)
    await answer.body?.cancel()
    return refused
  } catch (thrown) {
    signal.throwIfAborted()
    return { kind: 'failed', reason: patience.signal.aborted ? 'was silent for too long' : causeOf(thrown) }
  }
}

/** The last answer, or why there is none. */
async function follow(
  first: string,
  { offset, length }: RangeOptions,
  signal: AbortSignal,
): Promise<Response | string> {
  const headers = { range: `bytes=${offset}-${offset + length - 1}`, 'accept-encoding': 'identity' }
  const start = new URL(first)
  if (isLocalHost(start) && start.search !== '') return 'is on a network of this machine, and has a query'
  for (let url = start, steps = 0; steps <= MOST_REDIRECTS; steps++) {
    const answer = await fetch(url.href, { headers, redirect: 'manual', signal })
    const location = answer.status >= 300 && answer.status < 400 ? answer.headers.get('location') : null
    if (location === null) return answer
    await answer.body?.cancel()
    const next = URL.parse(location, url.href)
    if (next === null || !/^https?:$/.test(next.protocol)) return 'sends to what is no web address'
    if (isLocalHost(next) && (!isLocalHost(start) || next.search !== ''))
      return 'sends into a network of this machine'
    url = next
  }
  return 'sends from one address to the next without end'
}

function refusal(answer: Response, { offset, length, fileSize }: RangeOptions): RangeOutcome | undefined {
  const { status, headers } = answer
  if (status === 206) return wrongRange(headers.get('content-range') ?? '', { offset, length, fileSize })
  if (status === 200) {
    const declared = headers.get('content-length')
    if (declared !== null && Number(declared) !== fileSize)
      return { kind: 'absent', reason: `has a file of ${declared} bytes, not ${fileSize}` }
    return offset === 0 ? undefined : { kind: 'failed', reason: 'gives no ranges of files' }
  }
  if (status === 416) return { kind: 'absent', reason: `has a file that ends before byte ${offset}` }
  if (status === 429 || status === 503) {
    const seconds = Number(headers.get('retry-after'))
    const retryMs = seconds > 0 ? Math.min(MOST_RETRY_MS, seconds * 1000) : undefined
    return { kind: 'failed', reason: `answers ${status}`, ...(retryMs !== undefined && { retryMs }) }
  }
  return status >= 400 && status < 500
    ? { kind: 'absent', reason: `answers ${status}` }
    : { kind: 'failed', reason: `answers ${status}` }
}

/** `bytes 0-99/1000`, where the size of the file may be `*`. */
function wrongRange(
  text: string,
  { offset, length, fileSize }: Pick<RangeOptions, 'offset' | 'length' | 'fileSize'>,
): RangeOutcome | undefined {
  const [, first, last, total] = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/.exec(text) ?? []
  if (total !== undefined && total !== '*' && Number(total) !== fileSize)
    return { kind: 'absent', reason: `has a file of ${total} bytes, not ${fileSize}` }
  if (Number(first) === offset && Number(last) === offset + length - 1) return undefined
  return { kind: 'failed', reason: 'gives another range than was asked for' }
}

async function read(
  { body }: Response,
  patience: Patience,
  { length, onData }: RangeOptions,
): Promise<RangeOutcome> {
  let left = length
  patience.extend(NEXT_BYTES_MS)
  for await (const chunk of body ?? []) {
    patience.extend(NEXT_BYTES_MS)
    const part = chunk.subarray(0, left)
    left -= part.length
    onData(part)
    // of a server that gives no ranges the rest is not wanted
    if (left === 0) return { kind: 'whole' }
  }
  return { kind: 'failed', reason: `ended ${left} bytes too early` }
}
