/**
 * The upload side over all swarms: takes requests and the answers to offers, starts what may start, and offers more
 * when the uplink is about to run out of work.
 */
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import type { SwarmAction, SwarmEvent } from './events.ts'
import type { Request } from './fair-queue.ts'
import type { Choice } from './offering.ts'
import { MOST_START_MS, type Offer } from './offers.ts'
import type { Policy } from './policy.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'
import { type Terms, Uplink } from './uplink.ts'

/** After a peer turned a piece down, it is left alone this long, in ms: what it has is being told meanwhile. */
const DECLINED_MS = 30

/** After it turned down the empty offer, unless it expects something new meanwhile. */
const NOTHING_TO_SPLIT_MS = 100

/** After it did not answer at all. */
const SILENT_MS = 10_000

/** Offers in one go; each changes what the next should be. */
const MOST_OFFERS = 20

/** Where time alone brought nothing, it will not do so a moment later. */
const IN_VAIN_MS = 50

type OfType<Type extends SwarmEvent['type']> = Extract<SwarmEvent, { type: Type }>

export class Uploading {
  readonly #policy: Policy
  readonly #swarms: ReadonlyMap<RootKey, Swarm>
  readonly #uplink: Uplink
  /** Offers are pointless before, unless something happens. */
  #restUntil = 0
  /** The swarm that made the last offer; the others come first now. */
  #last: RootKey | undefined
  /** There was nothing to offer, or nobody to take it. */
  awaitsNews = false

  constructor(policy: Policy, swarms: ReadonlyMap<RootKey, Swarm>) {
    this.#policy = policy
    this.#swarms = swarms
    this.#uplink = new Uplink(policy, (request) => this.#peerOf(request)?.choking === true)
  }

  /** When to look again, by time alone. */
  get dueAt(): number {
    return this.#restUntil
  }

  /** Something changed that may make an offer worthwhile. */
  stir(): void {
    this.#restUntil = 0
  }

  // --- events

  requested(
    swarm: Swarm,
    peer: SwarmPeer,
    event: OfType<'requested'>,
    now: Millis,
    out: SwarmAction[],
  ): void {
    const { root, piece, begin, length, offered } = event
    const offer = offered ? this.#takeOffer(swarm, peer, piece, now) : undefined
    const part = offer?.piece !== undefined && length < swarm.pieces.size(piece)
    const request = { root, peer: peer.key, piece, begin, length, part }
    // on Bitswap there is no choke: who is not among the chosen comes last
    const choked = peer.choking && peer.wire !== 'bitswap' && offer === undefined
    const refused = choked || !swarm.pieces.has(piece)
    if (offer !== undefined) swarm.offering.answered(offer, !refused && offer.piece !== undefined)
    const taken =
      !refused && (offer === undefined ? this.#uplink.pull(request) : this.#uplink.accept(request, peer))
    if (!taken) out.push({ type: 'reject', root, peer: peer.key, piece, begin, length })
    this.stir()
  }

  /** The offer that a request answers: of the piece, or the empty one. */
  #takeOffer(swarm: Swarm, peer: SwarmPeer, piece: number | undefined, now: Millis): Offer | undefined {
    const { root } = swarm
    return (
      this.#uplink.offers.answered(peer, root, piece, now) ??
      this.#uplink.offers.answered(peer, root, undefined, now)
    )
  }

  accepted(swarm: Swarm, peer: SwarmPeer, event: OfType<'accepted'>, now: Millis): void {
    const offer = this.#takeOffer(swarm, peer, event.piece, now)
    if (offer !== undefined) swarm.offering.answered(offer, true)
    this.stir()
  }

  declined(swarm: Swarm, peer: SwarmPeer, event: OfType<'declined'>, now: Millis): void {
    const { piece, root } = event
    const offer = this.#takeOffer(swarm, peer, piece, now)
    if (offer !== undefined) swarm.offering.answered(offer, false)
    if (piece !== undefined) {
      this.#uplink.sends.drop(peer.key, root, piece, 0)
      // it has it, or expects it: which of the two it tells anyway
      swarm.offering.expects(peer, piece)
    }
    peer.dullUntil = now + (piece === undefined ? NOTHING_TO_SPLIT_MS : DECLINED_MS)
    this.stir()
  }

  busy(swarm: Swarm, peer: SwarmPeer, event: OfType<'busy'>, now: Millis): void {
    const { piece, root, ms } = event
    const offer = this.#takeOffer(swarm, peer, piece, now)
    if (offer !== undefined) swarm.offering.answered(offer, false)
    if (piece !== undefined) this.#uplink.sends.drop(peer.key, root, piece, 0)
    peer.busyUntil = now + ms
    this.stir()
  }

  shortened({ peer, root, piece, begin, length }: OfType<'shortened'>, now: Millis): void {
    this.#uplink.shorten(peer, root, piece, begin, length, now)
    this.stir()
  }

