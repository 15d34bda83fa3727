/** How many peers one connection may tell us of in a minute. What goes beyond that is passed over: peer exchange is a help, not a list. */
import type { Millis } from '../../core/types.ts'
import { MAX_PEERS, type PeerNews } from './peer-news.ts'

const MINUTE_MS = 60_000

/** Twice what anybody should tell, as the peer's minutes are others than ours. */
const MOST_HEARD = 2 * MAX_PEERS

export class NewsBudget {
  #since: Millis
  #heard = 0

  constructor(now: Millis) {
    this.#since = now
  }

  /** What of it is taken; undefined when that is nothing. */
  hear({ added, dropped }: PeerNews, now: Millis): PeerNews | undefined {
    if (now - this.#since >= MINUTE_MS) {
      this.#since = now
      this.#heard = 0
    }
    const room = Math.max(0, MOST_HEARD - this.#heard)
    this.#heard += added.length + dropped.length
    const taken = { added: added.slice(0, room), dropped: dropped.slice(0, room) }
    return taken.added.length + taken.dropped.length > 0 ? taken : undefined
  }
}
