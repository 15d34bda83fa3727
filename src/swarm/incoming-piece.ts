/** A piece on its way in: which of its bytes are here, and who is to send which of the others. */
import type { Millis } from '../core/types.ts'
import type { Mark } from './capacity.ts'
import { Progress } from './progress.ts'
import { type Bytes, gaps, joined } from './spans.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** Bytes asked of one peer: from `at` to `end` they are still to come. */
export class Source {
  readonly peer: SwarmPeer
  readonly piece: number
  readonly begin: number
  at: number
  /** Moves down when a part is handed to somebody else. */
  end: number
  readonly progress: Progress
  /** Bytes a second that the peer announced, or that it has been seen to reach. */
  readonly announced: number
  /** When the first byte may be expected. */
  readonly startsAt: number
  /** The downlink's count when it was asked for. */
  readonly mark: Mark

  constructor(options: {
    peer: SwarmPeer
    piece: number
    span: Bytes
    announced: number
    startsAt: number
    mark: Mark
    now: Millis
  }) {
    this.peer = options.peer
    this.piece = options.piece
    this.begin = options.span.begin
    this.at = options.span.begin
    this.end = options.span.end
    // a stranger may announce nothing at all
    this.announced = Math.max(1, options.announced)
    this.startsAt = options.startsAt
    this.mark = options.mark
    this.progress = new Progress(options.now)
  }

  /** Bytes still to come, as far as has been told. */
  get left(): number {
    return this.end - this.at
  }

  get done(): boolean {
    return this.at >= this.end
  }

  /** Bytes a second: measured, or else announced. */
  get rate(): number {
    return this.progress.rate ?? this.announced
  }
}

export class IncomingPiece {
  readonly size: number
  readonly sources: Source[] = []
  /** Who sent some of the bytes that are here. */
  readonly senders = new Set<SwarmPeer>()
  #here: readonly Bytes[] = []
  /** It was wrong when it came from several: the next time one peer sends all of it. */
  undivided = false

  constructor(size: number) {
    this.size = size
  }

  get complete(): boolean {
    const [first] = this.#here
    return this.size === 0 || (first !== undefined && first.begin === 0 && first.end >= this.size)
  }

  get empty(): boolean {
    return this.#here.length === 0
  }

  /** Bytes that are neither here nor asked of anybody. */
  holes(): Bytes[] {
    let covered = this.#here
    for (const source of this.sources)
      if (!source.done) covered = joined(covered, { begin: source.at, end: source.end })
    return gaps(covered, this.size)
  }

  /** Bytes that are not here, whether somebody was asked for them or not. */
  missing(): Bytes[] {
    return gaps(this.#here, this.size)
  }

  get hasHoles(): boolean {
    return this.holes().length > 0
  }

  arrived(source: Source, begin: number, length: number): void {
    this.senders.add(source.peer)
    this.#here = joined(this.#here, { begin, end: begin + length })
    source.at = Math.max(source.at, begin + length)
  }

  /** All of it came at once. */
  filled(peer: SwarmPeer): void {
    this.senders.clear()
    this.senders.add(peer)
    this.#here = [{ begin: 0, end: this.size }]
  }

  drop(source: Source): void {
    const at = this.sources.indexOf(source)
    if (at >= 0) this.sources.splice(at, 1)
  }

  /** What came so far is not used. */
  forget(): void {
    this.#here = []
    this.senders.clear()
  }
}
