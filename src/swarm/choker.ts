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

  /** Somebody began or ceased to want something, or left. */
  review(now: Millis, out: SwarmAction[]): void {
    const wanting = this.#wanting()
    if (wanting.length <= SLOTS || !this.#swarm.common.policy.choker) this.#allow(wanting, out)
    else if (now >= this.#roundAt) this.#round(wanting, now, out)
    else this.#fillUp(wanting, out)
  }

  /** When the next round is due; undefined while nobody is choked that wants something. */
  get dueAt(): number | undefined {
    return this.#wanting().length > SLOTS ? this.#roundAt : undefined
  }

  #wanting(): SwarmPeer[] {
    return [...this.#swarm.peers.values()].filter(({ wanted }) => wanted)
  }

  #round(wanting: readonly SwarmPeer[], now: Millis, out: SwarmAction[]): void {
    this.#roundAt = now + ROUND_MS
    const ranked = wanting.toSorted((a, b) => this.#merit(b) - this.#merit(a))
    const chosen = new Set(ranked.slice(0, SLOTS - 1))
    const rest = ranked.slice(SLOTS - 1)
    const stays = this.#optimistic !== undefined && rest.includes(this.#optimistic)
    if (!stays || this.#rounds++ % OPTIMISTIC_ROUNDS === 0)
      this.#optimistic = rest[this.#swarm.common.prng.below(rest.length)]
    if (this.#optimistic !== undefined) chosen.add(this.#optimistic)
    this.#allow(chosen, out)
    for (const peer of wanting) {
      peer.receivedBefore = peer.received
      peer.servedBefore = peer.served
    }
  }

  /** What it gave in the last round; to a seeder nobody gives anything, and who got least comes first. */
  #merit(peer: SwarmPeer): number {
    if (!this.#swarm.pieces.complete) return peer.received - peer.receivedBefore
    return peer.servedBefore - peer.served
  }

  /** Between rounds, slots that became free go to whoever waits. */
  #fillUp(wanting: readonly SwarmPeer[], out: SwarmAction[]): void {
    const served = wanting.filter(({ choking }) => !choking)
    const waiting = wanting.filter(({ choking }) => choking)
    this.#allow(new Set([...served, ...waiting].slice(0, SLOTS)), out)
  }

  /** Unchokes these, and chokes all others. */
  #allow(chosen: Iterable<SwarmPeer>, out: SwarmAction[]): void {
    const allowed = new Set(chosen)
    for (const peer of this.#swarm.peers.values()) {
      const choking = !allowed.has(peer) && (peer.wire !== 'bitswap' || peer.wanted)
      if (choking === peer.choking) continue
      peer.choking = choking
      if (peer.wire === 'bitswap') continue
      out.push({ type: choking ? 'choke' : 'unchoke', root: this.#swarm.root, peer: peer.key })
    }
  }
}
