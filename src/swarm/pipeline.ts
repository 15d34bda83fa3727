/**
 * How much to have in flight at one peer, and how long to wait for it. The window doubles while a peer
 * delivers and its rate is unknown, then follows rate × (round trip + a second). The patience follows the
 * mean and deviation of the pauses between pieces, as TCP's retransmission timer does (RFC 6298).
 */
import { type Millis, millis } from '../core/types.ts'
import { RateMeter } from './rate.ts'

/** First window: enough to see a rate, little enough to lose. */
const FIRST_WINDOW = 4 << 20

/** Two of the largest blocks: one arriving while the next is asked for. */
const LEAST_WINDOW = 2 << 20

/** At 1 MiB pieces, 64 in flight fetched fastest from kubo; 256 were slower and only hold memory. */
const MOST_WINDOW = 64 << 20

/** A serving kubo queues at most 1,024 wants of a peer, questions included. */
const MOST_REQUESTS = 512

/** Work kept at the peer beyond the round trip. */
const AHEAD_MS = 1000

/** Rates over less than this are noise. */
const MEASURED_MS = 1000

/** A silent peer rests so long, and twice as long each time that it is silent again. */
const FIRST_REST_MS = 10_000
const MOST_REST_MS = 600_000

const FIRST_PATIENCE_MS = 10_000
const LEAST_PATIENCE_MS = 2_000
const MOST_PATIENCE_MS = 60_000

export class Pipeline {
  readonly meter = new RateMeter()
  #window = FIRST_WINDOW
  #started: Millis | undefined
  #roundTrip: number | undefined
  #lastArrival: Millis = millis(0)
  #lastPiece: Millis = millis(0)
  #meanPause: number | undefined
  #pauseDeviation = 0
  /** Something has come of it at some time. */
  heard = false
  /** Silent for longer than its own habit: gets one request at a time until it delivers. */
  snubbed = false
  #snubbedAt: Millis = millis(0)
  #restMs = 0
  /** Bytes a second when it last delivered; 0 before the first piece. */
  pace = 0

  /** Whether one more request fits beside what is in flight. */
  hasRoom(inFlight: { requests: number; bytes: number }): boolean {
    if (this.snubbed) return inFlight.requests === 0
    return inFlight.requests < MOST_REQUESTS && inFlight.bytes < this.#window
  }

  /** A request goes out; the wait for an answer starts now if nothing was in flight. */
  requested(inFlight: number, now: Millis): void {
    if (this.#started === undefined) {
      this.#started = now
      // the way of the first piece counts, or its rate would be that of its last moment
      this.meter.add(0, now)
    }
    if (inFlight > 0) return
    this.#lastArrival = now
    this.#lastPiece = now
  }

  /** Nothing came for too long; its patience starts anew. */
  snub(now: Millis): void {
    this.snubbed = true
    this.#snubbedAt = now
    this.#restMs = Math.min(MOST_REST_MS, Math.max(FIRST_REST_MS, 2 * this.#restMs))
    this.#lastArrival = now
  }

  /** Bytes came, in part or as the end of a piece. */
  progressed(bytes: number, now: Millis): void {
    this.meter.add(bytes, now)
    this.#lastArrival = now
    this.heard = true
    this.snubbed = false
    this.#restMs = 0
  }

  /** A whole piece came, `latency` after it was asked for. */
  delivered(bytes: number, latency: number, now: Millis): void {
    this.#observePause(now - this.#lastPiece)
    this.#lastPiece = now
    this.#roundTrip = Math.min(this.#roundTrip ?? latency, latency)
    this.pace = this.meter.rate(now)
    if (this.#started === undefined || now - this.#started < MEASURED_MS) {
      this.#window = Math.min(this.#window + bytes, MOST_WINDOW)
      return
    }
    const target = (this.pace * (this.#roundTrip + AHEAD_MS)) / 1000
    this.#window = Math.min(Math.max(target, LEAST_WINDOW), MOST_WINDOW)
  }

  /** Until then a silent peer is asked for nothing that others could send: it has had its turn. */
  get restsUntil(): Millis {
    return millis(this.snubbed ? this.#snubbedAt + this.#restMs : 0)
  }

  /** When something of it came the last time, or was asked of it while nothing else was. */
  get lastArrival(): Millis {
    return this.#lastArrival
  }

  /** When the peer counts as snubbed unless something comes. */
  get deadline(): Millis {
    return millis(this.#lastArrival + this.#patience)
  }

  get #patience(): number {
    if (this.#meanPause === undefined) return FIRST_PATIENCE_MS
    const wait = this.#meanPause + 4 * this.#pauseDeviation
    return Math.min(Math.max(wait, LEAST_PATIENCE_MS), MOST_PATIENCE_MS)
  }

  #observePause(pause: number): void {
    if (this.#meanPause === undefined) {
      this.#meanPause = pause
      this.#pauseDeviation = pause / 2
      return
    }
    this.#pauseDeviation += (Math.abs(pause - this.#meanPause) - this.#pauseDeviation) / 4
    this.#meanPause += (pause - this.#meanPause) / 8
  }
}
