/** One announce over HTTP or HTTPS: the request, redirects, and an answer of bounded size. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { type Reach, reachOfIp } from '../../core/ip-reach.ts'
import { type AnnounceAnswer, type AnnounceRequest, TrackerError } from '../announce.ts'
import { announceUrl, decodeAnnounceAnswer, MAX_ANSWER_BYTES } from '../http-tracker.ts'
import { isTrackerUrl } from '../tracker-url.ts'
import { addressesOf, type Resolve } from './tracker-hosts.ts'

/** Trackers that move redirect once; a loop has no end. */
const MOST_REDIRECTS = 4

export interface Announcement {
  readonly tracker: string
  readonly request: AnnounceRequest
  /** Addresses nearer than this are not called. */
  readonly nearest: Reach
  readonly resolve: Resolve
  readonly signal: AbortSignal
}

/** An answer, and how far the address reaches that gave it. */
export interface Answered {
  readonly answer: AnnounceAnswer
  readonly reach: Reach | undefined
}

/** @throws TrackerError; the signal's reason */
export async function announceByHttp(
  announcement: Announcement & { readonly userAgent: string },
): Promise<Answered> {
  const { tracker, request, signal } = announcement
  let url = new URL(announceUrl(tracker, request))
  let { nearest } = announcement
  try {
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const response = await get(url, nearest, announcement)
      try {
        const reach = reachOfIp(response.socket.remoteAddress ?? '')
        const location = redirectOf(response)
        if (location === undefined) return { answer: answerOf(response, await bodyOf(response)), reach }
        url = redirected(url, location)
        nearest = reach ?? 'world'
      } finally {
        response.destroy()
      }
    }
  } catch (cause) {
    if (cause instanceof TrackerError) throw cause
    signal.throwIfAborted()
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new TrackerError('silent', `the tracker does not answer: ${reason}`, { cause })
  }
  throw new TrackerError('malformed', `the tracker redirects more than ${MOST_REDIRECTS} times`)
}

async function get(
  url: URL,
  nearest: Reach,
  { resolve, signal, userAgent }: Announcement & { readonly userAgent: string },
): Promise<IncomingMessage> {
  const addresses = await addressesOf(url.hostname, nearest, resolve)
  const lookup: LookupFunction = (_host, options, done) => {
    if (options.all === true) return done(null, [...addresses])
    const [first] = addresses
    done(null, first?.address ?? '', first?.family ?? 0)
  }
  return new Promise((resolved, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    send(url, {
      // a connection of its own: one that is kept might have been opened for a name that others may not use
      agent: false,
      lookup,
      headers: { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'gzip', connection: 'close' },
      signal,
    })
      .on('response', resolved)
      .on('error', reject)
      .end()
  })
}

function redirectOf({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  return [301, 302, 303, 307, 308].includes(statusCode) ? headers.location : undefined
}

/** Only to another tracker's URL, and from an encrypted one to no other: the query may hold a secret. */
function redirected(from: URL, location: string): URL {
  const to = URL.parse(location, from.href)
  const web = to !== null && isTrackerUrl(to.href) && to.protocol !== 'udp:'
  if (!web || (from.protocol === 'https:' && to.protocol !== 'https:'))
    throw new TrackerError('malformed', 'the tracker redirects to where nobody should follow')
  return to
}

async function bodyOf(response: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of decoded(response)) {
    const bytes: Buffer = chunk
    size += bytes.length
    if (size > MAX_ANSWER_BYTES)
      throw new TrackerError('malformed', `the tracker's answer has more than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

/** Unpacked as it comes, so that no more is ever held than was let through. */
function decoded(response: IncomingMessage): Readable {
  switch (response.headers['content-encoding']?.toLowerCase() ?? 'identity') {
    case 'identity':
    case '':
      return response
    case 'gzip':
    case 'x-gzip': {
      const gunzip = createGunzip()
      // what breaks off breaks both
      response.on('error', (error) => gunzip.destroy(error))
      gunzip.on('close', () => response.destroy())
      return response.pipe(gunzip)
    }
    default:
      throw new TrackerError('malformed', "the tracker's answer is in an encoding that nobody asked for")
  }
}

/** Trackers give their reasons under any status; of another body the status says more. */
function answerOf({ statusCode = 0 }: IncomingMessage, body: Uint8Array): AnnounceAnswer {
  try {
    const answer = decodeAnnounceAnswer(body)
    if (statusCode === 200) return answer
  } catch (thrown) {
    const isReason = thrown instanceof TrackerError && thrown.code === 'refused'
    if (statusCode === 200 || isReason) throw thrown
  }
  throw new TrackerError('malformed', `the tracker answers with status ${statusCode}`)
}
