/**
 * What a peer tells all others unasked: what it stored, what it expects. That it has a piece may wait a moment, and goes
 * with the next message to the same neighbour. One object is the message to all of them, and the event there: a swarm
 * of a thousand tells a hundred million of these.
 */
import type { PeerKey, RootKey } from '../core/types.ts'
import type { Clock, Timer } from './clock.ts'
import type { End } from './connection.ts'
import type { Notice } from './messages.ts'
import type { Tally } from './tally.ts'

/** The longest that one waits. */
const HAVE_MS = 100

export interface NewsOptions {
  readonly root: RootKey
  readonly key: PeerKey
  readonly clock: Clock
  readonly tally: Tally
  /** What the peer had from the start, or says that it has. */
  readonly claimed: readonly number[]
}

export class News {
  readonly #options: NewsOptions
  /** Stored, in that order, after what was claimed at the start. */
  readonly #stored: number[]
  readonly #timer: Timer
  /** Those that are told into an inbox, and those on other wires. */
  #sharing: readonly End[] = []
  #pulling: readonly End[] = []
  /** The last message of what was stored, from which piece on. */
  #last: { readonly from: number; readonly to: number; readonly message: Notice } | undefined

  constructor(options: NewsOptions) {
    this.#options = options
    this.#stored = [...options.claimed]
    this.#timer = options.clock.idle(() => {
      for (const end of this.#sharing) this.tell(end)
      for (const end of this.#pulling) this.tell(end)
    })
  }

  stop(): void {
    this.#options.clock.cancel(this.#timer)
    this.#sharing = []
    this.#pulling = []
  }

  /** The end is told from now on; returns what it is told in joining. */
  add(end: End): readonly number[] {
    if (end.kind === 'share') this.#sharing = [...this.#sharing, end]
    else this.#pulling = [...this.#pulling, end]
    end.told = this.#stored.length
    return end.kind === 'bitswap' ? [] : [...this.#stored]
  }

  remove(end: End): void {
    this.#sharing = this.#sharing.filter((other) => other !== end)
    this.#pulling = this.#pulling.filter((other) => other !== end)
  }

  has(piece: number): void {
    this.#stored.push(piece)
    for (const end of this.#pulling) end.wire.has(piece)
    if (this.#timer.position < 0) this.#options.clock.move(this.#timer, this.#options.clock.now + HAVE_MS)
  }

  expects(piece: number, type: 'expects' | 'expects-no-more'): void {
    const { root, key: peer, tally, clock } = this.#options
    const notice: Notice = { type, root, peer, pieces: [piece] }
    tally.messages[type] += this.#sharing.length
    for (const end of this.#sharing) {
      if (end.told !== this.#stored.length) this.tell(end)
      end.notify(notice, clock.now)
    }
  }

  /** Tells what was stored since the last time. */
  tell(end: End): void {
    if (end.told === this.#stored.length || end.kind === 'bitswap') return
    const { tally, clock } = this.#options
    const notice = this.#has(end.told)
    end.told = this.#stored.length
    if (end.kind === 'share') {
      tally.messages.has++
      end.notify(notice, clock.now)
    } else end.post(notice)
  }

  /** What was stored from then on. */
  #has(from: number): Notice {
    const to = this.#stored.length
    if (this.#last?.from !== from || this.#last.to !== to) {
      const { root, key: peer } = this.#options
      this.#last = { from, to, message: { type: 'has', root, peer, pieces: this.#stored.slice(from) } }
    }
    return this.#last.message
  }
}
