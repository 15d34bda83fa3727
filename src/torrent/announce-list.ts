/**
 * The trackers of a torrent, in tiers (BEP 12): all of a tier stand in for each other, later tiers are for when the earlier
 * ones fail. Each tier is shuffled once; a tracker that answered moves to the front of its tier and is asked first from then on.
 */
import type { BencodeValue } from '../core/bencode.ts'
import type { Prng } from '../core/prng.ts'
import { isTrackerUrl } from './tracker-url.ts'

export type Tiers = readonly (readonly string[])[]

/** A torrent names a few; a hostile one could name thousands, each of which would be asked. */
const MOST_TRACKERS = 200

/** The tiers of `announce-list`; of `announce` alone where there is none. What is no URL of a tracker is left out, and so are repetitions. */
export function readTiers(announce: BencodeValue | undefined, list: BencodeValue | undefined): Tiers {
  const fromList = Array.isArray(list)
    ? checkedTiers(list.map((tier) => (Array.isArray(tier) ? tier.map(text) : [])))
    : []
  return fromList.length > 0 ? fromList : checkedTiers([[text(announce)]])
}

function text(value: BencodeValue | undefined): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8').trim() : ''
}

/** Without what is no tracker's URL, without repetitions and empty tiers, and no more than is sane. */
export function checkedTiers(tiers: Tiers): Tiers {
  const seen = new Set<string>()
  const isNew = (url: string): boolean => {
    if (seen.size === MOST_TRACKERS || seen.has(url) || !isTrackerUrl(url)) return false
    seen.add(url)
    return true
  }
  return tiers.map((tier) => tier.filter(isNew)).filter((tier) => tier.length > 0)
}

/** Which tracker to ask next. */
export class AnnounceList {
  readonly #tiers: string[][]
  #tier = 0
  #place = 0

  constructor(tiers: Tiers, prng: Prng) {
    this.#tiers = tiers.map((tier) => shuffled(tier, prng))
  }

  /** Undefined when there is none, or all were tried since the last answer. */
  get current(): string | undefined {
    return this.#tiers[this.#tier]?.[this.#place]
  }

  /** The current one did not answer, or refused. */
  failed(): void {
    this.#place++
    if (this.#place < (this.#tiers[this.#tier]?.length ?? 0)) return
    this.#tier++
    this.#place = 0
  }

  /** The current one answered: it is the first of its tier now, and the next round begins anew. */
  answered(): void {
    const tier = this.#tiers[this.#tier]
    const [url] = tier?.splice(this.#place, 1) ?? []
    if (tier !== undefined && url !== undefined) tier.unshift(url)
    this.restart()
  }

  /** Begins another round, with the first of the first tier. */
  restart(): void {
    this.#tier = 0
    this.#place = 0
  }

  get tiers(): Tiers {
    return this.#tiers
  }
}

function shuffled(tier: readonly string[], prng: Prng): string[] {
  const order = [...tier]
  for (let at = order.length - 1; at > 0; at--) {
    const other = prng.below(at + 1)
    const [left = '', right = ''] = [order[at], order[other]]
    order[at] = right
    order[other] = left
  }
  return order
}
