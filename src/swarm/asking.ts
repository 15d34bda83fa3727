/**
 * Requests for bytes of pieces. Only here are they made and taken back, so that pieces, peers and the downlink always
 * tell the same.
 */
import type { Millis } from '../core/types.ts'
import type { SwarmAction } from './events.ts'
import { Source } from './incoming-piece.ts'
import type { Bytes } from './spans.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** How fast and how soon a request is expected to be answered. */
export interface Promised {
  readonly rate: number
  readonly startsAt: number
}

export class Asking {
  readonly #swarm: Swarm

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  /** Asks a peer for bytes of a piece. */
  request(peer: SwarmPeer, piece: number, span: Bytes, promised: Promised, now: Millis, out: SwarmAction[]) {
    const { downlink, downLimiter } = this.#swarm.common
    const { rate: announced, startsAt } = promised
    const source = new Source({ peer, piece, span, announced, startsAt, mark: downlink.mark(now), now })
    downLimiter.charge(source.left, now)
    this.#swarm.limiter.charge(source.left, now)
    downlink.add(source)
    peer.request(source, now)
    this.#swarm.pieces.asked(piece, source)
    out.push({
      type: 'request',
      root: this.#swarm.root,
      peer: peer.key,
      piece,
      begin: span.begin,
      length: source.left,
    })
    this.#swarm.expected.tell(piece, out)
  }

  /** Takes a request back, and forgets it. */
  cancel(source: Source, now: Millis, out: SwarmAction[]): void {
    const { at: begin, left: length, piece } = source
    out.push({ type: 'cancel', root: this.#swarm.root, peer: source.peer.key, piece, begin, length })
    this.lose(source, now, out)
  }

  /** Takes the last bytes of a request back. */
  shorten(source: Source, bytes: number, out: SwarmAction[]): void {
    source.end -= bytes
    source.peer.relieved(bytes)
    const { peer, piece, end: begin } = source
    out.push({ type: 'cancel', root: this.#swarm.root, peer: peer.key, piece, begin, length: bytes })
  }

  /** A request will bring no more. */
  lose(source: Source, now: Millis, out: SwarmAction[]): void {
    this.#swarm.common.downlink.remove(source, now)
    source.peer.release(source)
    this.#swarm.pieces.ended(source.piece, source)
    // whose offer was accepted knows of that, also where nobody was told
    this.#swarm.expected.tell(source.piece, out, source.peer.wire === 'share')
  }

  /** As much of the bytes as the limits let in within a moment; all of them where there is no limit. */
  limited({ begin, end }: Bytes): Bytes {
    const { downLimiter, limited } = this.#swarm.common
    const step = Math.min(this.#swarm.limiter.step(1), downLimiter.step(limited.size + 1))
    return { begin, end: Math.min(end, begin + step) }
  }
}
