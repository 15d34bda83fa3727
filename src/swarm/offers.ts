/** What is offered and not answered yet, to whom, and how long answers take. */
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import type { Choice } from './offering.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** An offer that is not answered within this is given up. */
const UNANSWERED_MS = 5_000

/** An offer that says that it starts later counts as if it started then, at both ends: it is not known so far ahead. */
export const MOST_START_MS = 10_000

/** Smoothing of the round trip over all peers. */
const ROUND_TRIP_WEIGHT = 1 / 16

/** Assumed until an offer was answered, in ms. */
const FIRST_ROUND_TRIP_MS = 40

export interface Offer extends Choice {
  readonly root: RootKey
  readonly at: Millis
  readonly bytes: number
  /** It was not answered in time, and still may be. */
  givenUp: boolean
}

export class Offers {
  readonly #offers = new Set<Offer>()
  /** Ms from an offer to its answer, smoothed over all peers. */
  roundTrip = FIRST_ROUND_TRIP_MS

  get size(): number {
    return this.#offers.size
  }

  add(offer: Omit<Offer, 'givenUp'>): void {
    this.#offers.add({ ...offer, givenUp: false })
  }

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

  /** Gives up those that nobody answered, and returns them. Those of pieces may still be answered. */
  giveUp(now: Millis): Offer[] {
    const old = [...this.#offers].filter(({ at, givenUp }) => !givenUp && at + UNANSWERED_MS < now)
    for (const offer of old) {
      offer.givenUp = true
      if (offer.piece === undefined) this.#offers.delete(offer)
    }
    return old
  }

  /** Of a root, or of one peer there. */
  drop({ root, peer }: { readonly root: RootKey; readonly peer?: PeerKey }): void {
    for (const offer of this.#offers)
      if (offer.root === root && (peer === undefined || offer.peer.key === peer)) this.#offers.delete(offer)
  }

  /** Those that are waited for: how many, and the bytes that they stand for. */
  get waiting(): { readonly count: number; readonly bytes: number } {
    let count = 0
    let bytes = 0
    for (const offer of this.#offers) {
      if (offer.givenUp) continue
      bytes += offer.bytes
      count++
    }
    return { count, bytes }
  }
}
