/** How many peers one connection tells of, and hears of, in a minute. What goes beyond that is left out: peer exchange is a help, not a list. */
import type { Millis } from '../../core/types.ts'
import { MAX_PEERS, type PeerNews } from './peer-news.ts'

const MINUTE_MS = 60_000

export class NewsBudget {
  #since: Millis
  #told = 0
  #heard = 0

  constructor(now: Millis) {
    this.#since = now
  }

  /** What may be told of it now; undefined when that is nothing. */
  tell(news: PeerNews, now: Millis): PeerNews | undefined {
    this.#renew(now)
    const part = first(news, MAX_PEERS - this.#told)
    this.#told += part.added.length
    return isEmpty(part) ? undefined : part
  }

  /** What of it is taken; twice as much as we would tell, as the peer's minutes are others. */
  hear(news: PeerNews, now: Millis): PeerNews | undefined {
    this.#renew(now)
    const part = first(news, 2 * MAX_PEERS - this.#heard)
    this.#heard += part.added.length
    return isEmpty(part) ? undefined : part
  }

  #renew(now: Millis): void {
    if (now - this.#since < MINUTE_MS) return
    this.#since = now
    this.#told = 0
    this.#heard = 0
  }
}

function first({ added, dropped }: PeerNews, most: number): PeerNews {
  return { added: added.slice(0, Math.max(0, most)), dropped }
}

function isEmpty({ added, dropped }: PeerNews): boolean {
  return added.length === 0 && dropped.length === 0
}
