/**
 * What is asked of peers that send only what they are asked for, and of `share` peers when somebody waits for a piece:
 * rarest first (Legout, Urvoy-Keller, Michiardi 2006), as much as the peer's pipeline takes, and towards the end a
 * second source for what would come late.
 */
import type { Millis } from '../core/types.ts'
import type { SwarmAction } from './events.ts'
import type { Source } from './incoming-piece.ts'
import type { Bytes } from './spans.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** Endgame: how many peers may send the same piece at once. */
const MOST_SOURCES = 3

/** Endgame: a second source is asked when it is this much sooner than the present one. */
const SOONER = 2

/** Endgame: of a peer that never delivered nothing is known; it is tried where the present source needs so long, in s. */
const STRANGER_S = 5

/** Urgent pieces asked of one `share` peer at once: one coming and one to follow. */
const MOST_URGENT = 2

export class Pulling {
  readonly #swarm: Swarm
  /** A request was put off by a limiter; `fillAll` is due when that lets it through. */
  #held = false
  /** When the last of those that fell silent may be asked for anything again. */
  #restsUntil = 0

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  /** When a request that was put off may go, in ms from now; undefined when none was. */
  waits(now: Millis): number | undefined {
    if (!this.#held) return undefined
    return Math.max(this.#swarm.limiter.waits(now), this.#swarm.common.downLimiter.waits(now))
  }

  /** When time alone makes a peer worth asking again; Infinity when it does not. */
  dueAt(now: Millis): number {
    return this.#restsUntil > now ? this.#restsUntil : Number.POSITIVE_INFINITY
  }

  fillAll(now: Millis, out: SwarmAction[]): void {
    this.#held = false
    if (!this.#swarm.pieces.have.complete)
      for (const peer of this.#swarm.peers.values()) this.fill(peer, now, out)
    if (!this.#held) this.#swarm.common.limited.delete(this)
  }

  /** Nothing more is asked for. */
  close(): void {
    this.#swarm.common.limited.delete(this)
  }

  /** Asks the peer for as much as it should have to do, and for presence ahead of that. */
  fill(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    const { pieces, urgent } = this.#swarm
    if (pieces.have.complete) return
    if (urgent.length > 0) this.#hurry(peer, now, out)
    if (this.#offersInstead(peer)) return
    while (!peer.choked && peer.pipeline.hasRoom(peer.inFlight)) {
      const begun = this.#pickBegun(peer, now)
      if (begun === undefined && this.#takesPart(peer, now, out)) continue
      const piece = begun ?? this.#pick(peer, now) ?? this.#pickLast(peer, now, out)
      if (piece === undefined || !this.#ask(peer, piece, now, out)) break
    }
    if (peer.wire === 'bitswap') this.#askPresence(peer, out)
  }

  #offersInstead({ wire }: SwarmPeer): boolean {
    return wire === 'share' && this.#swarm.common.policy.offers
  }

  /** Asks for the first urgent pieces that nobody sends. */
  #hurry(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    if (peer.choked || peer.pipeline.snubbed) return
    for (const piece of this.#swarm.urgent) {
      if (
        this.#offersInstead(peer) ? peer.sources.size >= MOST_URGENT : !peer.pipeline.hasRoom(peer.inFlight)
      )
        return
      if (this.#swarm.pieces.state(piece) !== 'missing' || !this.#mayAsk(peer, piece, now)) continue
      if (!this.#ask(peer, piece, now, out)) return
    }
  }

  /** What was begun comes before anything new: it lies in memory, and nobody can have it of us, until it is whole. */
  #pickBegun(peer: SwarmPeer, now: Millis): number | undefined {
    if (peer.wire === 'bitswap') return undefined
    for (const piece of this.#swarm.pieces.begun) if (this.#mayAsk(peer, piece, now)) return piece
    return undefined
  }

  /** Under a limit pieces are asked for in steps, which any peer may take. */
  #takesPart(peer: SwarmPeer, now: Millis, out: SwarmAction[]): boolean {
    const { limiter, common, dividing } = this.#swarm
    return limiter.unlimited && common.downLimiter.unlimited && dividing.takePart(peer, now, out)
  }

  #pick(peer: SwarmPeer, now: Millis): number | undefined {
    const { picker } = this.#swarm.pieces
    for (const piece of peer.suggested) {
      if (picker.includes(piece) && this.#mayAsk(peer, piece, now)) return piece
      peer.suggested.delete(piece)
    }
    // what it was not asked about yet is most of a large share
    return picker.pick((candidate) => this.#mayAsk(peer, candidate, now), peer.answered)
  }

  #mayAsk(peer: SwarmPeer, piece: number, now: Millis): boolean {
    if (!peer.mayHave(piece) || peer.sources.has(piece)) return false
    if (now < peer.pipeline.restsUntil && this.#othersSend(piece)) return false
    const book = this.#swarm.pieces.incoming.get(piece)
    return book === undefined || !book.undivided || book.sources.length === 0
  }

  /** Whether a peer that is not silent has the piece, or may have it. */
  #othersSend(piece: number): boolean {
    for (const peer of this.#swarm.peers.values())
      if (!peer.pipeline.snubbed && peer.mayHave(piece)) return true
    return false
  }

  /**
   * An idle peer takes a part of what `share` peers are slow to send, where parts can be asked for. Of others, when
   * everything missing is on its way, it takes the piece that is due last, if it is much sooner.
   */
  #pickLast(peer: SwarmPeer, now: Millis, out: SwarmAction[]): number | undefined {
    if (peer.sources.size > 0 || peer.pipeline.snubbed) return undefined
    const { accepting, pieces } = this.#swarm
    const { pace } = peer.pipeline
    if (peer.wire === 'bittorrent' && pace > 0 && accepting.handOver(peer, pace, now, out)) return undefined
    return pieces.picker.size === 0 && pieces.final ? this.#pickEndgame(peer, now) : undefined
  }

  #pickEndgame(peer: SwarmPeer, now: Millis): number | undefined {
    const { pace } = peer.pipeline
    let latest: { piece: number; due: number } | undefined
    for (const [piece, { size, sources, undivided }] of this.#swarm.pieces.incoming) {
      if (this.#swarm.pieces.state(piece) !== 'requested' || !peer.mayHave(piece) || undivided) continue
      if (sources.length >= MOST_SOURCES || sources.some((source) => source.peer === peer)) continue
      const due = Math.min(...sources.map((source) => source.peer.dueIn(source, now)))
      const sooner = due > (pace === 0 ? STRANGER_S : (SOONER * size) / pace)
      if (sooner && (latest === undefined || due > latest.due)) latest = { piece, due }
    }
    return latest?.piece
  }

  /** False when a limiter puts it off. */
  #ask(peer: SwarmPeer, piece: number, now: Millis, out: SwarmAction[]): boolean {
    if (!this.#hasTurn(now)) {
      this.#held = true
      return false
    }
    peer.suggested.delete(piece)
    const { pace } = peer.pipeline
    const rate = pace / (peer.sources.size + 1) || this.#swarm.common.downlink.rate(now)
    const startsAt = now + peer.roundTrip
    this.#swarm.asking.request(peer, piece, this.#span(peer, piece, out), { rate, startsAt }, now, out)
    return true
  }

  /** On Bitswap a piece comes whole; elsewhere what is missing of it, in steps that a limit allows. */
  #span(peer: SwarmPeer, piece: number, out: SwarmAction[]): Bytes {
    const { pieces, root } = this.#swarm
    const whole = { begin: 0, end: pieces.size(piece) }
    if (peer.wire === 'bitswap') return whole
    const book = pieces.book(piece)
    if (book.undivided) {
      if (!book.empty) out.push({ type: 'discard', root, piece })
      book.forget()
      return whole
    }
    // where others were asked for everything, what they have yet to send
    const [first = whole] = [...book.holes(), ...book.missing()]
    return this.#swarm.asking.limited(first)
  }

  /**
   * Whether the limits let something in now. What all swarms may bring in together is theirs by turns; whoever waits for
   * a limit of its own keeps nobody else waiting.
   */
  #hasTurn(now: Millis): boolean {
    const { limiter, common } = this.#swarm
    const { limited, downLimiter } = common
    const ready = limiter.ready(now)
    const [next = this] = limited
    const has = ready && (downLimiter.unlimited || (next === this && downLimiter.ready(now)))
    if (ready && !has) limited.add(this)
    else limited.delete(this)
    return has
  }

  /** Presence of missing pieces that this peer was not asked about, a bounded number at a time. */
  #askPresence(peer: SwarmPeer, out: SwarmAction[]): void {
    const { pieces, root } = this.#swarm
    const asked: number[] = []
    let room = peer.mayAsk
    for (; peer.askFrom < pieces.length && room > 0; peer.askFrom++) {
      const piece = peer.askFrom
      if (!pieces.isWanted(piece) || peer.knows(piece)) continue
      peer.ask(piece)
      asked.push(piece)
      room--
    }
    if (asked.length > 0) out.push({ type: 'ask', root, peer: peer.key, pieces: asked })
  }

  // --- silence

  /** Looks for peers that have been silent for too long. */
  watch(now: Millis, out: SwarmAction[]): void {
    for (const peer of this.#swarm.peers.values()) {
      if (peer.sources.size === 0) continue
      if (this.#offersInstead(peer)) this.#watchSources(peer, now, out)
      else if (peer.pipeline.deadline <= now) this.#snub(peer, now, out)
    }
  }

  /** What a `share` peer accepted to send and does not is for others to send. */
  #watchSources(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    for (const source of [...peer.sources.values()]) {
      if (deadlineOf(source) > now) continue
      this.#swarm.asking.cancel(source, now, out)
      this.#swarm.expected.silenced(peer, now, out)
    }
  }

  /** A silent peer keeps only what nobody else could send, and is reminded of that: an answer may have been lost. */
  #snub(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    this.#swarm.expected.silenced(peer, now, out)
    this.#restsUntil = Math.max(this.#restsUntil, peer.pipeline.restsUntil)
    const { peers, pieces, root } = this.#swarm
    const presumed = [...peers.values()].some((other) => !other.answered && !other.pipeline.snubbed)
    for (const source of [...peer.sources.values()]) {
      const others = pieces.picker.availability(source.piece) - (peer.has.has(source.piece) ? 1 : 0)
      if (others > 0 || presumed) this.#swarm.asking.cancel(source, now, out)
    }
    if (peer.sources.size === 0 || peer.wire !== 'bitswap') return
    out.push({ type: 'remind', root, peer: peer.key, pieces: [...peer.sources.keys()] })
  }

  /** A peer has this piece now: silent ones need not be waited for. */
  releaseFromSnubbed(piece: number, now: Millis, out: SwarmAction[]): void {
    const { pieces } = this.#swarm
    const sources = pieces.incoming.get(piece)?.sources
    if (sources === undefined || pieces.state(piece) !== 'requested') return
    if (!sources.every((source) => source.peer.pipeline.snubbed)) return
    for (const source of [...sources]) this.#swarm.asking.cancel(source, now, out)
  }
}

/** Shorter pauses are ordinary: a busy machine, a retransmission. */
const LEAST_PATIENCE_MS = 2_000

/** A queue at the sender may be longer than it thought. */
const START_PATIENCE_MS = 3_000

const MOST_PATIENCE_MS = 60_000

/** Bytes that a sender confirms or delivers in one go, at most; the pause between two of them is ordinary. */
const STEP_BYTES = 256 << 10

/** When a source counts as stalled unless something comes. What a peer sends before it is no silence. */
function deadlineOf({ progress, rate, startsAt, peer }: Source): number {
  if (!progress.started)
    return Math.max(startsAt, progress.since, peer.pipeline.lastArrival) + START_PATIENCE_MS
  const pause = (8 * STEP_BYTES * 1000) / Math.max(1, rate)
  return progress.lastAt + Math.min(Math.max(pause, LEAST_PATIENCE_MS), MOST_PATIENCE_MS)
}
