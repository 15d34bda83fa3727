/**
 * Several peers that are asked send one large piece: whoever has nothing else begun to do takes the end of what another one
 * has yet to send. Small pieces go whole to one peer each, which names who sent a wrong one; large ones would be long on
 * their way, and many of them would lie in memory at once.
 */
import type { Millis } from '../core/types.ts'
import type { SwarmAction } from './events.ts'
import type { Source } from './incoming-piece.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** Up to this a piece is small: the longest block of IPFS. */
const SMALL_BYTES = 2 << 20

/** A smaller part is not worth its messages. */
const LEAST_PART_BYTES = 1 << 20

/** Of what a source sends in so many seconds much is under way, and would come twice. */
const UNDER_WAY_S = 0.5

/** BitTorrent's blocks begin at multiples of it. */
const BLOCK_BYTES = 16 << 10

/** One piece comes from so many at once, at most. */
const MOST_SOURCES = 4

export class Dividing {
  readonly #swarm: Swarm

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  /** Asks the peer for a part of a large piece. False when there is none for it. */
  takePart(peer: SwarmPeer, now: Millis, out: SwarmAction[]): boolean {
    const { asking, common, pieces } = this.#swarm
    if (pieces.longest <= SMALL_BYTES || peer.wire !== 'bittorrent' || peer.pipeline.snubbed) return false
    const source = this.#longest(peer)
    if (source === undefined) return false
    const bytes = partOf(source, peer)
    if (bytes < LEAST_PART_BYTES) return false
    const span = { begin: source.end - bytes, end: source.end }
    const rate = peer.pipeline.pace || common.downlink.rate(now)
    asking.shorten(source, bytes, out)
    asking.request(peer, source.piece, span, { rate, startsAt: now + peer.roundTrip }, now, out)
    return true
  }

  /** Who has most to send of a piece that this peer could send too. */
  #longest(peer: SwarmPeer): Source | undefined {
    const { pieces } = this.#swarm
    let longest: Source | undefined
    for (const [piece, { size, sources, undivided }] of pieces.incoming) {
      if (size <= SMALL_BYTES || undivided || sources.length >= MOST_SOURCES) continue
      if (!pieces.isWanted(piece) || !peer.has.has(piece) || peer.sources.has(piece)) continue
      for (const source of sources)
        if (isWorthIt(source) && source.left > (longest?.left ?? 0)) longest = source
    }
    return longest
  }
}

const isWorthIt = ({ peer, left }: Source): boolean =>
  peer.wire === 'bittorrent' && left >= UNDER_WAY_S * peer.pipeline.pace

/** As much that both end together by what is known of them; half of it where one has not delivered yet. */
function partOf({ left, end, peer: { pipeline } }: Source, peer: SwarmPeer): number {
  const [theirs, own] = [pipeline.pace, peer.pipeline.pace]
  const part = theirs === 0 || own === 0 ? left / 2 : (left * own) / (theirs + own)
  const begin = Math.ceil((end - part) / BLOCK_BYTES) * BLOCK_BYTES
  return end - begin
}
