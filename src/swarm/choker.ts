/**
 * Who may ask for pieces (Cohen 2003). As long as few want something, all may: the order comes from the uplink, which
 * serves them one after the other. Beyond that a leecher serves those that sent it most in the last round, a seeder
 * those that waited longest, and one more at random, so that newcomers get a first piece.
 */
import type { Millis } from '../core/types.ts'
import type { SwarmAction } from './events.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** So many are served at once, the optimistic one included. */
const SLOTS = 20

const ROUND_MS = 10_000

/** Rounds that the optimistic one stays. */
const OPTIMISTIC_ROUNDS = 3

export class Choker {
  readonly #swarm: Swarm
  #roundAt = 0
  #rounds = 0
  #optimistic: SwarmPeer | undefined

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  /** Somebody began or ceased to want something, or left, or a round is due. Returns those that may ask no more: what they asked for is over. */
  review(now: Millis, out: SwarmAction[]): SwarmPeer[] {
    return this.#allow(this.#chosen(now), now, out)
  }

  #chosen(now: Millis): Iterable<SwarmPeer> {
    const wanting = this.#wanting()
    if (wanting.length <= SLOTS || !this.#swarm.common.policy.choker) return wanting
    return now >= this.#roundAt ? this.#round(wanting, now) : this.#filledUp(wanting)
  }

  /** When the next round is due; undefined while nobody is choked that wants something. */
  get dueAt(): number | undefined {
    return this.#wanting().length > SLOTS ? this.#roundAt : undefined
  }

  #wanting(): SwarmPeer[] {
    return [...this.#swarm.peers.values()].filter(({ wanted }) => wanted)
  }

  #round(wanting: readonly SwarmPeer[], now: Millis): Iterable<SwarmPeer> {
    this.#roundAt = now + ROUND_MS
    const ranked = wanting.toSorted((a, b) => this.#merit(b) - this.#merit(a))
    const chosen = new Set(ranked.slice(0, SLOTS - 1))
    const rest = ranked.slice(SLOTS - 1)
    const stays = this.#optimistic !== undefined && rest.includes(this.#optimistic)
    if (!stays || this.#rounds++ % OPTIMISTIC_ROUNDS === 0)
      this.#optimistic = rest[this.#swarm.common.prng.below(rest.length)]
    if (this.#optimistic !== undefined) chosen.add(this.#optimistic)
    for (const peer of wanting) peer.receivedBefore = peer.received
    return chosen
  }

  /** What it gave in the last round; to a seeder nobody gives anything, and who has waited longest comes first. */
  #merit(peer: SwarmPeer): number {
    return this.#swarm.pieces.complete ? -peer.allowedAt : peer.received - peer.receivedBefore
  }

  /** Between rounds, slots that became free go to whoever waits. */
  #filledUp(wanting: readonly SwarmPeer[]): Iterable<SwarmPeer> {
    const served = wanting.filter(({ choking }) => !choking)
    const waiting = wanting.filter(({ choking }) => choking)
    return [...served, ...waiting].slice(0, SLOTS)
  }

  /** Unchokes these, and chokes all others. */
  #allow(chosen: Iterable<SwarmPeer>, now: Millis, out: SwarmAction[]): SwarmPeer[] {
    const allowed = new Set(chosen)
    const choked: SwarmPeer[] = []
    for (const peer of allowed) peer.allowedAt = now
    for (const peer of this.#swarm.peers.values()) {
      const choking = !allowed.has(peer) && (peer.wire !== 'bitswap' || peer.wanted)
      if (choking === peer.choking) continue
      peer.choking = choking
      if (peer.wire === 'bitswap') continue
      if (choking) choked.push(peer)
      out.push({ type: choking ? 'choke' : 'unchoke', root: this.#swarm.root, peer: peer.key })
    }
    return choked
  }
}
