/**
 * The one way out of this node, shared by all swarms and wires: what is being sent, what waits for its turn, what is
 * offered. Few sends run at once, as many as keep the link full, so that a piece is whole somewhere soon and can be
 * passed on; and pieces are offered so far ahead that the link never waits for an answer.
 */
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import { Capacity, type Mark } from './capacity.ts'
import { FairQueue, type Request } from './fair-queue.ts'
import type { Choice } from './offering.ts'
import type { Policy } from './policy.ts'
import { Progress } from './progress.ts'
import { type SwarmPeer, waitingBytes } from './swarm-peer.ts'

/** The sends together keep the link full from this part of its estimate on. */
const FULL = 0.95

/** Added to the look-ahead, in ms: timers and the scheduler itself take a while. */
const LOOK_AHEAD_MS = 10

/** Accepted and offered pieces that wait unstarted, when sends have room. */
const MOST_WAITING = 2

/** A send that has made no progress for so long while others have is stalled: its peer holds up itself alone. */
const STALLED_MS = 2_000

/** The same where nothing moves at all. */
const HALTED_MS = 6_000

/** An offer that is not answered within this is given up. */
const UNANSWERED_MS = 5_000

/** What counts as one send; several smaller ones count as one. */
const WHOLE_BYTES = 1 << 20

/** So small a send still counts as this part of one. */
const LEAST_WEIGHT = 1 / 16

/** Smoothing of the round trip over all peers. */
const ROUND_TRIP_WEIGHT = 1 / 16

/** Assumed until an offer was answered, in ms. */
const FIRST_ROUND_TRIP_MS = 40

/** Pieces asked for without an offer that go to one peer at once: one being written, one being read from disk. */
const MOST_PULLED_AT_ONCE = 2

interface Send {
  readonly request: Request
  readonly peer: SwarmPeer
  /** What has arrived. */
  readonly progress: Progress
  /** Bytes that have left. */
  sent: number
  readonly mark: Mark
}

export interface Offer extends Choice {
  readonly root: RootKey
  readonly at: Millis
  readonly bytes: number
  /** It was not answered in time, and still may be. */
  givenUp: boolean
}

/** What an offer can promise: bytes a second, and in how many ms it would start. */
export interface Terms {
  readonly rate: number
  readonly start: number
}

export class Uplink {
  readonly #policy: Policy
  readonly #isChoked: (request: Request) => boolean
  readonly #capacity = new Capacity()
  readonly #sends = new Set<Send>()
  /** Accepted offers, in order. */
  readonly #accepted: { readonly request: Request; readonly peer: SwarmPeer }[] = []
  readonly #pulled = new FairQueue()
  readonly #offers = new Set<Offer>()
  /** Bytes sent by offers less those sent on request, since both were waiting: below 0, offers are next. */
  #balance = 0
  #lastProgress: Millis | undefined
  /** Ms from an offer to its answer, smoothed over all peers. */
  roundTrip = FIRST_ROUND_TRIP_MS

  constructor(policy: Policy, isChoked: (request: Request) => boolean) {
    this.#policy = policy
    this.#isChoked = isChoked
  }

  get offers(): ReadonlySet<Offer> {
    return this.#offers
  }

  get sends(): ReadonlySet<Send> {
    return this.#sends
  }

  rate(now: Millis): number {
    return this.#capacity.rate(now)
  }

  // --- what is asked for

  /** A request that accepts an offer. */
  accept(request: Request, peer: SwarmPeer): true {
    this.#accepted.push({ request, peer })
    peer.unstarted += waitingBytes(request.length)
    return true
  }

  /** One that does not. False when the peer has too many already. */
  pull(request: Request): boolean {
    return this.#pulled.add(request)
  }

