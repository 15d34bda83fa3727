/** The node that serves this page: what it is asked, and how it fails. */
import { type ErrorJson, ShareError } from '../core/errors.ts'

/** The connection broke, or the node did not answer: worth trying again. */
export class Lost extends Error {
  override readonly name = 'Lost'
}

/** A connection on which nothing comes for so long is given up, in ms. */
const STALL_MS = 30_000

const TOO_MANY = 503

type Bytes = AsyncGenerator<Uint8Array>

export class Remote {
  /** Ends with a slash. */
  readonly #base: string

  constructor(base: string) {
    this.#base = base
  }

  /** What the share is called there. Nobody has checked that. */
  async name(signal: AbortSignal): Promise<string> {
    const answer = await this.#open('about', signal)
    const about: unknown = await answer.json()
    const name = typeof about === 'object' && about !== null && 'name' in about ? about.name : undefined
    return typeof name === 'string' ? name : ''
  }

  /** A CAR of the blocks that list the files. */
  tree(signal: AbortSignal): Bytes {
    return this.#read('tree', signal)
  }

  /** A CAR of a file's blocks, from the one on that holds byte `from`. */
  blocks(path: string, from: number, signal: AbortSignal): Bytes {
    return this.#read(`blocks/${encoded(path)}?from=${from}`, signal)
  }

  /** Where the browser itself can download it, unchecked. */
  plain(path: string): string {
    return `${this.#base}plain/${encoded(path)}`
  }

  async *#read(path: string, signal: AbortSignal): Bytes {
    const { body } = await this.#open(path, signal)
    if (body === null) return
    const reader = body.getReader()
    try {
      for (let step = await next(reader, signal); !step.done; step = await next(reader, signal))
        yield step.value
    } finally {
      // the connection is not needed any more, or is gone
      reader.cancel().catch(() => {})
    }
  }

  async #open(path: string, signal: AbortSignal): Promise<Response> {
    const init: RequestInit = { signal, cache: 'no-store', credentials: 'omit', redirect: 'error' }
    const asking = fetch(`${this.#base}${path}`, init)
    const answer = await timely(asking, signal)
    if (answer.ok) return answer
    if (answer.status === TOO_MANY) throw new Lost('too many are downloading at once')
    throw await refusal(answer)
  }
}

const next = (reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal) =>
  timely(reader.read(), signal)

/** What comes in time. @throws Lost, or the signal's reason */
async function timely<T>(coming: Promise<T>, signal: AbortSignal): Promise<T> {
  const stalled = Promise.withResolvers<never>()
  const timer = setTimeout(() => stalled.reject(new Lost('nothing came any more')), STALL_MS)
  try {
    return await Promise.race([coming, stalled.promise])
  } catch (thrown) {
    signal.throwIfAborted()
    throw thrown instanceof Lost ? thrown : new Lost('the connection was lost', { cause: thrown })
  } finally {
    clearTimeout(timer)
  }
}

/** What the node says that is wrong; an answer that is not the node's is some proxy's, and passes. */
async function refusal(answer: Response): Promise<Error> {
  const body: unknown = await answer.json().catch(() => undefined)
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
  if (isErrorJson(error)) return ShareError.fromJSON(error)
  if (answer.status !== 404) return new Lost(`the answer was ${answer.status}`)
  return new ShareError(
    'NOT_FOUND',
    'this link has ended, or was never whole',
    'ask who sent it for a new one',
  )
}

function isErrorJson(value: unknown): value is ErrorJson {
  if (typeof value !== 'object' || value === null) return false
  const { code, message, hint } = value as Partial<Record<keyof ErrorJson, unknown>>
  return typeof code === 'string' && typeof message === 'string' && typeof hint === 'string'
}

const encoded = (path: string): string => path.split('/').map(encodeURIComponent).join('/')
