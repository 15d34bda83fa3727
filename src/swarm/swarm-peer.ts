/** One peer in one swarm: what it has and expects, what is asked of it, what it gets from us, how it behaves. */
import { Bitfield } from '../core/bitfield.ts'
import type { Millis, PeerKey } from '../core/types.ts'
import type { PeerView, Wire } from './events.ts'
import { EXPECTS, HAS, HeldPieces, type Holdings, OFFERED } from './holdings.ts'
import type { Source } from './incoming-piece.ts'
import { Pipeline } from './pipeline.ts'

/** Questions without an answer; with requests they stay under kubo's 1,024 queued wants. */
const MOST_UNANSWERED = 512

/** Questions that stand at one peer, answered with no so far: half of the wants that a ledger keeps of a peer. */
const MOST_STANDING = 4_096

/** Yes, no and yes again within less is no news but a flood. */
const DISBELIEF_MS = 4_000

/** What a piece counts at least, of those that wait: a peer takes 250 requests, however small they are. */
const LEAST_WAITING_BYTES = 8 << 10

/** Assumed until an offer was answered, in ms. */
const FIRST_ROUND_TRIP_MS = 40

/** What bytes that wait for a peer count; 0 when there are none. */
export function waitingBytes(bytes: number): number {
  return bytes === 0 ? 0 : Math.max(bytes, LEAST_WAITING_BYTES)
}

export class SwarmPeer {
  readonly key: PeerKey
  readonly wire: Wire
  readonly has: HeldPieces
  /** On their way to it from somebody. */
  readonly expects: HeldPieces
  /** Offered to it and not answered, or suggested and not here. */
  readonly offered: HeldPieces
  /** Its number in the swarm. */
  readonly slot: number
  readonly #holdings: Holdings

  // --- as a source
  readonly pipeline = new Pipeline()
  /** What it is to send us, in the order asked. */
  readonly sources = new Map<number, Source>()
  bytesRequested = 0
  /** It serves no requests but for what it offered. On Bitswap there is no choke. */
  choked: boolean
  interested = false
  received = 0
  /** Questions put to the peer that it may still answer with yes, now or when it gets the piece. */
  #standing: Bitfield
  /** Those of them that it has not answered at all. */
  #unanswered: Bitfield
  /** It has said something of what it has; before that a Bitswap peer is presumed to have everything. */
  answered: boolean
  /** When it did not give what it was said to have. */
  readonly #disowned = new Map<number, Millis>()
  /** No piece below this index is worth a question. */
  askFrom = 0
  readonly suggested = new Set<number>()

  // --- as a receiver
  /** Pieces that we suggested to it, and that it has neither asked for nor got since. */
  readonly advised = new Set<number>()
  choking: boolean
  wanted = false
  served = 0
  /** Bytes that it got from us while it had something that we lacked. */
  servedWhileUseful = 0
  /** Pieces that a seeder sent to it first, and that it has not passed on yet. */
  unreplicated = 0
  /** Bytes of offers that it has not answered, and of accepted pieces that wait for their turn. */
  unstarted = 0
  /** What it had sent us when the last round of the choker began. */
  receivedBefore = 0
  /** When the choker last let it ask, in ms. */
  allowedAt = 0
  /** Offering it something before is pointless: it turned us down, or has too much coming in. */
  dullUntil = 0
  busyUntil = 0
  /** Ms from an offer to its answer, smoothed. */
  roundTrip = FIRST_ROUND_TRIP_MS
  #answers = 0

  constructor(key: PeerKey, wire: Wire, pieces: number, holdings: Holdings) {
    this.key = key
    this.wire = wire
    this.choked = wire !== 'bitswap'
    this.choking = wire !== 'bitswap'
    this.answered = wire !== 'bitswap'
    this.#holdings = holdings
    this.slot = holdings.join()
    this.has = new HeldPieces(holdings, HAS, this.slot)
    this.expects = new HeldPieces(holdings, EXPECTS, this.slot)
    this.offered = new HeldPieces(holdings, OFFERED, this.slot)
    this.#standing = new Bitfield(this.#asked(pieces))
    this.#unanswered = new Bitfield(this.#asked(pieces))
  }