  /** Whether the peer has asked for any part of the piece, and has not got all of that. */
  concerns(peer: PeerKey, root: RootKey, piece: number): boolean {
    const same = ({ request }: { readonly request: Request }): boolean =>
      request.peer === peer && request.root === root && request.piece === piece
    return [...this.#sends].some(same) || this.#accepted.some(same) || this.#pulled.asks(peer, root, piece)
  }

  /** A request got shorter, or is over (0). */
  shorten(peer: PeerKey, root: RootKey, piece: number, begin: number, length: number, now: Millis): void {
    const same = ({ request }: { readonly request: Request }): boolean =>
      request.peer === peer && request.root === root && request.piece === piece && request.begin === begin
    const waiting = this.#accepted.findIndex(same)
    const found = this.#accepted[waiting]
    if (found !== undefined) {
      found.peer.unstarted += waitingBytes(length) - waitingBytes(found.request.length)
      found.request.length = length
      if (length === 0) this.#accepted.splice(waiting, 1)
      return
    }
    const pulled = this.#pulled.find(peer, root, piece, begin)
    if (pulled !== undefined) {
      pulled.length = length
      if (length === 0) this.#pulled.remove(pulled)
      return
    }
    for (const send of this.#sends) {
      if (!same(send)) continue
      send.request.length = length
      this.#endIfDone(send, now)
    }
  }

  // --- sending

  start(request: Request, peer: SwarmPeer, now: Millis): void {
    this.#sends.add({ request, peer, progress: new Progress(now), sent: 0, mark: this.#capacity.mark(now) })
  }

  /** Bytes of a send have left. */
  sent(peer: PeerKey, root: RootKey, piece: number, begin: number, bytes: number): void {
    const send = this.#find(peer, root, piece, begin)
    if (send !== undefined) send.sent += bytes
  }

  /** Bytes of a send have arrived. Returns its request when that was the end of it. */
  delivered(
    peer: PeerKey,
    root: RootKey,
    piece: number,
    begin: number,
    bytes: number,
    now: Millis,
  ): Request | undefined {
    this.#capacity.moved(bytes)
    this.#lastProgress = now
    const send = this.#find(peer, root, piece, begin)
    if (send === undefined) return undefined
    send.progress.add(bytes, now)
    send.sent = Math.max(send.sent, send.progress.bytes)
    return this.#endIfDone(send, now) ? send.request : undefined
  }

  /** It could not be sent, or is not wanted any more. */
  drop(peer: PeerKey, root: RootKey, piece: number, begin: number): void {
    const send = this.#find(peer, root, piece, begin)
    if (send !== undefined) this.#sends.delete(send)
  }

  #find(peer: PeerKey, root: RootKey, piece: number, begin: number): Send | undefined {
    for (const send of this.#sends) {
      const { request } = send
      if (request.piece !== piece || request.begin !== begin) continue
      if (request.peer === peer && request.root === root) return send
    }
    return undefined
  }

