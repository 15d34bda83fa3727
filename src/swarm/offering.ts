/**
 * Whom to offer what, in one swarm. A leecher offers to the peer with the fewest pieces, those under way counted, the
 * piece that is rarest among all it knows. A seeder looks at what becomes of its pieces: it offers to the peer that
 * has passed on most of what it was the first to get, so that peers which keep everything to themselves come last.
 */
import type { PeerKey } from '../core/types.ts'
import { PiecePicker } from './piece-picker.ts'
import type { Swarm } from './swarm.ts'
import { type SwarmPeer, waitingBytes } from './swarm-peer.ts'

/** What a piece on its way to a peer counts beside one that it has and has not passed on. */
const EXPECTED_WEIGHT = 0.3

/** A peer that got this much and gave nothing back, though it could have, is not a newcomer any more. */
const GRACE_BYTES = 1 << 20

/** It gives less than this part of what it gets. */
const RIDES = 1 / 20

/** Every so many offers, those that give nothing are treated like all others: they may be able to give by now. */
const OPTIMISTIC_EVERY = 100

/** Bytes offered to a peer or accepted by it, and not being sent: one piece, or several small ones. */
const MOST_UNSTARTED_BYTES = 512 << 10

/** What the empty offer brings in is not known before: as little as nothing and as much as a piece. */
const EMPTY_OFFER_BYTES = 512 << 10

/** Given to a peer first, or seen at another since. */
const PASSED_ON = 'passed on'

/** What an uploader could offer next. Without a piece: it has nothing that this peer lacks and does not expect. */
export interface Choice {
  readonly peer: SwarmPeer
  readonly piece: number | undefined
}

type Asks = (peer: PeerKey, piece: number) => boolean

export class Offering {
  /** Everything was here from the start. */
  seeds = false
  readonly #swarm: Swarm
  /** What we have, by how many peers have or expect it. */
  readonly #picker: PiecePicker
  /** Pieces offered and not answered yet, by peer. */
  readonly #offered = new Map<PeerKey, Set<number>>()
  /** Who was the first to get a piece from this seeder. */
  readonly #firstTo = new Map<number, SwarmPeer | typeof PASSED_ON>()
  /** `share` peers that lack something. */
  readonly #receivers = new Set<SwarmPeer>()
  #offers = 0
  /** The earliest time at which a peer that is left alone now may be offered something. */
  retryAt = Number.POSITIVE_INFINITY

  constructor(swarm: Swarm) {
    this.#swarm = swarm
    this.#picker = new PiecePicker(swarm.common.prng, swarm.common.policy.rarest)
  }

  /** Whether there is anything to offer and anybody to take it. */
  get wanted(): boolean {
    return this.#receivers.size > 0 && this.#swarm.pieces.have.count > 0
  }

  // --- what is known

