/** One peer in one swarm, as a source: what it has, what is asked of it, how it delivers. */
import { Bitfield } from '../core/bitfield.ts'
import type { Millis, PeerKey } from '../core/types.ts'
import { Pipeline } from './pipeline.ts'

/** Questions without an answer; with requests they stay under kubo's 1,024 queued wants. */
const MOST_UNANSWERED = 512

/** Questions that stand at one peer, answered with no so far: half of the wants that a ledger keeps of a peer. */
const MOST_STANDING = 4_096

interface Request {
  readonly size: number
  readonly at: Millis
}

export class SwarmPeer {
  readonly key: PeerKey
  readonly pipeline = new Pipeline()
  /** In the order asked; a peer answers about in that order. */
  readonly requests = new Map<number, Request>()
  bytesRequested = 0
  has: Bitfield
  /** Questions put to the peer that it may still answer with yes, now or when it gets the piece. */
  #standing: Bitfield
  /** Those of them that it has not answered at all. */
  #unanswered: Bitfield
  /** It has said something of what it has; before that it is presumed to have everything. */
  answered = false
  /** No piece below this index is worth a question. */
  askFrom = 0

  constructor(key: PeerKey, pieces: number) {
    this.key = key
    this.has = new Bitfield(pieces)
    this.#standing = new Bitfield(pieces)
    this.#unanswered = new Bitfield(pieces)
  }

  grow(pieces: number): void {
    this.has = this.has.resized(pieces)
    this.#standing = this.#standing.resized(pieces)
    this.#unanswered = this.#unanswered.resized(pieces)
  }

  get inFlight(): { requests: number; bytes: number } {
    return { requests: this.requests.size, bytes: this.bytesRequested }
  }

  mayHave(piece: number): boolean {
    return !this.answered || this.has.has(piece)
  }

  /** How many more questions may be put. */
  get mayAsk(): number {
    return Math.min(MOST_UNANSWERED - this.#unanswered.count, MOST_STANDING - this.#standing.count)
  }

  /** Whether the peer's word on this piece is known or under way; the answer to a request tells as much. */
  knows(piece: number): boolean {
    return this.has.has(piece) || this.#standing.has(piece) || this.requests.has(piece)
  }

  ask(piece: number): void {
    this.#standing.add(piece)
    this.#unanswered.add(piece)
  }

  /** Ends a question; true when one stood. */
  retire(piece: number): boolean {
    this.#unanswered.delete(piece)
    return this.#standing.delete(piece)
  }

  /** The peer has the piece: true when that is news. */
  gain(piece: number): boolean {
    this.retire(piece)
    return this.has.add(piece)
  }

  /** The peer lacks the piece: true when it was thought to have it. A question stands on. */
  lose(piece: number): boolean {
    this.#unanswered.delete(piece)
    if (!this.has.delete(piece)) return false
    this.askAgain(piece)
    return true
  }

  /** The piece may be worth a question again. */
  askAgain(piece: number): void {
    this.askFrom = Math.min(this.askFrom, piece)
  }

  request(piece: number, size: number, now: Millis): void {
    this.pipeline.requested(this.requests.size, now)
    this.requests.set(piece, { size, at: now })
    this.bytesRequested += size
    this.retire(piece)
  }

  /** Drops a request and returns it, or undefined when there was none. */
  release(piece: number): Request | undefined {
    const request = this.requests.get(piece)
    if (request === undefined) return undefined
    this.requests.delete(piece)
    this.bytesRequested -= request.size
    this.askAgain(piece)
    return request
  }

  /**
   * Seconds until a piece in flight here is due, by what is ahead of it and the rate. Infinity for a silent peer;
   * where no rate is known, as long again as it has been waited for.
   */
  dueIn(piece: number, now: Millis): number {
    if (this.pipeline.snubbed) return Number.POSITIVE_INFINITY
    const rate = this.pipeline.meter.rate(now)
    if (rate === 0) return (now - (this.requests.get(piece)?.at ?? now)) / 1000
    let ahead = 0
    for (const [index, request] of this.requests) {
      ahead += request.size
      if (index === piece) break
    }
    return ahead / rate
  }
}
