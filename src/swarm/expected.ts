/**
 * What `share` peers were told to be on its way here, so that they offer something else. A piece that only silent peers
 * are to send is not.
 */
import type { Millis } from '../core/types.ts'
import type { SwarmAction } from './events.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

export class Expected {
  readonly #swarm: Swarm
  readonly #told = new Set<number>()

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  /** Whether others should offer the piece, by what they were told. */
  isOpen(piece: number): boolean {
    const { common, pieces } = this.#swarm
    return common.policy.expect && pieces.isWanted(piece) && !this.#told.has(piece)
  }

  /** Tells whether a piece is on its way, where that has changed. `known`: somebody knows that it was, who was not told. */
  tell(piece: number, out: SwarmAction[], known = false): void {
    const { common, pieces, root } = this.#swarm
    if (!common.policy.expect) return
    const expected = pieces.isComing(piece)
    const told = this.#told.has(piece)
    if (expected ? told : !told && !known) return
    if (expected) this.#told.add(piece)
    else this.#told.delete(piece)
    out.push({ type: expected ? 'expect' : 'expect-no-more', root, piece })
  }

  /** Something of the peer came in: what it is asked for is on its way. */
  heard(peer: SwarmPeer, bytes: number, now: Millis, out: SwarmAction[]): void {
    const before = peer.reliable
    peer.pipeline.progressed(bytes, now)
    if (!before) for (const piece of peer.sources.keys()) this.tell(piece, out)
  }

  /** Nothing came of it for too long: what it is asked for is for others to send. */
  silenced(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    peer.pipeline.snub(now)
    for (const piece of peer.sources.keys()) this.tell(piece, out)
  }

  /** It is here, which is told in another way. */
  stored(piece: number): void {
    this.#told.delete(piece)
  }
}
