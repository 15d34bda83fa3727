/**
 * Answers to `share` peers that offer: a piece is taken when it is neither here nor on its way and the downlink has
 * room; a peer with nothing to offer, or nothing else to be asked for, is handed a part of what comes too slowly from
 * others, or all of what has yet to begin, so that the last pieces come from several at once and no byte comes twice.
 */
import type { Millis } from '../core/types.ts'
import type { SwarmAction, SwarmEvent } from './events.ts'
import type { Source } from './incoming-piece.ts'
import { MOST_START_MS } from './offers.ts'
import type { Bytes } from './spans.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** A smaller part is not worth its messages. */
const LEAST_PART_BYTES = 64 << 10

/** One piece comes from so many at once, at most. */
const MOST_SOURCES = 4

/** What is neither here nor coming, and not to be had of this peer now, may be offered again so much later. */
const AGAIN_MS = 1_000

/** A peer that is asked for urgent pieces offers others so much later. */
const URGENT_MS = 250

/** A learnt rate may be an old or a lucky one: less is handed over than it promises. */
const MARGIN = 1.2

type Offer = Extract<SwarmEvent, { type: 'offered' }>
type Idle = Extract<SwarmEvent, { type: 'idle' }>

export class Accepting {
  readonly #swarm: Swarm

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  offered(peer: SwarmPeer, offer: Offer, now: Millis, out: SwarmAction[]): void {
    const { root } = this.#swarm
    const { piece, rate, start } = offer
    const wanted = this.#wants(peer, offer, now)
    // who is turned down takes it that the piece is here or coming, until it is told otherwise
    if (!wanted && !this.#swarm.expected.isOpen(piece)) {
      out.push({ type: 'decline', root, peer: peer.key, piece })
      return
    }
    const wait = Math.max(peer.roundTrip / 2, Math.min(start, MOST_START_MS) - peer.roundTrip / 2)
    const startsAt = now + wait
    const ms = wanted ? this.#putsOff(peer, piece, startsAt, now) : AGAIN_MS
    if (ms > 0) out.push({ type: 'busy', root, peer: peer.key, piece, ms: Math.ceil(ms) + wait })
    else {
      const span = this.#taken(peer, offer, now, out)
      this.#swarm.asking.request(peer, piece, span, { rate, startsAt }, now, out)
    }
  }

