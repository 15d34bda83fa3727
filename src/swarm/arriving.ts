/** Bytes that come in, until a piece is whole and can be verified. */
import type { Millis } from '../core/types.ts'
import type { SwarmAction, SwarmEvent } from './events.ts'
import type { Source } from './incoming-piece.ts'
import type { Swarm } from './swarm.ts'
import type { SwarmPeer } from './swarm-peer.ts'

export class Arriving {
  readonly #swarm: Swarm

  constructor(swarm: Swarm) {
    this.#swarm = swarm
  }

  /** Bytes of a request came. */
  arrived(peer: SwarmPeer, event: Extract<SwarmEvent, { type: 'arrived' }>, now: Millis, out: SwarmAction[]) {
    const { piece, begin } = event
    this.#swarm.common.downlink.arrived(event.length)
    peer.received += event.length
    this.#swarm.expected.heard(peer, event.length, now, out)
    const source = peer.sources.get(piece)
    const book = this.#swarm.pieces.incoming.get(piece)
    if (source === undefined || book === undefined || begin !== source.at) return
    const length = Math.min(event.length, source.left)
    source.progress.add(length, now)
    peer.relieved(length)
    book.arrived(source, begin, length)
    if (source.done) this.#sourceDone(source, now, out)
    if (book.complete) this.#whole(piece, now, out)
  }

  /** A whole piece came by one message. */
  received(peer: SwarmPeer, piece: number, now: Millis, out: SwarmAction[]): void {
    const size = this.#swarm.pieces.size(piece)
    this.#swarm.common.downlink.arrived(size)
    peer.received += size
    this.#swarm.expected.heard(peer, size, now, out)
    this.#swarm.gain(peer, [piece], out)
    const wanted = this.#swarm.pieces.isWanted(piece)
    // before its source ends, or the piece would seem lost
    if (wanted) this.#swarm.pieces.book(piece).filled(peer)
    const source = peer.sources.get(piece)
    if (source !== undefined) {
      source.progress.add(size, now)
      peer.relieved(source.left)
      source.at = source.end
      this.#sourceDone(source, now, out)
    }
    if (wanted) this.#whole(piece, now, out)
  }

  rejected(
    peer: SwarmPeer,
    event: Extract<SwarmEvent, { type: 'rejected' }>,
    now: Millis,
    out: SwarmAction[],
  ) {
    const source = peer.sources.get(event.piece)
    if (source === undefined || event.begin + event.length < source.end) return
    const end = Math.max(source.at, event.begin)
    peer.relieved(source.end - end)
    source.end = end
    this.#swarm.asking.lose(source, now, out)
  }

  /** One source has sent all that it was to send. */
  #sourceDone(source: Source, now: Millis, out: SwarmAction[]): void {
    source.peer.pipeline.delivered(source.end - source.begin, now - source.progress.since, now)
    this.#swarm.asking.lose(source, now, out)
  }

  #whole(piece: number, now: Millis, out: SwarmAction[]): void {
    this.#swarm.pieces.verifying(piece)
    for (const source of [...this.#swarm.pieces.book(piece).sources])
      this.#swarm.asking.cancel(source, now, out)
    out.push({ type: 'verify-and-store', root: this.#swarm.root, piece })
  }
}
