/**
 * One torrent's standing with one list of trackers: whom to tell next, what, and when (BEP 3, 12). No sockets and no clock.
 * The trackers of a list stand in for each other, so one is asked at a time; each is told `started` first, `completed` at
 * most once, and `stopped` if it was ever told the first.
 */
import type { Prng } from '../../core/prng.ts'
import { type Millis, millis } from '../../core/types.ts'
import type { AnnounceAnswer, AnnounceRequest } from '../announce.ts'
import { AnnounceList, type Tiers } from '../announce-list.ts'

/** After a round in which no tracker answered; doubled with each, give or take a quarter, so that not all come back at once. */
const FIRST_PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 30 * 60_000

/** What one tracker knows of us, and said last. */
interface Known {
  /** It was told `started`, and answered. */
  started: boolean
  answer: AnnounceAnswer | undefined
  trackerId: Uint8Array | undefined
  error: string | undefined
  /** Of the last answer or failure. */
  at: Millis | undefined
}

export interface Telling {
  readonly url: string
  readonly event: AnnounceRequest['event']
  readonly trackerId: Uint8Array | undefined
}

/** How it stands with one tracker. */
export interface TrackerStanding {
  readonly url: string
  readonly answer: AnnounceAnswer | undefined
  /** Why it gave none the last time. */
  readonly error: string | undefined
  readonly at: Millis | undefined
  /** When it is asked again; undefined for one that only stands in, and while it is asked. */
  readonly next: Millis | undefined
}

export class Announcing {
  readonly #list: AnnounceList
  readonly #prng: Prng
  readonly #known = new Map<string, Known>()
  #due: Millis
  /** Peers may be asked for from then on, though it is not due yet. */
  #earliest: Millis
  #failures = 0
  /** The trackers that were told `started` are to be told that the download is done. */
  readonly #toComplete = new Set<string>()
  #underWay: Telling | undefined

  constructor(tiers: Tiers, prng: Prng, now: Millis) {
    this.#list = new AnnounceList(tiers, prng)
    this.#prng = prng
    this.#due = now
    this.#earliest = now
  }

  /** When `next` has something; undefined while an announce is under way, and where there are no trackers. */
  get due(): Millis | undefined {
    return this.#underWay === undefined && this.#list.current !== undefined ? this.#due : undefined
  }

  /** What to tell now, if it is due; then comes either `answered` or `failed`. */
  next(now: Millis): Telling | undefined {
    const url = this.#list.current
    if (this.due === undefined || now < this.#due || url === undefined) return undefined
    this.#underWay = { url, event: this.#eventFor(url), trackerId: this.#known.get(url)?.trackerId }
    return this.#underWay
  }

  answered(answer: AnnounceAnswer, now: Millis): void {
    const telling = this.#take()
    if (telling === undefined) return
    const { url } = telling
    const trackerId = answer.trackerId ?? telling.trackerId
    this.#known.set(url, { started: true, answer, trackerId, error: undefined, at: now })
    if (telling.event === 'completed') this.#toComplete.delete(url)
    this.#list.answered()
    this.#failures = 0
    this.#earliest = millis(now + Math.min(answer.minInterval, answer.interval) * 1000)
    this.#due = this.#toComplete.has(url) ? now : millis(now + answer.interval * 1000)
  }

  failed(error: string, now: Millis): void {
    const telling = this.#take()
    if (telling === undefined) return
    const { url } = telling
    const known = this.#known.get(url)
    this.#known.set(url, {
      started: false,
      answer: undefined,
      trackerId: undefined,
      ...known,
      error,
      at: now,
    })
    this.#list.failed()
    this.#due = now
    if (this.#list.current !== undefined) return
    this.#list.restart()
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.#failures, LONGEST_PAUSE_MS)
    this.#failures++
    this.#due = millis(now + pause * (0.75 + this.#prng.unit() / 2))
    this.#earliest = this.#due
  }

  /** The download is done: those who saw it begin are told at once. */
  completed(now: Millis): void {
    for (const [url, { started }] of this.#known) if (started) this.#toComplete.add(url)
    if (this.#underWay?.event === 'started') this.#toComplete.add(this.#underWay.url)
    if (this.#failures === 0 && this.#toComplete.has(this.#list.current ?? '')) this.#due = now
  }

  /** Peers are wanted: asks as soon as the tracker lets us. */
  wanting(now: Millis): void {
    this.#due = millis(Math.min(this.#due, Math.max(now, this.#earliest)))
  }

  /** Whom to tell that it is over. */
  leaving(): Telling[] {
    return [...this.#known].flatMap(([url, { started, trackerId }]) =>
      started ? [{ url, event: 'stopped' as const, trackerId }] : [],
    )
  }

  /** In the order in which they are asked. Those that were never asked are told as such. */
  standings(): TrackerStanding[] {
    return this.#list.tiers.flat().map((url) => {
      const { answer, error, at } = this.#known.get(url) ?? {}
      return { url, answer, error, at, next: url === this.#list.current ? this.due : undefined }
    })
  }

  #take(): Telling | undefined {
    const telling = this.#underWay
    this.#underWay = undefined
    return telling
  }

  #eventFor(url: string): AnnounceRequest['event'] {
    if (this.#known.get(url)?.started !== true) return 'started'
    return this.#toComplete.has(url) ? 'completed' : undefined
  }
}
