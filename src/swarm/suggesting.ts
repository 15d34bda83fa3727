/**
 * What an offer is to peers that take none (BEP 6): who asks on its own is told which of our pieces are rarest among
 * all peers. If each follows, a piece leaves a seeder about once before any leaves it twice.
 */
import type { SwarmAction } from './events.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** Suggestions that a peer has not followed yet: what is rarest changes, so not many. */
const MOST_STANDING = 4

export function suggest(swarm: Swarm, peer: SwarmPeer, out: SwarmAction[]): void {
  if (!swarm.common.policy.suggestions || peer.wire !== 'bittorrent' || peer.choking || !peer.wanted) return
  while (peer.advised.size < MOST_STANDING) {
    const piece = swarm.offering.suggestion(peer)
    if (piece === undefined) return
    peer.advised.add(piece)
    out.push({ type: 'suggest', root: swarm.root, peer: peer.key, piece })
  }
}
