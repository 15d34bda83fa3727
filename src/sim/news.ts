/**
 * What a peer tells all others unasked: what it stored, what it expects. That it has a piece may wait a moment, and goes
 * with the next message to the same neighbour. One object is the message to all of them, and the event there: a swarm
 * of a thousand tells a hundred million of these.
 */
import type { PeerKey, RootKey } from '../core/types.ts'
import type { Clock, Timer } from './clock.ts'
import type { End } from './connection.ts'
import type { Message } from './messages.ts'

/** The longest that one waits. */
const HAVE_MS = 100

export interface NewsOptions {
  readonly root: RootKey
  readonly key: PeerKey
  readonly clock: Clock
  /** What the peer had from the start, or says that it has. */
  readonly claimed: readonly number[]
}

export class News {
  readonly #options: NewsOptions
  /** Stored, in that order, after what was claimed at the start. */
  readonly #stored: number[]
  readonly #timer: Timer
  #ends: readonly End[] = []
  /** The last message of what was stored, from which piece on. */
  #last: { readonly from: number; readonly to: number; readonly message: Message } | undefined

  constructor(options: NewsOptions) {
    this.#options = options
    this.#stored = [...options.claimed]
    this.#timer = options.clock.idle(() => {
      for (const end of this.#ends) this.tell(end)
    })
  }

  stop(): void {
    this.#options.clock.cancel(this.#timer)
    this.#ends = []
  }

  /** The end is told from now on; returns what it is told in joining. */
  add(end: End): readonly number[] {
    this.#ends = [...this.#ends, end]
    end.told = this.#stored.length
    return end.connection.kind === 'bitswap' ? [] : [...this.#stored]
  }

  remove(end: End): void {
    this.#ends = this.#ends.filter((other) => other !== end)
  }

  has(piece: number): void {
    this.#stored.push(piece)
    for (const end of this.#ends) end.wire.has(piece)
    if (this.#timer.position < 0) this.#options.clock.move(this.#timer, this.#options.clock.now + HAVE_MS)
  }

  expects(piece: number, type: 'expects' | 'expects-no-more'): void {
    const { root, key: peer } = this.#options
    const message: Message = { type, root, peer, pieces: [piece] }
    for (const end of this.#ends) if (end.connection.kind === 'share') end.tell(message)
  }

  /** Tells what was stored since the last time. */
  tell(end: End): void {
    if (end.told === this.#stored.length || end.connection.kind === 'bitswap') return
    const message = this.#has(end)
    if (message !== undefined) end.post(message)
  }

  #has(end: End): Message | undefined {
    const from = end.told
    const to = this.#stored.length
    end.told = to
    if (from === to) return undefined
    if (this.#last?.from !== from || this.#last.to !== to) {
      const { root, key: peer } = this.#options
      this.#last = { from, to, message: { type: 'has', root, peer, pieces: this.#stored.slice(from) } }
    }
    return this.#last.message
  }
}