  sent({ peer, root, piece, begin, bytes }: OfType<'sent'>, now: Millis): void {
    // before that, all goes as was foreseen
    if (this.#uplink.sends.sent(peer, root, piece, begin, bytes, now)) this.stir()
  }

  delivered(swarm: Swarm, peer: SwarmPeer, event: OfType<'delivered'>, now: Millis): void {
    const { root, piece, begin, bytes } = event
    peer.served += bytes
    if (peer.useful > 0) peer.servedWhileUseful += bytes
    const ended = this.#uplink.sends.delivered(peer.key, root, piece, begin, bytes, now)
    if (ended?.part === true) swarm.offering.expectsNoMore(peer, piece)
    this.stir()
  }

  sendFailed({ peer, root, piece, begin }: OfType<'send-failed'>): void {
    this.#uplink.sends.drop(peer, root, piece, begin)
    this.stir()
  }

  /** The peer may ask no more, and what it asked for on its own is over; offers that it accepted stay. */
  choked(peer: SwarmPeer, root: RootKey): void {
    this.#uplink.choke(peer.key, root)
  }

  left(peer: SwarmPeer, root: RootKey): void {
    this.#uplink.leave(peer.key, root)
    this.stir()
  }

  closed(root: RootKey): void {
    this.#uplink.close(root)
    this.stir()
  }

  /** Gives up offers that nobody answers, and looks for sends that have stalled. */
  watch(now: Millis): void {
    if (this.#uplink.sends.size > 0) this.stir()
    for (const offer of this.#uplink.offers.giveUp(now)) {
      this.#swarms.get(offer.root)?.offering.givenUp(offer)
      offer.peer.dullUntil = now + SILENT_MS
    }
  }

  /** Whether time alone may change something: an answer does not come, or a send stalls. */
  get waiting(): boolean {
    return this.#uplink.offers.size > 0 || this.#uplink.sends.size > 0
  }

  // --- deciding

  /** Starts and offers what is due. */
  pump(now: Millis, out: SwarmAction[]): void {
    if (now < this.#restUntil) return
    const byTimeAlone = this.#restUntil > 0
    const before = out.length
    this.#startAll(now, out)
    const retryAt = this.#offerAll(now, out)
    const inVain = byTimeAlone && out.length === before
    this.#restUntil = inVain ? Math.max(retryAt, now + IN_VAIN_MS) : retryAt
  }

  #startAll(now: Millis, out: SwarmAction[]): void {
    const seeds = this.#seeds()
    for (;;) {
      const next = this.#uplink.next(seeds, now)
      if (next === undefined) return
      const peer = this.#peerOf(next)
      if (peer === undefined) continue
      this.#uplink.sends.start(next, peer, now)
      const { root, piece, begin, length } = next
      out.push({ type: 'send', root, peer: peer.key, piece, begin, length })
    }
  }

  #peerOf({ root, peer }: Request): SwarmPeer | undefined {
    return this.#swarms.get(root)?.peers.get(peer)
  }

  /** Whether this node only seeds, and so is nobody's competitor for what others have. */
  #seeds(): boolean {
    for (const { offering } of this.#swarms.values()) if (!offering.seeds) return false
    return true
  }

  /** Offers until enough is under way, and returns when to look again. */
  #offerAll(now: Millis, out: SwarmAction[]): number {
    if (!this.#policy.offers) return Number.POSITIVE_INFINITY
    for (let made = 0; made < MOST_OFFERS; made++) {
      const enough = this.#offerOne(now, out)
      if (enough !== undefined) return enough
    }
    return now
  }

  /** One offer of the first swarm in turn that has any to make; or when to look again. */
  #offerOne(now: Millis, out: SwarmAction[]): number | undefined {
    let retryAt = Number.POSITIVE_INFINITY
    this.awaitsNews = false
    for (const swarm of this.#inTurn()) {
      const { offering } = swarm
      const terms = this.#uplink.terms(offering.seeds, now)
      if (terms === undefined) return this.#uplink.dueAt(now)
      const asks = (peer: PeerKey, piece: number): boolean => this.#uplink.concerns(peer, swarm.root, piece)
      const startsIn = Math.min(MOST_START_MS, Math.max(this.#uplink.offers.roundTrip, terms.start))
      const choice = offering.choose(now, now + startsIn, asks)
      if (choice === undefined) {
        retryAt = Math.min(retryAt, Math.max(offering.retryAt, now + 2))
        this.awaitsNews = true
        continue
      }
      this.#last = swarm.root
      this.#offer(swarm, choice, terms, now, out)
      return undefined
    }
    return retryAt
  }

  /** Those that have anything to offer; that of the last offer comes last. */
  #inTurn(): Swarm[] {
    const swarms = [...this.#swarms.values()]
    const next = swarms.findIndex(({ root }) => root === this.#last) + 1
    return [...swarms.slice(next), ...swarms.slice(0, next)].filter(({ offering }) => offering.wanted)
  }

  #offer(swarm: Swarm, choice: Choice, { rate, start }: Terms, now: Millis, out: SwarmAction[]): void {
    const { root } = swarm
    const { peer, piece } = choice
    const eager = this.#startsAtOnce(swarm, choice, now)
    swarm.offering.made(choice)
    const to = { root, peer: peer.key, rate, start }
    if (piece === undefined) {
      this.#uplink.offers.add({ ...choice, root, at: now, bytes: swarm.offering.sizeOf(undefined) })
      peer.dullUntil = now + peer.roundTrip + NOTHING_TO_SPLIT_MS
      out.push({ type: 'offer-uplink', ...to })
      return
    }
    const length = swarm.pieces.size(piece)
    this.#uplink.offers.add({ ...choice, root, at: now, bytes: eager ? 0 : length })
    if (eager)
      this.#uplink.sends.start({ root, peer: peer.key, piece, begin: 0, length, part: false }, peer, now)
    out.push({ type: 'offer', ...to, piece, eager })
  }

  /** Rule 6: the link would wait for the answer, and the piece hardly comes from somebody else meanwhile. */
  #startsAtOnce({ offering }: Swarm, { peer, piece }: Choice, now: Millis): boolean {
    if (!this.#policy.eager || piece === undefined || peer.expects.count > 0) return false
    return this.#uplink.idle || (offering.isFirstCopy(piece) && this.#uplink.hasRoom(offering.seeds, now))
  }
}
