/**
 * A scheduler on a bench: events go in by hand at times that the test sets, actions come out as short lines, and
 * the books are checked after every event.
 */
import { createPrng } from '../../src/core/prng.ts'
import { millis, peerKey, rootKey } from '../../src/core/types.ts'
import type { SwarmAction, SwarmEvent } from '../../src/swarm/events.ts'
import { Scheduler } from '../../src/swarm/scheduler.ts'

export const MIB = 1 << 20
export const KIB = 1 << 10

export interface ScenarioOptions {
  /** How many pieces, all of `size` bytes (1 MiB). */
  readonly pieces?: number
  readonly size?: number
  /** Stored from the start. */
  readonly have?: readonly number[]
  /** False while the walk may still find pieces. */
  readonly final?: boolean
  /** Nothing is requested until `flow()`: the download limiter is deep in debt. */
  readonly dammed?: boolean
  readonly seed?: number
}

const ROOT = 'R'

/** Of the event types, those of one swarm; `root` is filled in. */
type Bare<E> = E extends { root: unknown } ? Omit<E, 'root'> : never

export class Scenario {
  readonly scheduler: Scheduler
  readonly #size: number
  #now = 0

  constructor({
    pieces = 8,
    size = MIB,
    have = [],
    final = true,
    dammed = false,
    seed = 1,
  }: ScenarioOptions) {
    this.scheduler = new Scheduler(createPrng(seed))
    this.#size = size
    if (dammed) this.#dam()
    this.open(ROOT, { pieces, have, final })
  }

  /** The next events happen then, in ms. */
  at(now: number): this {
    this.#now = now
    return this
  }

  // --- swarms

  open(
    root: string,
    { pieces = 1, size = this.#size, have = [], final = true }: ScenarioOptions = {},
  ): string[] {
    const sizes = Array<number>(pieces).fill(size)
    return this.handle({ type: 'opened', root: rootKey(root), sizes, have, final })
  }

  grown(pieces: number, { found = [], final = false }: { found?: number[]; final?: boolean } = {}): string[] {
    return this.#here({ type: 'grown', sizes: Array(pieces).fill(this.#size), found, final })
  }

  closed(root = ROOT): string[] {
    return this.handle({ type: 'closed', root: rootKey(root) })
  }

  // --- peers as sources

  joined(peer: string): string[] {
    return this.#here({ type: 'joined', peer: peerKey(peer) })
  }

  left(peer: string): string[] {
    return this.#here({ type: 'left', peer: peerKey(peer) })
  }

  has(peer: string, ...pieces: number[]): string[] {
    return this.#here({ type: 'has', peer: peerKey(peer), pieces })
  }

  lacks(peer: string, ...pieces: number[]): string[] {
    return this.#here({ type: 'lacks', peer: peerKey(peer), pieces })
  }

  /** Peers join and answer as drawn: a line each, `A ##..`, where `#` is a piece that it has. */
  drawn(table: string): string[] {
    const lines = table
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/ +/))
    return lines.flatMap(([peer = '', row = '']) => {
      const pieces = [...row].map((mark, piece) => ({ mark, piece }))
      const marked = (wanted: string): number[] =>
        pieces.filter(({ mark }) => mark === wanted).map(({ piece }) => piece)
      return [...this.joined(peer), ...this.has(peer, ...marked('#')), ...this.lacks(peer, ...marked('.'))]
    })
  }

  progressed(peer: string, bytes: number): string[] {
    return this.#here({ type: 'progressed', peer: peerKey(peer), bytes })
  }

  /** A whole piece came in, its bytes included, as drivers tell it. */
  received(peer: string, piece: number): string[] {
    return [
      ...this.progressed(peer, this.#size),
      ...this.#here({ type: 'received', peer: peerKey(peer), piece }),
    ]
  }

  verified(peer: string, piece: number): string[] {
    return this.#here({ type: 'verified', peer: peerKey(peer), piece })
  }

  stored(peer: string, piece: number): string[] {
    return this.#here({ type: 'stored', peer: peerKey(peer), piece })
  }

  storeFailed(peer: string, piece: number): string[] {
    return this.#here({ type: 'store-failed', peer: peerKey(peer), piece })
  }

  corrupt(peer: string, piece?: number): string[] {
    const event = { type: 'corrupt', peer: peerKey(peer) } as const
    return this.#here(piece === undefined ? event : { ...event, piece })
  }

  /** Received, verified and stored at once. */
  delivered(peer: string, piece: number): string[] {
    return [...this.received(peer, piece), ...this.verified(peer, piece), ...this.stored(peer, piece)]
  }

  // --- peers as receivers

  wanted(peer: string, piece: number, root = ROOT): string[] {
    return this.handle({ type: 'wanted', root: rootKey(root), peer: peerKey(peer), piece })
  }

  unwanted(peer: string, piece: number): string[] {
    return this.#here({ type: 'unwanted', peer: peerKey(peer), piece })
  }

  sent(peer: string, piece: number, root = ROOT): string[] {
    return this.handle({ type: 'sent', root: rootKey(root), peer: peerKey(peer), piece })
  }

  sendFailed(peer: string, piece: number): string[] {
    return this.#here({ type: 'send-failed', peer: peerKey(peer), piece })
  }

  // --- time and limits

  woke(): string[] {
    return this.handle({ type: 'woke' })
  }

  limited(down: number): string[] {
    return this.handle({ type: 'limited', down })
  }

  flow(): string[] {
    return this.limited(0)
  }

  get nextTimeout(): number | undefined {
    return this.scheduler.nextTimeout()
  }

  handle(event: SwarmEvent): string[] {
    const actions = this.scheduler.handle(event, millis(this.#now)).map(line)
    this.scheduler.checkInvariants()
    return actions
  }

  #here(event: Bare<SwarmEvent>): string[] {
    return this.handle({ ...event, root: rootKey(ROOT) })
  }

  /** One request of another swarm at a byte a second leaves a debt of twelve days. */
  #dam(): void {
    this.limited(1)
    this.open('dam')
    this.handle({ type: 'joined', root: rootKey('dam'), peer: peerKey('dam') })
  }
}

/** `request A 3`, `ask A 0 1 2`, `have 3`; the root stands in front only where it is another one: `S: send A 3`. */
function line(action: SwarmAction): string {
  const where = action.root === ROOT ? '' : `${action.root}: `
  return where + [action.type, ...operands(action)].join(' ')
}

function operands(action: SwarmAction): (string | number)[] {
  switch (action.type) {
    case 'completed':
      return []
    case 'have':
      return [action.piece]
    case 'ban':
      return [action.peer]
    case 'ask':
    case 'remind':
      return [action.peer, ...action.pieces]
    default:
      return [action.peer, action.piece]
  }
}

export const scenario = (options: ScenarioOptions = {}): Scenario => new Scenario(options)

/** The lines that begin so: `only(actions, 'request A')`. */
export const only = (actions: readonly string[], start: string): string[] =>
  actions.filter((action) => action.startsWith(start))

/** The pieces that `A` is asked for in these lines. */
export const requestedOf = (actions: readonly string[], peer: string): number[] =>
  only(actions, `request ${peer} `).map((action) => Number(action.split(' ').at(-1)))
