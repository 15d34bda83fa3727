/**
 * Who sends which piece to whom. One per node, pure: time comes in as an argument, randomness as a seeded
 * generator, and nothing happens outside `handle`. Late events, for swarms and peers that are gone, do nothing.
 */
import type { Prng } from '../core/prng.ts'
import { type Millis, millis, type PeerKey, type RootKey } from '../core/types.ts'
import type { SwarmAction, SwarmEvent } from './events.ts'
import { Limiter } from './limiter.ts'
import { PeerBook } from './peer-book.ts'
import { Swarm } from './swarm.ts'
import { Uplink } from './uplink.ts'

export class Scheduler {
  readonly #prng: Prng
  readonly #swarms = new Map<RootKey, Swarm>()
  readonly #uplink = new Uplink()
  readonly #book = new PeerBook()
  readonly #downLimiter = new Limiter()
  #now: Millis = millis(0)

  constructor(prng: Prng) {
    this.#prng = prng
  }

  handle(event: SwarmEvent, now: Millis): readonly SwarmAction[] {
    this.#now = now
    const out: SwarmAction[] = []
    if (event.type === 'woke') for (const swarm of this.#swarms.values()) swarm.wake(now, out)
    else if (event.type === 'limited') this.#limit(event.down, now, out)
    else if (event.type === 'opened') this.#open(event, out)
    else this.#route(event, now, out)
    this.#send(now, out)
    return out
  }

  /** When `woke` is due, if nothing else happens before. */
  nextTimeout(): Millis | undefined {
    let next = this.#uplink.nextTimeout(this.#now)
    for (const swarm of this.#swarms.values()) {
      const due = swarm.nextTimeout(this.#now)
      if (due !== undefined && (next === undefined || due < next)) next = due
    }
    return next
  }

  isBanned(peer: PeerKey): boolean {
    return this.#book.isBanned(peer)
  }

  /** Throws when the books do not agree. For tests. */
  checkInvariants(): void {
    for (const swarm of this.#swarms.values()) swarm.checkInvariants()
  }

  #open(event: Extract<SwarmEvent, { type: 'opened' }>, out: SwarmAction[]): void {
    if (this.#swarms.has(event.root)) return
    const swarm = new Swarm(event.root, this.#prng, this.#downLimiter)
    this.#swarms.set(event.root, swarm)
    swarm.open(event.sizes, event.have, event.final, out)
  }

  #limit(down: number, now: Millis, out: SwarmAction[]): void {
    this.#downLimiter.setRate(down, now)
    for (const swarm of this.#swarms.values()) swarm.fillAll(now, out)
  }

  #route(event: OfOneSwarm, now: Millis, out: SwarmAction[]): void {
    const swarm = this.#swarms.get(event.root)
    if (swarm === undefined) return
    switch (event.type) {
      case 'grown':
        swarm.grow(event.sizes, event.found, event.final, now, out)
        return
      case 'closed':
        this.#swarms.delete(event.root)
        this.#uplink.dropSwarm(event.root)
        return
      case 'joined':
        if (!this.#book.isBanned(event.peer)) swarm.join(event.peer, now, out)
        return
      case 'left':
        this.#uplink.drop(event.peer, event.root)
        swarm.leave(event.peer, now, out)
        return
      case 'has':
        swarm.peerHas(event.peer, event.pieces, now, out)
        return
      case 'lacks':
        swarm.peerLacks(event.peer, event.pieces, now, out)
        return
      case 'progressed':
        swarm.progressed(event.peer, event.bytes, now)
        return
      case 'corrupt':
        this.#corrupt(swarm, event.peer, event.piece, now, out)
        return
      default:
        this.#movePiece(swarm, event, now, out)
        return
    }
  }

  #movePiece(swarm: Swarm, event: OfOnePiece, now: Millis, out: SwarmAction[]): void {
    const { root, peer, piece } = event
    switch (event.type) {
      case 'received':
        swarm.received(peer, piece, now, out)
        return
      case 'verified':
        swarm.verified(piece, out)
        return
      case 'stored':
        swarm.stored(piece, out)
        return
      case 'store-failed':
        swarm.storeFailed(piece, now, out)
        return
      case 'wanted':
        if (swarm.has(piece) && !this.#book.isBanned(peer))
          this.#uplink.want(peer, { root, piece, size: swarm.size(piece) })
        return
      case 'unwanted':
        this.#uplink.unwant(peer, root, piece)
        return
      case 'sent':
      case 'send-failed':
        this.#uplink.done(peer, root, piece, now)
        return
    }
  }

  /** Wrong bytes name their sender: a piece comes whole from one peer. */
  #corrupt(swarm: Swarm, peer: PeerKey, piece: number | undefined, now: Millis, out: SwarmAction[]): void {
    const reason =
      piece === undefined
        ? 'sent bytes that match nothing it was asked for'
        : `sent wrong bytes for piece ${piece}`
    if (this.#book.ban(peer, reason)) out.push({ type: 'ban', peer, root: swarm.root, reason })
    this.#uplink.drop(peer)
    for (const other of this.#swarms.values()) other.leave(peer, now, out)
    if (piece !== undefined) swarm.refuted(piece, now, out)
  }

  #send(now: Millis, out: SwarmAction[]): void {
    for (let next = this.#uplink.next(now); next !== undefined; next = this.#uplink.next(now)) {
      out.push({ type: 'send', root: next.want.root, peer: next.peer, piece: next.want.piece })
    }
  }
}

type OfOneSwarm = Exclude<SwarmEvent, { type: 'woke' | 'limited' | 'opened' }>
type OfOnePiece = Extract<
  SwarmEvent,
  {
    type: 'received' | 'verified' | 'stored' | 'store-failed' | 'wanted' | 'unwanted' | 'sent' | 'send-failed'
  }
>