  /** Of so many pieces, how many questions may be about: elsewhere what a peer has is told unasked. */
  #asked(pieces: number): number {
    return this.wire === 'bitswap' ? pieces : 0
  }

  /** How many of its pieces we lack. */
  get useful(): number {
    return this.#holdings.useful(this.slot)
  }

  grow(pieces: number): void {
    this.#standing = this.#standing.resized(this.#asked(pieces))
    this.#unanswered = this.#unanswered.resized(this.#asked(pieces))
  }

  view(): PeerView {
    const { key: peer, wire, choked, interested, choking, wanted } = this
    const { snubbed } = this.pipeline
    return { peer, wire, pieces: this.has.count, choked, interested, choking, wanted, snubbed }
  }

  get inFlight(): { requests: number; bytes: number } {
    return { requests: this.sources.size, bytes: this.bytesRequested }
  }

  /** What is asked of it will come, as far as is known: it offered it, or has sent something, and is not silent. */
  get reliable(): boolean {
    return !this.pipeline.snubbed && (this.wire === 'share' || this.pipeline.heard)
  }

  mayHave(piece: number): boolean {
    return !this.answered || this.has.has(piece)
  }

  /** An offer was answered after so long. */
  answeredAfter(ms: number): void {
    this.#answers++
    const weight = Math.max(1 / 8, 1 / this.#answers)
    this.roundTrip += (ms - this.roundTrip) * weight
  }

  // --- questions (Bitswap)

  /** How many more questions may be put. */
  get mayAsk(): number {
    return Math.min(MOST_UNANSWERED - this.#unanswered.count, MOST_STANDING - this.#standing.count)
  }

  /** Whether the peer's word on this piece is known or under way; the answer to a request tells as much. */
  knows(piece: number): boolean {
    return this.has.has(piece) || this.#standing.has(piece) || this.sources.has(piece)
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

  /** The answer is no. The question stands on. */
  refused(piece: number): void {
    this.#unanswered.delete(piece)
  }

  /** It was said to have what it then did not give: it is not asked again, and its word counts after a while only. */
  disowned(piece: number, now: Millis): void {
    this.#standing.add(piece)
    this.#disowned.set(piece, now)
  }

  /** Of pieces that it says it has, those on which it may be believed. */
  credible(pieces: readonly number[], now: Millis): readonly number[] {
    if (this.#disowned.size === 0) return pieces
    for (const [piece, at] of this.#disowned) if (now - at >= DISBELIEF_MS) this.#disowned.delete(piece)
    return pieces.filter((piece) => !this.#disowned.has(piece))
  }

  /** The piece may be worth a question again. */
  askAgain(piece: number): void {
    this.askFrom = Math.min(this.askFrom, piece)
  }

  // --- requests

  request(source: Source, now: Millis): void {
    this.pipeline.requested(this.sources.size, now)
    this.sources.set(source.piece, source)
    this.bytesRequested += source.left
    this.retire(source.piece)
  }

  /** Its request is over, or got shorter by so many bytes. */
  relieved(bytes: number): void {
    this.bytesRequested -= bytes
  }

  release(source: Source): void {
    if (this.sources.get(source.piece) !== source) return
    this.sources.delete(source.piece)
    this.bytesRequested -= source.left
    this.askAgain(source.piece)
  }

  /** Seconds until the last byte of a source is due, by what is ahead of it and the rate. Infinity for a silent peer. */
  dueIn(source: Source, now: Millis): number {
    if (this.pipeline.snubbed) return Number.POSITIVE_INFINITY
    const rate = this.pipeline.meter.rate(now)
    if (rate === 0) return (now - source.progress.since) / 1000
    let ahead = 0
    for (const other of this.sources.values()) {
      ahead += other.left
      if (other === source) break
    }
    return ahead / rate
  }
}
