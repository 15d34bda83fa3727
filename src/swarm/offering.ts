/**
 * Whom to offer what, in one swarm. A leecher offers to the peer with the fewest pieces, those under way counted, the
 * piece that is rarest among all it knows. A seeder looks at what becomes of its pieces: it offers to the peer that
 * has passed on most of what it was the first to get, so that peers which keep everything to themselves come last.
 */
import type { PeerKey } from '../core/types.ts'
import type { Swarm } from './swarm.ts'
import { type SwarmPeer, waitingBytes } from './swarm-peer.ts'

/** What a piece on its way to a peer counts beside one that it has and has not passed on. */
const EXPECTED_WEIGHT = 0.3

/** A peer that got this much and gave nothing back, though it could have, is not a newcomer any more. */
const GRACE_BYTES = 512 << 10

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
  /** Who was the first to get a piece from this seeder. */
  readonly #firstTo = new Map<number, SwarmPeer | typeof PASSED_ON>()
  /** `share` peers that lack something, by slot. */
  readonly #receivers: (SwarmPeer | undefined)[] = []
  #offers = 0
  /** The earliest time at which a peer that is left alone now may be offered something. */
  retryAt = Number.POSITIVE_INFINITY

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  /** Whether there is anything to offer and anybody to take it. */
  get wanted(): boolean {
    return this.#swarm.pieces.have.count > 0 && this.#receivers.some((peer) => peer !== undefined)
  }

  // --- what is known

  grow(): void {
    for (const peer of this.#swarm.peers.values()) this.#receive(peer)
  }

  joined(peer: SwarmPeer): void {
    this.#receive(peer)
  }

  #receive(peer: SwarmPeer): void {
    const lacks = peer.has.count < this.#swarm.pieces.length
    this.#receivers[peer.slot] = peer.wire === 'share' && lacks ? peer : undefined
  }

  /** A peer has a piece. */
  gained(peer: SwarmPeer, piece: number): void {
    if (peer.dullUntil > 0) peer.dullUntil = 0
    if (peer.has.count >= this.#swarm.pieces.length) this.#receivers[peer.slot] = undefined
    if (!this.seeds) return
    const first = this.#firstTo.get(piece)
    if (first === peer || first === PASSED_ON) return
    if (first !== undefined) first.unreplicated--
    this.#firstTo.set(piece, PASSED_ON)
  }

  /** A peer lacks what it was thought to have. */
  lost(peer: SwarmPeer): void {
    this.#receive(peer)
  }

  expects(peer: SwarmPeer, piece: number): void {
    if (!peer.has.has(piece)) peer.expects.add(piece)
  }

  expectsNoMore(peer: SwarmPeer, piece: number): void {
    peer.expects.delete(piece)
  }

  left(peer: SwarmPeer): void {
    this.#receivers[peer.slot] = undefined
    for (const [piece, first] of this.#firstTo) if (first === peer) this.#firstTo.delete(piece)
  }

  // --- what is offered

  /** Whether nobody but this seeder has the piece, as far as it knows, so that nobody else can send it. */
  isFirstCopy(piece: number): boolean {
    return this.seeds && !this.#firstTo.has(piece)
  }

  /** An offer goes out; until it is answered the piece counts as under way there. */
  made({ peer, piece }: Choice): void {
    this.#offers++
    peer.unstarted += waitingBytes(this.sizeOf(piece))
    if (piece === undefined) return
    peer.offered.add(piece)
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
    peer.offered.delete(piece)
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
    if (piece !== undefined) peer.offered.add(piece)
    return piece
  }

  // --- choosing

  /**
   * The next offer, for one that can start at `startsAt`; undefined when nobody takes anything. What a peer `asks` for
   * already is not offered to it.
   */
  choose(now: number, startsAt: number, asks: Asks): Choice | undefined {
    const { common, holdings } = this.#swarm
    const refused = new Set<SwarmPeer>()
    const mayTake = (peer: SwarmPeer): boolean =>
      this.#waitsFor(peer, now, startsAt) === 0 && !refused.has(peer)
    for (;;) {
      const peer = this.#first((slot) => holdings.takes(slot) > 0, mayTake)
      if (peer === undefined) break
      const piece = this.#pieceFor(peer, asks)
      if (piece !== undefined) return { peer, piece }
      refused.add(peer)
    }
    refused.clear()
    // one that waits for something that we could send a part of
    const peer = common.policy.split ? this.#first((slot) => holdings.lacks(slot) > 0, mayTake) : undefined
    if (peer !== undefined) return { peer, piece: undefined }
    this.#waitForAny(now, startsAt)
    return undefined
  }

  /** The most deserving of those whose slots are eligible and that may take something; any of equals. */
  #first(eligible: (slot: number) => boolean, mayTake: (peer: SwarmPeer) => boolean): SwarmPeer | undefined {
    const { holdings, common } = this.#swarm
    let first: SwarmPeer | undefined
    let least = Number.POSITIVE_INFINITY
    let equals = 0
    for (let slot = 0; slot < this.#receivers.length; slot++) {
      // what is looked up by slot comes first: most are out by then
      if (!eligible(slot) || (!this.#ranksBySpread && holdings.held(slot) > least)) continue
      const peer = this.#receivers[slot]
      if (peer === undefined || !mayTake(peer)) continue
      const rank = this.#rank(peer)
      if (rank > least) continue
      equals = rank < least ? 1 : equals + 1
      if (common.prng.below(equals) === 0) first = peer
      least = rank
    }
    return first
  }

  /** Ms until the peer may be offered something that starts then; Infinity where that does not depend on time. */
  #waitsFor(peer: SwarmPeer, now: number, startsAt: number): number {
    if (peer.unstarted >= MOST_UNSTARTED_BYTES) return Number.POSITIVE_INFINITY
    if (peer.dullUntil > now) return peer.dullUntil - now
    return Math.max(0, peer.busyUntil - startsAt)
  }

  #waitForAny(now: number, startsAt: number): void {
    this.retryAt = Number.POSITIVE_INFINITY
    for (const peer of this.#receivers) {
      const ms = peer === undefined ? 0 : this.#waitsFor(peer, now, startsAt)
      if (ms > 0) this.retryAt = Math.min(this.retryAt, now + ms)
    }
  }

  get #ranksBySpread(): boolean {
    return this.seeds && this.#swarm.common.policy.unreplicated
  }

  #rank(peer: SwarmPeer): number {
    const last = this.#isRiding(peer) ? 1e9 : 0
    if (this.#ranksBySpread) return last + peer.unreplicated + EXPECTED_WEIGHT * peer.expects.count
    return last + this.#swarm.holdings.held(peer.slot)
  }

  #isRiding({ servedWhileUseful, received }: SwarmPeer): boolean {
    if (!this.#swarm.common.policy.reciprocity || this.#offers % OPTIMISTIC_EVERY === 0) return false
    return servedWhileUseful > GRACE_BYTES && received < servedWhileUseful * RIDES
  }

  #pieceFor({ slot, key }: SwarmPeer, asks: Asks): number | undefined {
    const { common, holdings } = this.#swarm
    return holdings.pick(slot, common.policy.rarest, common.prng, (piece) => !asks(key, piece))
  }
}
