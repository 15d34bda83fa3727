/** Who meets whom: random neighbours, about as many for everyone. */
import type { Prng } from '../core/prng.ts'
import { shuffled } from './draws.ts'

/** A peer looks for others until it has this part of the wished-for number, and takes them up to that part. */
const LEAST = 0.8
const MOST = 1.2

export class Neighbourhood<Peer> {
  readonly #prng: Prng
  readonly #least: number
  readonly #most: number
  readonly #degreeOf: (peer: Peer) => number

  constructor(wished: number, prng: Prng, degreeOf: (peer: Peer) => number) {
    this.#prng = prng
    this.#least = Math.ceil(wished * LEAST)
    this.#most = Math.floor(wished * MOST)
    this.#degreeOf = degreeOf
  }

  /** Whom `peer` should meet now, of those that it may. */
  choose(peer: Peer, candidates: readonly Peer[]): Peer[] {
    const missing = this.#least - this.#degreeOf(peer)
    const free = candidates.filter((candidate) => this.#degreeOf(candidate) < this.#most)
    return missing > 0 ? shuffled(free, this.#prng).slice(0, missing) : []
  }
}
