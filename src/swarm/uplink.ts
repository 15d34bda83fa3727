/**
 * The one way out of this node, shared by all swarms and wires: what is being sent, what waits for its turn, what is
 * offered. Few sends run at once, as many as keep the link full, so that a piece is whole somewhere soon and can be
 * passed on; and pieces are offered so far ahead that the link never waits for an answer.
 */
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import { FairQueue, type Request } from './fair-queue.ts'
import { Offers } from './offers.ts'
import type { Policy } from './policy.ts'
import { Sends } from './sends.ts'
import { type SwarmPeer, waitingBytes } from './swarm-peer.ts'

/** The sends together keep the link full from this part of its estimate on. */
const FULL = 0.95

/** Added to the look-ahead, in ms: timers and the scheduler itself take a while. */
const LOOK_AHEAD_MS = 10

/** Accepted and offered pieces that wait unstarted, when sends have room. */
const MOST_WAITING = 2

/** So much of each send leaves within so long, in ms: a receiver gives up on one that shows nothing for 3 s. */
const SHOWN_BYTES = 64 << 10
const SHOWN_MS = 1_500

/** Pieces asked for without an offer that go to one peer at once: one being written, one being read from disk. */
const MOST_PULLED_AT_ONCE = 2

/** What an offer can promise: bytes a second, and in how many ms it would start. */
export interface Terms {
  readonly rate: number
  readonly start: number
}

export class Uplink {
  readonly sends = new Sends()
  readonly offers = new Offers()
  readonly #policy: Policy
  readonly #isChoked: (request: Request) => boolean
  /** Accepted offers, in order. */
  readonly #accepted: { readonly request: Request; readonly peer: SwarmPeer }[] = []
  readonly #pulled = new FairQueue()
  /** Bytes sent by offers less those sent on request, since both were waiting: below 0, offers are next. */
  #balance = 0

  constructor(policy: Policy, isChoked: (request: Request) => boolean) {
    this.#policy = policy
    this.#isChoked = isChoked
  }

  get idle(): boolean {
    return this.sends.size === 0 && this.#accepted.length === 0 && this.offers.size === 0
  }

  /** Fewer sends run than always may, and none waits to. */
  hasRoom(seeds: boolean, now: Millis): boolean {
    return this.#accepted.length === 0 && this.sends.running(now) < this.#limits(seeds).always
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
    const same = (request: Request): boolean =>
      request.peer === peer && request.root === root && request.piece === piece
    return (
      this.sends.some(same) ||
      this.#accepted.some(({ request }) => same(request)) ||
      this.#pulled.asks(peer, root, piece)
    )
  }

  /** A request got shorter, or is over (0). */
  shorten(peer: PeerKey, root: RootKey, piece: number, begin: number, length: number, now: Millis): void {
    if (this.#shortenAccepted(peer, root, piece, begin, length)) return
    const pulled = this.#pulled.find(peer, root, piece, begin)
    if (pulled === undefined) {
      this.sends.shorten(peer, root, piece, begin, length, now)
      return
    }
    pulled.length = length
    if (length === 0) this.#pulled.remove(pulled)
  }

  #shortenAccepted(peer: PeerKey, root: RootKey, piece: number, begin: number, length: number): boolean {
    const at = this.#accepted.findIndex(
      ({ request }) =>
        request.peer === peer && request.root === root && request.piece === piece && request.begin === begin,
    )
    const found = this.#accepted[at]
    if (found === undefined) return false
    found.peer.unstarted += waitingBytes(length) - waitingBytes(found.request.length)
    found.request.length = length
    if (length === 0) this.#accepted.splice(at, 1)
    return true
  }

  // --- forgetting

  /** What the peer asked for on its own is not answered. */
  choke(peer: PeerKey, root: RootKey): void {
    this.#pulled.drop({ peer, root })
  }

  leave(peer: PeerKey, root: RootKey): void {
    this.#forget((request) => request.peer === peer && request.root === root)
    this.offers.drop({ root, peer })
    this.#pulled.drop({ peer, root })
  }

  close(root: RootKey): void {
    this.#forget((request) => request.root === root)
    this.offers.drop({ root })
    this.#pulled.drop({ root })
  }

  #forget(drops: (request: Request) => boolean): void {
    this.sends.dropAll(drops)
    const kept = this.#accepted.filter(({ request }) => !drops(request))
    this.#accepted.splice(0, this.#accepted.length, ...kept)
  }

  // --- deciding

  /** The next request that may be answered now. */
  next(seeds: boolean, now: Millis): Request | undefined {
    if (this.#accepted.length === 0 && this.#pulled.empty) return undefined
    if (!this.#mayStart(seeds, now)) return undefined
    const stalled = this.sends.stalled(now)
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
    const takesMore = (first: Request): boolean =>
      !stalled.has(first.peer) && this.sends.to(first.peer) < MOST_PULLED_AT_ONCE
    return (
      this.#pulled.take((first) => takesMore(first) && !this.#isChoked(first)) ?? this.#pulled.take(takesMore)
    )
  }

  /** Rule 2: nothing runs, or few do, or those that do leave room. */
  #mayStart(seeds: boolean, now: Millis): boolean {
    const { always, most } = this.#limits(seeds)
    const rate = this.sends.rate(now)
    if (this.sends.first(SHOWN_BYTES, now) * 1000 >= rate * SHOWN_MS) return false
    const running = this.sends.running(now)
    if (running < always) return true
    return running < most && this.sends.used(now) < FULL * rate
  }

  #limits(seeds: boolean): Policy['sends'] {
    return seeds ? this.#policy.seederSends : this.#policy.sends
  }

  /** Rule 3: what a further offer may promise; undefined when enough is under way, which `dueAt` says until when. */
  terms(seeds: boolean, now: Millis): Terms | undefined {
    const rate = this.sends.rate(now)
    const { bytes, waiting } = this.#ahead(now)
    const start = Math.ceil((bytes * 1000) / rate)
    if (start < this.#lookAhead) return { rate, start }
    // where others ask on their own, the next turn is that of an offer
    if (waiting === 0 && !this.#pulled.empty && this.#balance <= 0) return { rate, start }
    const { always, most } = this.#limits(seeds)
    const running = this.sends.running(now)
    if (running === 0 || waiting >= MOST_WAITING || running + waiting >= most) return undefined
    const used = this.sends.used(now)
    if (running >= always && used >= FULL * rate) return undefined
    return { rate: Math.max(rate - used, rate / 8), start: 0 }
  }

  /** When the backlog will have come down to the look-ahead. */
  dueAt(now: Millis): number {
    const ms = (this.#ahead(now).bytes * 1000) / this.sends.rate(now)
    return now + Math.max(1, ms - this.#lookAhead)
  }

  get #lookAhead(): number {
    return this.#policy.lookAheadRoundTrips * this.offers.roundTrip + LOOK_AHEAD_MS
  }

  /** What leaves before a further offer: bytes being sent, accepted and offered, and how many of them are not being sent. */
  #ahead(now: Millis): { bytes: number; waiting: number } {
    const stalled = this.sends.stalled(now)
    const offered = this.offers.waiting
    let bytes = this.sends.left(stalled) + offered.bytes
    let waiting = offered.count
    for (const { request } of this.#accepted) {
      if (stalled.has(request.peer)) continue
      bytes += request.length
      waiting++
    }
    return { bytes, waiting }
  }
}
