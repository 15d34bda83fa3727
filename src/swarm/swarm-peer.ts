/** One peer in one swarm, as a source: what it has, what is asked of it, how it delivers. */
import { Bitfield } from '../core/bitfield.ts'
import type { Millis, PeerKey } from '../core/types.ts'
import { Pipeline } from './pipeline.ts'

/** Questions that may stand at one peer; with requests they stay under kubo's 1,024 queued wants. */
const MOST_QUESTIONS = 512

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
  /** Pieces whose presence was asked, whether answered or not. */
  asked: Bitfield
  /** Questions without an answer yet. */
  #unanswered: Bitfield
  /** It has said something of what it has; before that it is presumed to have everything. */
  answered = false

  constructor(key: PeerKey, pieces: number) {
    this.key = key
    this.has = new Bitfield(pieces)
    this.asked = new Bitfield(pieces)
    this.#unanswered = new Bitfield(pieces)
  }

  grow(pieces: number): void {
    this.has = this.has.resized(pieces)
    this.asked = this.asked.resized(pieces)
    this.#unanswered = this.#unanswered.resized(pieces)
  }

  get inFlight(): { requests: number; bytes: number } {
    return { requests: this.requests.size, bytes: this.bytesRequested }
  }

  get mayAsk(): number {
    return MOST_QUESTIONS - this.#unanswered.count
  }

  ask(piece: number): void {
    this.asked.add(piece)
    this.#unanswered.add(piece)
  }

  answer(piece: number): void {
    this.answered = true
    this.#unanswered.delete(piece)
  }

  request(piece: number, size: number, now: Millis): void {
    this.pipeline.requested(this.requests.size, now)
    this.requests.set(piece, { size, at: now })
    this.bytesRequested += size
  }

  /** Drops a request and returns it, or undefined when there was none. */
  release(piece: number): Request | undefined {
    const request = this.requests.get(piece)
    if (request === undefined) return undefined
    this.requests.delete(piece)
    this.bytesRequested -= request.size
    return request
  }

  /** Seconds until a piece in flight here is due, by what is ahead of it and the rate; Infinity when nothing is known. */
  dueIn(piece: number, now: Millis): number {
    const rate = this.pipeline.meter.rate(now)
    if (rate === 0 || this.pipeline.snubbed) return Number.POSITIVE_INFINITY
    let ahead = 0
    for (const [index, request] of this.requests) {
      ahead += request.size
      if (index === piece) break
    }
    return ahead / rate
  }
}