  #endIfDone(send: Send, now: Millis): boolean {
    if (send.progress.bytes < send.request.length) return false
    this.#sends.delete(send)
    if (send.request.length > 0) this.#capacity.sample(send.mark, now)
    return true
  }

  // --- offers

  /** The offer of a piece to a peer, or the empty one; taken out of the book. */
  answered(peer: SwarmPeer, root: RootKey, piece: number | undefined, now: Millis): Offer | undefined {
    for (const offer of this.#offers) {
      if (offer.peer !== peer || offer.root !== root || offer.piece !== piece) continue
      this.#offers.delete(offer)
      const ms = now - offer.at
      peer.answeredAfter(ms)
      this.roundTrip += (ms - this.roundTrip) * ROUND_TRIP_WEIGHT
      return offer
    }
    return undefined
  }

  /** Gives up offers that nobody answered, and returns them. Those of pieces may still be answered. */
  giveUp(now: Millis): Offer[] {
    const old = [...this.#offers].filter(({ at, givenUp }) => !givenUp && at + UNANSWERED_MS < now)
    for (const offer of old) {
      offer.givenUp = true
      if (offer.piece === undefined) this.#offers.delete(offer)
    }
    return old
  }

  offered(offer: Omit<Offer, 'givenUp'>): void {
    this.#offers.add({ ...offer, givenUp: false })
  }

  // --- forgetting

  /** What the peer asked for on its own is not answered. */
  choke(peer: PeerKey, root: RootKey): void {
    this.#pulled.drop({ peer, root })
  }

  leave(peer: PeerKey, root: RootKey): void {
    const concerns = ({ request }: { readonly request: Request }): boolean =>
      request.peer === peer && request.root === root
    for (const send of this.#sends) if (concerns(send)) this.#sends.delete(send)
    for (const offer of this.#offers)
      if (offer.peer.key === peer && offer.root === root) this.#offers.delete(offer)
    this.#keepAccepted((one) => !concerns(one))
    this.#pulled.drop({ peer, root })
  }

  close(root: RootKey): void {
    for (const send of this.#sends) if (send.request.root === root) this.#sends.delete(send)
    for (const offer of this.#offers) if (offer.root === root) this.#offers.delete(offer)
    this.#keepAccepted(({ request }) => request.root !== root)
    this.#pulled.drop({ root })
  }

  #keepAccepted(keeps: (one: { readonly request: Request }) => boolean): void {
    const kept = this.#accepted.filter(keeps)
    this.#accepted.splice(0, this.#accepted.length, ...kept)
  }

  // --- deciding

  /** The next request that may be answered now. */
  next(seeds: boolean, now: Millis): Request | undefined {
    if (this.#accepted.length === 0 && this.#pulled.empty) return undefined
    if (!this.#mayStart(seeds, now)) return undefined
    const stalled = this.#stalled(now)
    const at = this.#accepted.findIndex(({ peer }) => !stalled.has(peer.key))
    const first = this.#accepted[at]
    const pulled = first === undefined || this.#balance > 0 ? this.#takePulled(stalled) : undefined
    if (pulled !== undefined) {
      this.#balance = first === undefined ? 0 : this.#balance - pulled.length
      return pulled
    }
    if (first === undefined) return undefined
    this.#accepted.splice(at, 1)
    first.peer.unstarted -= waitingBytes(first.request.length)
    this.#balance = this.#pulled.empty ? 0 : this.#balance + first.request.length
    return first.request
  }

  /** Of those that asked on their own the fair one; a choked one when no other wants anything. */
  #takePulled(stalled: ReadonlySet<PeerKey>): Request | undefined {
    const takesMore = (first: Request): boolean => !stalled.has(first.peer) && this.#takesMore(first.peer)
    return (
      this.#pulled.take((first) => takesMore(first) && !this.#isChoked(first)) ?? this.#pulled.take(takesMore)
    )
  }

  #takesMore(peer: PeerKey): boolean {
    let sends = 0
    for (const { request } of this.#sends) if (request.peer === peer) sends++
    return sends < MOST_PULLED_AT_ONCE
  }

  /** Rule 2: nothing runs, or few do, or those that do leave room. */
  #mayStart(seeds: boolean, now: Millis): boolean {
    const { always, most } = this.#limits(seeds)
    const running = this.#running(now)
    if (running < always) return true
    return running < most && this.#used(now) < FULL * this.rate(now)
  }

  #limits(seeds: boolean): Policy['sends'] {
    return seeds ? this.#policy.seederSends : this.#policy.sends
  }

  /** Sends that run, small ones by their size. */
  #running(now: Millis): number {
    let running = 0
    for (const send of this.#sends) {
      if (!this.#runs(send, now)) continue
      running += Math.min(1, Math.max(LEAST_WEIGHT, send.request.length / WHOLE_BYTES))
    }
    return running
  }

  /** Whether it uses the link: something of it has yet to leave, and does. */
  #runs(send: Send, now: Millis): boolean {
    return send.sent < send.request.length && !this.#stalls(send, now)
  }

  #stalls({ request, progress, sent }: Send, now: Millis): boolean {
    const silent = now - progress.lastAt
    if (sent >= request.length || silent <= STALLED_MS) return false
    const last = this.#lastProgress
    return silent > HALTED_MS || (last !== undefined && last > progress.lastAt)
  }

  /** Peers that do not take what they are sent: each holds up itself alone. */
  #stalled(now: Millis): Set<PeerKey> {
    const peers = new Set<PeerKey>()
    for (const send of this.#sends) if (this.#stalls(send, now)) peers.add(send.request.peer)
    return peers
  }

  /** Bytes a second that the sends take; a young one counts with its part of the estimate. */
  #used(now: Millis): number {
    let used = 0
    const running = [...this.#sends].filter((send) => this.#runs(send, now))
    const share = this.rate(now) / Math.max(1, running.length)
    for (const { peer, progress } of running) {
      const { rate, since } = progress
      const young = now - since <= peer.roundTrip
      used += rate === undefined || young ? Math.max(rate ?? 0, share) : rate
    }
    return used
  }

  /** Rule 3: what a further offer may promise; undefined when enough is under way, which `dueAt` says until when. */
  terms(seeds: boolean, now: Millis): Terms | undefined {
    const rate = this.rate(now)
    const { bytes, waiting } = this.#ahead(now)
    const start = Math.ceil((bytes * 1000) / rate)
    if (start < this.#lookAhead) return { rate, start }
    // where others ask on their own, the next turn is that of an offer
    if (waiting === 0 && !this.#pulled.empty && this.#balance <= 0) return { rate, start }
    const { always, most } = this.#limits(seeds)
    const running = this.#running(now)
    if (running === 0 || waiting >= MOST_WAITING || running + waiting >= most) return undefined
    const used = this.#used(now)
    if (running >= always && used >= FULL * rate) return undefined
    return { rate: Math.max(rate - used, rate / 8), start: 0 }
  }

  /** When the backlog will have come down to the look-ahead. */
  dueAt(now: Millis): number {
    const ms = (this.#ahead(now).bytes * 1000) / this.rate(now)
    return now + Math.max(1, ms - this.#lookAhead)
  }

  get idle(): boolean {
    return this.#sends.size === 0 && this.#accepted.length === 0 && this.#offers.size === 0
  }

  get #lookAhead(): number {
    return this.#policy.lookAheadRoundTrips * this.roundTrip + LOOK_AHEAD_MS
  }

  /** What leaves before a further offer: bytes being sent, accepted and offered, and how many of them are not being sent. */
  #ahead(now: Millis): { bytes: number; waiting: number } {
    const stalled = this.#stalled(now)
    let bytes = 0
    let waiting = 0
    for (const { request, sent } of this.#sends)
      if (!stalled.has(request.peer)) bytes += Math.max(0, request.length - sent)
    for (const { request } of this.#accepted) {
      if (stalled.has(request.peer)) continue
      bytes += request.length
      waiting++
    }
    for (const offer of this.#offers) {
      if (offer.givenUp) continue
      bytes += offer.bytes
      waiting++
    }
    return { bytes, waiting }
  }
}