  /** Ms by which an offer comes too soon. */
  #putsOff(peer: SwarmPeer, piece: number, startsAt: number, now: Millis): number {
    return this.#hurries(peer, piece) ? URGENT_MS : this.#busy(startsAt, now)
  }

  /** Somebody reads, and the peer has better to send. */
  #hurries(peer: SwarmPeer, offered: number): boolean {
    const { pieces, urgent } = this.#swarm
    if (urgent.length === 0 || peer.choked || peer.pipeline.snubbed) return false
    const before = urgent.includes(offered) ? urgent.slice(0, urgent.indexOf(offered)) : urgent
    return before.some(
      (piece) => peer.sources.has(piece) || (pieces.state(piece) === 'missing' && peer.mayHave(piece)),
    )
  }

  /** Whether bytes of the piece are still to be asked for, or are asked only of peers that do not send them. */
  #wants(peer: SwarmPeer, { piece, eager }: Offer, now: Millis): boolean {
    const { pieces } = this.#swarm
    if (!pieces.isWanted(piece) || peer.sources.has(piece)) return false
    const { sources = [], undivided = false } = pieces.incoming.get(piece) ?? {}
    if (sources.length === 0 || yieldsTo(peer, sources, now)) return true
    return pieces.state(piece) === 'missing' && !eager && !undivided
  }

  /** The bytes of an offered piece that are to be asked for; of those that do not send them no more. */
  #taken(peer: SwarmPeer, { piece, eager }: Offer, now: Millis, out: SwarmAction[]): Bytes {
    const { pieces, root } = this.#swarm
    const book = pieces.book(piece)
    if (yieldsTo(peer, book.sources, now))
      for (const source of [...book.sources]) this.#swarm.asking.cancel(source, now, out)
    const whole = { begin: 0, end: book.size }
    if (!eager && !book.undivided) return this.#swarm.asking.limited(book.holes()[0] ?? whole)
    // what is being sent already comes whole, and so does what was wrong when it came in parts
    if (!book.empty) out.push({ type: 'discard', root, piece })
    book.forget()
    return whole
  }

  /** Ms that a transfer has to wait for the downlink, or for a limit. */
  #busy(startsAt: number, now: Millis): number {
    const { common, limiter } = this.#swarm
    const limit = Math.max(limiter.waits(now), common.downLimiter.waits(now))
    if (limit > 0 || !common.policy.busy) return limit
    return common.downlink.wait(startsAt, now)
  }

  idle(peer: SwarmPeer, offer: Idle, now: Millis, out: SwarmAction[]): void {
    if (this.handOver(peer, offer.rate, now, out)) return
    out.push({ type: 'decline', root: this.#swarm.root, peer: peer.key, piece: undefined })
  }

  /** Asks the peer, which can send so many bytes a second, for a part of what another one sends too slowly. */
  handOver(peer: SwarmPeer, rate: number, now: Millis, out: SwarmAction[]): boolean {
    const slowest = this.#swarm.common.policy.split && peer.reliable ? this.#slowest(peer, now) : undefined
    if (slowest === undefined) return false
    const bytes = this.#part(slowest, peer, rate, now)
    if (bytes < LEAST_PART_BYTES) return false
    const span = { begin: slowest.end - bytes, end: slowest.end }
    const promised = { rate, startsAt: now + peer.roundTrip }
    const all = bytes >= slowest.left
    if (!all) this.#swarm.asking.shorten(slowest, bytes, out)
    this.#swarm.asking.request(peer, slowest.piece, span, promised, now, out)
    // not before: the piece is on its way all the time
    if (all) this.#swarm.asking.cancel(slowest, now, out)
    return true
  }

  /** What will come last of all that this peer could send. */
  #slowest(peer: SwarmPeer, now: Millis): Source | undefined {
    const { pieces } = this.#swarm
    let slowest: Source | undefined
    let most = 0
    for (const source of this.#swarm.common.downlink) {
      if (source.peer === peer || source.peer.wire !== 'share') continue
      // a source of another swarm's peer lies in that swarm's books
      if (this.#swarm.peers.get(source.peer.key) !== source.peer) continue
      if (!peer.has.has(source.piece) || peer.sources.has(source.piece)) continue
      const book = pieces.incoming.get(source.piece)
      if (book === undefined || book.undivided || book.sources.length >= MOST_SOURCES) continue
      const left = startOf(source, now) + leftOf(source, now) / source.rate
      if (left <= most) continue
      slowest = source
      most = left
    }
    return slowest
  }

  /** How many of the last bytes of a source should come from a peer instead, so that both end together. */
  #part(source: Source, peer: SwarmPeer, offered: number, now: Millis): number {
    const { downlink } = this.#swarm.common
    const { rate } = source
    const free = downlink.rate(now) - downlink.load()
    const theirs = Math.min(offered, Math.max(free, rate))
    const left = leftOf(source, now)
    const roundTrip = Math.max(peer.roundTrip, source.peer.roundTrip) / 1000
    const start = startOf(source, now)
    const even = ((left + (start - roundTrip) * rate) * theirs) / (rate + theirs)
    return Math.floor(Math.min(even, left - MARGIN * Math.max(0, roundTrip - start) * rate))
  }
}

/** Seconds until the first byte of a source should be here. */
const startOf = ({ progress, startsAt }: Source, now: Millis): number =>
  progress.started ? 0 : Math.max(0, startsAt - now) / 1000

/** Whether only peers that do not send are asked, and this one is not resting because it did not either. */
const yieldsTo = (peer: SwarmPeer, sources: readonly Source[], now: Millis): boolean =>
  now >= peer.pipeline.restsUntil && !sources.some((source) => source.peer.reliable)

/** Bytes that have not arrived, by what came so far and how fast. */
const leftOf = ({ begin, end, progress }: Source, now: Millis): number =>
  Math.max(0, end - begin - progress.expected(now))