  grow(pieces: number): void {
    this.#picker.grow(pieces)
    for (const peer of this.#swarm.peers.values()) this.#receive(peer)
  }

  joined(peer: SwarmPeer): void {
    this.#receive(peer)
  }

  #receive(peer: SwarmPeer): void {
    if (peer.wire !== 'share' || peer.has.count >= this.#swarm.pieces.length) this.#receivers.delete(peer)
    else this.#receivers.add(peer)
  }

  /** We have a piece more. */
  add(piece: number): void {
    this.#picker.add(piece)
  }

  /** A peer has a piece. */
  gained(peer: SwarmPeer, piece: number): void {
    if (!peer.expects.delete(piece)) this.#picker.count(piece, 1)
    if (this.#offered.get(peer.key)?.delete(piece) === true) this.#picker.count(piece, -1)
    peer.dullUntil = 0
    if (peer.has.count >= this.#swarm.pieces.length) this.#receivers.delete(peer)
    if (!this.seeds) return
    const first = this.#firstTo.get(piece)
    if (first === peer || first === PASSED_ON) return
    if (first !== undefined) first.unreplicated--
    this.#firstTo.set(piece, PASSED_ON)
  }

  /** A peer lacks what it was thought to have. */
  lost(peer: SwarmPeer, piece: number): void {
    this.#picker.count(piece, -1)
    this.#receive(peer)
  }

  expects(peer: SwarmPeer, piece: number): void {
    if (!peer.has.has(piece) && peer.expects.add(piece)) this.#picker.count(piece, 1)
  }

  expectsNoMore(peer: SwarmPeer, piece: number): void {
    if (peer.expects.delete(piece)) this.#picker.count(piece, -1)
  }

  left(peer: SwarmPeer): void {
    for (const piece of peer.has) this.#picker.count(piece, -1)
    for (const piece of peer.expects) this.#picker.count(piece, -1)
    for (const piece of this.#offered.get(peer.key) ?? []) this.#picker.count(piece, -1)
    this.#offered.delete(peer.key)
    this.#receivers.delete(peer)
    for (const [piece, first] of this.#firstTo) if (first === peer) this.#firstTo.delete(piece)
  }

  // --- what is offered

  /** An offer goes out; until it is answered the piece counts as under way there. */
  made({ peer, piece }: Choice): void {
    this.#offers++
    peer.unstarted += waitingBytes(this.sizeOf(piece))
    if (piece === undefined) return
    this.#reserve(peer, piece)
    if (!this.seeds || this.#firstTo.has(piece)) return
    this.#firstTo.set(piece, peer)
    peer.unreplicated++
  }

  /** Nobody answered: its place is free for others. It stands all the same, so the piece is not offered again. */
  givenUp({ peer, piece }: Choice): void {
    peer.unstarted -= waitingBytes(this.sizeOf(piece))
    if (piece !== undefined) this.#withdraw(peer, piece)
  }

  /** An offer was answered; `taken` if the piece goes there. */
  answered({ peer, piece, givenUp }: Choice & { readonly givenUp: boolean }, taken: boolean): void {
    if (!givenUp) peer.unstarted -= waitingBytes(this.sizeOf(piece))
    if (piece === undefined) return
    if (this.#offered.get(peer.key)?.delete(piece) === true) this.#picker.count(piece, -1)
    if (taken) this.expects(peer, piece)
    else this.#withdraw(peer, piece)
  }

  /** The piece goes to somebody else first. */
  #withdraw(peer: SwarmPeer, piece: number): void {
    if (this.#firstTo.get(piece) !== peer) return
    this.#firstTo.delete(piece)
    peer.unreplicated--
  }

  /** Bytes that an offer stands for. */
  sizeOf(piece: number | undefined): number {
    return piece === undefined ? EMPTY_OFFER_BYTES : this.#swarm.pieces.size(piece)
  }

  /** A piece that a peer which asks on its own should ask for; counts as under way there until the peer has it. */
  suggestion(peer: SwarmPeer): number | undefined {
    const piece = this.#pieceFor(peer, () => false)
    if (piece === undefined) return undefined
    this.#reserve(peer, piece)
    return piece
  }

  /** The piece may be under way there soon; until that is known it counts as if it were. */
  #reserve(peer: SwarmPeer, piece: number): void {
    this.#offered.set(peer.key, (this.#offered.get(peer.key) ?? new Set()).add(piece))
    this.#picker.count(piece, 1)
  }

  // --- choosing

  /**
   * The next offer, for one that can start at `startsAt`; undefined when nobody takes anything. What a peer `asks` for
   * already is not offered to it.
   */
  choose(now: number, startsAt: number, asks: Asks): Choice | undefined {
    this.retryAt = Number.POSITIVE_INFINITY
    const candidates = this.#candidates(now, startsAt)
    for (const peer of candidates) {
      const piece = this.#pieceFor(peer, asks)
      if (piece !== undefined) return { peer, piece }
    }
    return this.#swarm.common.policy.split ? this.#unneeded(candidates) : undefined
  }

  /** Peers that may be offered something now, the most deserving first. */
  #candidates(now: number, startsAt: number): SwarmPeer[] {
    const ranked: { peer: SwarmPeer; rank: number }[] = []
    const optimistic = this.#offers % OPTIMISTIC_EVERY === 0
    for (const peer of this.#receivers) {
      if (peer.unstarted >= MOST_UNSTARTED_BYTES) continue
      if (peer.dullUntil > now) this.retryAt = Math.min(this.retryAt, peer.dullUntil)
      else if (peer.busyUntil > startsAt)
        this.retryAt = Math.min(this.retryAt, peer.busyUntil - (startsAt - now))
      else ranked.push({ peer, rank: this.#rank(peer, optimistic) })
    }
    return ranked.sort((a, b) => a.rank - b.rank).map(({ peer }) => peer)
  }

  #rank(peer: SwarmPeer, optimistic: boolean): number {
    const { prng, policy } = this.#swarm.common
    const tie = prng.unit() / 10_000
    const last = !optimistic && policy.reciprocity && this.#rides(peer) ? 1e9 : 0
    if (this.seeds && policy.unreplicated)
      return last + peer.unreplicated + EXPECTED_WEIGHT * peer.expects.count + tie
    return last + peer.has.count + peer.expects.count + tie
  }

  #rides({ servedWhileUseful, received }: SwarmPeer): boolean {
    return servedWhileUseful > GRACE_BYTES && received < servedWhileUseful * RIDES
  }

  #pieceFor(peer: SwarmPeer, asks: Asks): number | undefined {
    if (!this.#hasNews(peer)) return undefined
    const offered = this.#offered.get(peer.key)
    return this.#picker.pick(
      (piece) => peer.lacks(piece) && offered?.has(piece) !== true && !asks(peer.key, piece),
    )
  }

  /** Whether we have anything that the peer lacks; eight pieces at a time, since the answer is often no. */
  #hasNews({ has, expects }: SwarmPeer): boolean {
    const { bytes } = this.#swarm.pieces.have
    for (let at = 0; at < bytes.length; at++)
      if (((bytes[at] ?? 0) & ~(has.bytes[at] ?? 0) & ~(expects.bytes[at] ?? 0)) !== 0) return true
    return false
  }

  /** A peer that waits for something that we could send a part of. */
  #unneeded(candidates: readonly SwarmPeer[]): Choice | undefined {
    const { bytes } = this.#swarm.pieces.have
    for (const peer of candidates) {
      for (let at = 0; at < bytes.length; at++)
        if (((bytes[at] ?? 0) & ~(peer.has.bytes[at] ?? 0)) !== 0) return { peer, piece: undefined }
    }
    return undefined
  }
}
