/** Announces to trackers of either kind, few at once, each for a bounded time. */
import type { Reach } from '../../core/ip-reach.ts'
import { Slots } from '../../core/slots.ts'
import { type AnnounceRequest, TrackerError } from '../announce.ts'
import type { Clock } from './clock.ts'
import { type Answered, announceByHttp } from './http-announce.ts'
import type { Resolve } from './tracker-hosts.ts'
import { announceByUdp } from './udp-announce.ts'

/** A node with a thousand shares tells trackers of all of them when it starts. */
const AT_ONCE = 24

/** A tracker takes seconds at most; over UDP this is three packets (BEP 15). In ms. */
const HTTP_LIMIT_MS = 30_000
const UDP_LIMIT_MS = 60_000

export interface TrackerClientOptions {
  readonly clock: Clock
  readonly resolve: Resolve
  /** Name and version of this program. */
  readonly userAgent: string
}

export class TrackerClient {
  readonly #options: TrackerClientOptions
  readonly #slots = new Slots(AT_ONCE)

  constructor(options: TrackerClientOptions) {
    this.#options = options
  }

  /** @throws TrackerError; the signal's reason */
  announce(
    tracker: string,
    request: AnnounceRequest,
    { nearest, signal }: { readonly nearest: Reach; readonly signal: AbortSignal },
  ): Promise<Answered> {
    return this.#slots.run(async () => {
      signal.throwIfAborted()
      const isUdp = tracker.startsWith('udp:')
      const limit = isUdp ? UDP_LIMIT_MS : HTTP_LIMIT_MS
      const late = new AbortController()
      const cancel = this.#options.clock.after(limit, () => late.abort(tooLate(limit)))
      const common = { tracker, request, nearest, signal: AbortSignal.any([signal, late.signal]) }
      try {
        return await (isUdp
          ? announceByUdp({ ...common, ...this.#options })
          : announceByHttp({ ...common, ...this.#options }))
      } finally {
        cancel()
      }
    })
  }
}

function tooLate(limit: number): TrackerError {
  return new TrackerError('silent', `the tracker has not answered within ${limit / 1000} s`)
}
