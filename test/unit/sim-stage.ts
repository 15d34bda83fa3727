/**
 * Two peers of the simulator with scripts in the place of their schedulers. A has everything, B nothing; A sends a KiB a
 * ms, so that a part takes 256 ms; messages take 10 ms. What they are told is written down, a line an event.
 */
import { peerKey, rootKey } from '../../src/core/types.ts'
import { Clock } from '../../src/sim/clock.ts'
import type { Conduct } from '../../src/sim/conduct.ts'
import { Connection, type Medium } from '../../src/sim/connection.ts'
import { Network } from '../../src/sim/network.ts'
import { type Mind, Peer } from '../../src/sim/peer.ts'
import { Post } from '../../src/sim/post.ts'
import { Tally } from '../../src/sim/tally.ts'
import type { SwarmAction, SwarmEvent, Wire } from '../../src/swarm/events.ts'

const KIB = 1024

export type Name = 'A' | 'B'

/** An action without its root and peer, which are always the same, and with sizes in KiB. */
export type Act = Readonly<Record<string, unknown>> & { readonly type: SwarmAction['type'] }

const QUIET = ['opened', 'joined', 'woke']

export class Stage {
  readonly clock = new Clock()
  readonly tally = new Tally()
  readonly lines: string[] = []
  readonly peers: Readonly<Record<Name, Peer>>
  readonly #medium: Medium
  readonly #minds = { A: new Script(this, 'A'), B: new Script(this, 'B') }
  readonly #post = new Post(this.clock)
  readonly #connection: Connection

  /** B does what `answers` says, an event at a time. */
  constructor(wire: Wire, { pieces = 2, conduct = 'honest' as Conduct } = {}) {
    const { clock, tally } = this
    this.#medium = { partBytes: 256 * KIB, clock, tally, network: new Network(clock), post: this.#post }
    const sizes = Array<number>(pieces).fill(1024 * KIB)
    const peer = (name: Name): Peer =>
      new Peer({
        key: peerKey(name),
        up: 1000 * KIB,
        down: 8000 * KIB,
        wire,
        conduct: name === 'A' ? conduct : 'honest',
        seeds: name === 'A',
        sizes,
        medium: this.#medium,
        mind: this.#minds[name],
        onUploaded: () => {},
        onComplete: () => {},
        onBan: () => {},
      })
    this.peers = { A: peer('A'), B: peer('B') }
    this.#connection = new Connection(this.#medium, 10, [this.peers.A, this.peers.B])
    const [a, b] = this.#connection.ends
    const [named] = [this.peers.A.meet(a), this.peers.B.meet(b)]
    this.peers.A.join(a, [])
    this.peers.B.join(b, named)
    this.lines.length = 0
  }

  /** At that time the peer acts. */
  at(ms: number, name: Name, ...actions: Act[]): this {
    this.clock.at(ms, () => {
      this.#minds[name].next = actions
      this.peers[name].dispatch({ type: 'woke' })
    })
    return this
  }

  /** The peer answers events of this type. */
  when(name: Name, type: SwarmEvent['type'], answer: (event: SwarmEvent) => readonly Act[]): this {
    this.#minds[name].answers.set(type, answer)
    return this
  }

  closeAt(ms: number, by: Name): this {
    this.clock.at(ms, () => this.#connection.close(this.peers[by]))
    return this
  }

  /** Runs to the end, and returns what was written down. */
  run(): string[] {
    while (this.clock.step());
    for (const peer of Object.values(this.peers)) peer.stop()
    this.#post.stop()
    return this.lines
  }
}

class Script implements Mind {
  next: readonly Act[] = []
  readonly answers = new Map<SwarmEvent['type'], (event: SwarmEvent) => readonly Act[]>()
  readonly #stage: Stage
  readonly #name: Name

  constructor(stage: Stage, name: Name) {
    this.#stage = stage
    this.#name = name
  }

  handle(event: SwarmEvent, now: number): SwarmAction[] {
    if (!QUIET.includes(event.type))
      this.#stage.lines.push(`${Math.round(now)} ${this.#name} ${lineOf(event)}`)
    const acts = event.type === 'woke' ? this.next : (this.answers.get(event.type)?.(event) ?? [])
    return acts.map((act) => this.#complete(act))
  }

  readonly awaitsNews = true

  nextTimeout(): undefined {}

  #complete(act: Act): SwarmAction {
    const { begin, length } = act as { begin?: number; length?: number }
    return {
      root: rootKey('share'),
      peer: peerKey(this.#name === 'A' ? 'B' : 'A'),
      rate: 1000,
      start: 0,
      ...act,
      begin: (begin ?? 0) * KIB,
      length: (length ?? 1024) * KIB,
    } as unknown as SwarmAction
  }
}

/** `arrived 0 256+256`: of piece 0, from 256 KiB on 256 KiB. */
function lineOf(event: SwarmEvent): string {
  const of = event as {
    piece?: number
    pieces?: number[]
    begin?: number
    length?: number
    bytes?: number
    ms?: number
  }
  const words: string[] = [event.type]
  if ('piece' in event) words.push(`${of.piece}`)
  if (of.pieces !== undefined) words.push(of.pieces.join(','))
  if (of.begin !== undefined)
    words.push(`${of.begin / KIB}+${((of.length ?? of.bytes ?? 0) / KIB).toFixed(0)}`)
  if (of.ms !== undefined) words.push(`${of.ms} ms`)
  if (event.type === 'requested' && event.offered) words.push('as offered')
  if (event.type === 'offered' && event.eager) words.push('eagerly')
  return words.join(' ')
}
