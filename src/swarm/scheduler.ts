/**
 * Who sends which piece to whom. One per node, pure: time comes in as an argument, randomness as a seeded
 * generator, and nothing happens outside `handle`. Late events, for swarms and peers that are gone, do nothing.
 */
import type { Prng } from '../core/prng.ts'
import { type Millis, millis, type PeerKey, type RootKey } from '../core/types.ts'
import { Downlink } from './downlink.ts'
import type { PeerView, SwarmAction, SwarmEvent } from './events.ts'
import { Limiter } from './limiter.ts'
import { PeerBook } from './peer-book.ts'
import { POLICY, type Policy } from './policy.ts'
import { suggest } from './suggesting.ts'
import { type Common, Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'
import { Uploading } from './uploading.ts'

/** How often those are looked at who should have sent or answered something, in ms. */
const WATCH_MS = 500

export class Scheduler {
  readonly #common: Common
  readonly #swarms = new Map<RootKey, Swarm>()
  readonly #uploading: Uploading
  readonly #book = new PeerBook()
  /** When to look after what time alone changes; Infinity when there is no such thing. */
  #watchAt = Number.POSITIVE_INFINITY
  /** There is a limit, or was one: requests may have been put off. */
  #limited = false

  constructor(prng: Prng, policy: Policy = POLICY) {
    this.#common = { prng, policy, downlink: new Downlink(), downLimiter: new Limiter(), limited: new Set() }
    this.#uploading = new Uploading(policy, this.#swarms)
  }

  handle(event: SwarmEvent, now: Millis): readonly SwarmAction[] {
    const out: SwarmAction[] = []
    switch (event.type) {
      case 'woke':
        if (now >= this.#watchAt) this.#watch(now, out)
        break
      case 'limited':
        this.#limit(event, now, out)
        break
      case 'opened':
        this.#open(event, now, out)
        break
      default:
        this.#ofSwarm(event, now, out)
    }
    this.#uploading.pump(now, out)
    if (this.#watchAt === Number.POSITIVE_INFINITY && this.#busy) this.#watchAt = now + WATCH_MS
    if (this.#limited) this.#watchAt = Math.min(this.#watchAt, this.#heldUntil(now))
    return out
  }

  /** When `woke` is due, if nothing else happens before. */
  nextTimeout(): Millis | undefined {
    const next = Math.min(this.#watchAt, this.#uploading.dueAt)
    return next === Number.POSITIVE_INFINITY ? undefined : millis(next)
  }

  /** Whether what peers have or expect may lead to an action at once; if not, it may be told together with what comes next. */
  get awaitsNews(): boolean {
    return !this.#common.policy.offers || this.#uploading.awaitsNews
  }

  isBanned(peer: PeerKey): boolean {
    return this.#book.isBanned(peer)
  }

  peers(root: RootKey): PeerView[] {
    return [...(this.#swarms.get(root)?.peers.values() ?? [])].map((peer) => peer.view())
  }

  /** Throws when the books do not agree. For tests. */
  checkInvariants(): void {
    for (const swarm of this.#swarms.values()) swarm.checkInvariants()
  }

  // --- this node

  #open(event: OfType<'opened'>, now: Millis, out: SwarmAction[]): void {
    if (this.#swarms.has(event.root)) return
    const swarm = new Swarm(event.root, this.#common, new Limiter())
    this.#swarms.set(event.root, swarm)
    swarm.open(event.sizes, event.have, event.final, out)
    swarm.pulling.fillAll(now, out)
  }

  /** When a request that a limit put off may go. */
  #heldUntil(now: Millis): number {
    let next = Number.POSITIVE_INFINITY
    for (const { pulling } of this.#swarms.values()) {
      const held = pulling.waits(now)
      if (held !== undefined) next = Math.min(next, now + Math.max(1, held))
    }
    return next
  }

  #limit({ root, down }: OfType<'limited'>, now: Millis, out: SwarmAction[]): void {
    const limiter = root === undefined ? this.#common.downLimiter : this.#swarms.get(root)?.limiter
    limiter?.setRate(down, now)
    this.#limited ||= down > 0
    for (const swarm of this.#swarms.values()) swarm.pulling.fillAll(now, out)
  }

  get #busy(): boolean {
    return this.#common.downlink.busySources > 0 || this.#uploading.waiting
  }

  /** Looks after what time alone changes: silence, rounds, limits. */
  #watch(now: Millis, out: SwarmAction[]): void {
    let next = this.#busy ? now + WATCH_MS : Number.POSITIVE_INFINITY
    for (const swarm of this.#swarms.values()) {
      if (this.#common.policy.snubbing) swarm.pulling.watch(now, out)
      swarm.pulling.fillAll(now, out)
      next = Math.min(next, swarm.pulling.dueAt(now))
      const round = swarm.choker.dueAt
      if (round === undefined) continue
      if (round <= now) this.#review(swarm, now, out)
      next = Math.min(next, swarm.choker.dueAt ?? next)
    }
    this.#uploading.watch(now)
    this.#watchAt = next
  }

  // --- one swarm

  #ofSwarm(event: OfOneSwarm, now: Millis, out: SwarmAction[]): void {
    const swarm = this.#swarms.get(event.root)
    if (swarm === undefined) return
    switch (event.type) {
      case 'grown':
        swarm.grow(event.sizes, event.found, event.final, now, out)
        swarm.pulling.fillAll(now, out)
        this.#uploading.stir()
        return
      case 'closed':
        this.#close(swarm, now)
        return
      case 'urgent':
        swarm.urgent = event.pieces
        swarm.pulling.fillAll(now, out)
        return
      case 'verified':
        swarm.verified(event.piece)
        return
      case 'stored':
        swarm.stored(event.piece, out)
        this.#uploading.stir()
        return
      case 'store-failed':
        swarm.storeFailed(event.piece, out)
        swarm.pulling.fillAll(now, out)
        return
      case 'refuted':
        this.#refuted(swarm, event, now, out)
        return
      case 'lied':
        this.#blame(event.peer, swarm, event.piece, now, out)
        return
      case 'joined':
        this.#join(swarm, event, now, out)
        return
      default:
        this.#ofPeer(swarm, event, now, out)
    }
  }

  #join(swarm: Swarm, { peer, wire, has }: OfType<'joined'>, now: Millis, out: SwarmAction[]): void {
    if (this.#book.isBanned(peer)) return
    const joined = swarm.join(peer, wire)
    if (has === undefined) swarm.pulling.fill(joined, now, out)
    else this.#has(swarm, joined, has, now, out)
    this.#uploading.stir()
  }

  #close(swarm: Swarm, now: Millis): void {
    this.#uploading.closed(swarm.root)
    swarm.pulling.close()
    // what it had asked for is nobody's business any more, but the downlink still counts it
    for (const peer of [...swarm.peers.values()]) swarm.leave(peer, now, [])
    this.#swarms.delete(swarm.root)
  }

  /** Wrong bytes name their sender, when all of them came from one. */
  #refuted(swarm: Swarm, { piece, senders }: OfType<'refuted'>, now: Millis, out: SwarmAction[]): void {
    const blamed = swarm.refuted(piece, senders, out)
    if (blamed !== undefined) this.#blame(blamed, swarm, piece, now, out)
    swarm.pulling.fillAll(now, out)
  }

  #blame(peer: PeerKey, swarm: Swarm, piece: number, now: Millis, out: SwarmAction[]): void {
    this.#ban(peer, swarm, `sent wrong bytes for piece ${piece}`, now, out)
  }

  #ban(peer: PeerKey, swarm: Swarm, reason: string, now: Millis, out: SwarmAction[]): void {
    if (this.#book.ban(peer, reason)) out.push({ type: 'ban', peer, root: swarm.root, reason })
    for (const other of this.#swarms.values()) {
      const member = other.peers.get(peer)
      if (member !== undefined) this.#leave(other, member, now, out)
    }
  }

  #leave(swarm: Swarm, peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    this.#uploading.left(peer, swarm.root)
    swarm.leave(peer, now, out)
    this.#review(swarm, now, out)
    swarm.pulling.fillAll(now, out)
  }

  // --- one peer

  #ofPeer(swarm: Swarm, event: OfOnePeer, now: Millis, out: SwarmAction[]): void {
    const peer = swarm.peers.get(event.peer)
    if (peer === undefined) return
    switch (event.type) {
      case 'expects':
        for (const piece of event.pieces) swarm.offering.expects(peer, piece)
        this.#mayShare(swarm, peer, event.pieces, now)
        return
      case 'expects-no-more':
        for (const piece of event.pieces) swarm.offering.expectsNoMore(peer, piece)
        this.#uploading.stir()
        return
      case 'has':
        this.#has(swarm, peer, event.pieces, now, out)
        return
      case 'lacks':
        swarm.lack(peer, event.pieces, now, out)
        swarm.pulling.fillAll(now, out)
        return
      case 'left':
        this.#leave(swarm, peer, now, out)
        return
      case 'misbehaved':
        this.#ban(peer.key, swarm, event.reason, now, out)
        return
      case 'choked':
      case 'unchoked':
        peer.choked = event.type === 'choked'
        swarm.pulling.fill(peer, now, out)
        return
      case 'interested':
      case 'uninterested':
        peer.wanted = event.type === 'interested'
        this.#review(swarm, now, out)
        this.#dueFor(swarm)
        return
      default:
        this.#ofPiece(swarm, peer, event, now, out)
    }
  }

  /** What a peer is about to get of others, and is here, can be split with it. */
  #mayShare(swarm: Swarm, peer: SwarmPeer, expected: readonly number[], now: Millis): void {
    if (peer.dullUntil <= now || !expected.some((piece) => swarm.pieces.has(piece))) return
    peer.dullUntil = 0
    this.#uploading.stir()
  }

  #has(swarm: Swarm, peer: SwarmPeer, pieces: readonly number[], now: Millis, out: SwarmAction[]): void {
    const dull = peer.dullUntil > now
    if (!peer.answered && pieces.length > 0) peer.answered = true
    swarm.gain(peer, peer.credible(pieces, now), out)
    if (peer.wire === 'bittorrent') {
      for (const piece of pieces) peer.advised.delete(piece)
      suggest(swarm, peer, out)
    }
    if (dull) this.#uploading.stir()
    if (swarm.pieces.have.complete) return
    for (const piece of pieces) swarm.pulling.releaseFromSnubbed(piece, now, out)
    swarm.pulling.fill(peer, now, out)
  }

  #review(swarm: Swarm, now: Millis, out: SwarmAction[]): void {
    for (const peer of swarm.choker.review(now, out)) this.#uploading.choked(peer, swarm.root)
    for (const peer of swarm.peers.values()) suggest(swarm, peer, out)
  }

  /** Rounds are due once there are more than may be served. */
  #dueFor(swarm: Swarm): void {
    this.#watchAt = Math.min(this.#watchAt, swarm.choker.dueAt ?? this.#watchAt)
  }

  // --- one piece of one peer

  #ofPiece(swarm: Swarm, peer: SwarmPeer, event: OfOnePiece, now: Millis, out: SwarmAction[]): void {
    switch (event.type) {
      case 'arrived':
        swarm.arriving.arrived(peer, event, now, out)
        swarm.pulling.fill(peer, now, out)
        return
      case 'received':
        swarm.arriving.received(peer, event.piece, now, out)
        swarm.pulling.fill(peer, now, out)
        return
      case 'progressed':
        swarm.expected.heard(peer, 0, now, out)
        return
      case 'rejected':
        swarm.arriving.rejected(peer, event, now, out)
        swarm.pulling.fillAll(now, out)
        return
      case 'offered':
        swarm.accepting.offered(peer, event, now, out)
        return
      case 'idle':
        swarm.accepting.idle(peer, event, now, out)
        return
      case 'suggested':
        peer.suggested.add(event.piece)
        swarm.pulling.fill(peer, now, out)
        return
      case 'requested':
        if (peer.wire === 'bitswap') peer.wanted = true
        this.#uploading.requested(swarm, peer, event, now, out)
        peer.advised.delete(event.piece)
        suggest(swarm, peer, out)
        return
      case 'accepted':
        this.#uploading.accepted(swarm, peer, event, now)
        return
      case 'shortened':
        this.#uploading.shortened(event, now)
        return
      case 'declined':
        this.#uploading.declined(swarm, peer, event, now)
        return
      case 'busy':
        this.#uploading.busy(swarm, peer, event, now)
        return
      case 'sent':
        this.#uploading.sent(event, now)
        return
      case 'delivered':
        this.#uploading.delivered(swarm, peer, event, now)
        return
      case 'send-failed':
        this.#uploading.sendFailed(event)
        return
    }
  }
}

type OfType<Type extends SwarmEvent['type']> = Extract<SwarmEvent, { type: Type }>
type OfOneSwarm = Exclude<SwarmEvent, { type: 'woke' | 'limited' | 'opened' }>
type OfOnePeer = Exclude<
  OfOneSwarm,
  {
    type:
      | 'grown'
      | 'closed'
      | 'urgent'
      | 'verified'
      | 'stored'
      | 'store-failed'
      | 'refuted'
      | 'lied'
      | 'joined'
  }
>
type OfOnePiece = Exclude<
  OfOnePeer,
  {
    type:
      | 'expects'
      | 'expects-no-more'
      | 'has'
      | 'lacks'
      | 'left'
      | 'misbehaved'
      | 'choked'
      | 'unchoked'
      | 'interested'
      | 'uninterested'
  }
>
