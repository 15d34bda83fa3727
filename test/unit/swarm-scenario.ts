/**
 * A scheduler on a bench: events go in by hand at times that the test sets, actions come out as short lines, and
 * the books are checked after every event.
 */
import assert from 'node:assert/strict'
import { createPrng } from '../../src/core/prng.ts'
import { millis, peerKey, rootKey } from '../../src/core/types.ts'
import type { SwarmAction, SwarmEvent, Wire } from '../../src/swarm/events.ts'
import { POLICY, type Policy } from '../../src/swarm/policy.ts'
import { Scheduler } from '../../src/swarm/scheduler.ts'

export const KIB = 1 << 10
export const MIB = 1 << 20

export interface SwarmOptions {
  /** How many pieces, all of `size` bytes (1 MiB). */
  readonly pieces?: number
  readonly size?: number
  /** Stored from the start. */
  readonly have?: readonly number[]
  /** False while the walk may still find pieces. */
  readonly final?: boolean
}

export interface ScenarioOptions extends SwarmOptions {
  /** What peers join by, where a test says nothing else. */
  readonly wire?: Wire
  /** Nothing is offered, or nothing requested, until `flow()`. */
  readonly dammed?: 'up' | 'down'
  readonly policy?: Partial<Policy>
  readonly seed?: number
}

/** Bytes of a piece; the whole piece where nothing is said. */
interface Part {
  readonly begin?: number
  readonly length?: number
}

interface Terms {
  readonly rate?: number
  readonly start?: number
}

const ROOT = 'R'

/** Events that say nothing but of whom they are. */
type PlainType = 'left' | 'choked' | 'unchoked' | 'interested' | 'uninterested' | 'progressed'

/** An event without the root, which is filled in. */
type Bare<E> = E extends { root: unknown } ? Omit<E, 'root'> : never

export class Scenario {
  readonly scheduler: Scheduler
  /** The actions that the last event led to. */
  actions: readonly SwarmAction[] = []
  readonly #size: number
  readonly #wire: Wire
  readonly #dammed: 'up' | 'down' | undefined
  #now = 0
  #root = ROOT

  constructor(options: ScenarioOptions) {
    const { pieces = 8, size = MIB, have = [], final = true, wire = 'share', dammed, seed = 1 } = options
    this.scheduler = new Scheduler(createPrng(seed), { ...POLICY, ...options.policy })
    this.#size = size
    this.#wire = wire
    this.#dammed = dammed
    if (dammed === 'up') this.#damUp()
    if (dammed === 'down') this.#damDown()
    this.open(ROOT, { pieces, have, final })
  }

  /** The next events happen then, in ms. */
  at(now: number): this {
    this.#now = now
    return this
  }

  /** So much later than the events before. */
  after(ms: number): this {
    return this.at(this.#now + ms)
  }

  get now(): number {
    return this.#now
  }

  /** The next events are of this root. */
  of(root: string): this {
    this.#root = root
    return this
  }

  // --- swarms

  open(root: string, options: SwarmOptions = {}): string[] {
    const { pieces = 1, size = this.#size, have = [], final = true } = options
    const sizes = Array<number>(pieces).fill(size)
    return this.handle({ type: 'opened', root: rootKey(root), sizes, have, final })
  }

  grown(pieces: number, { found = [], final = false }: { found?: number[]; final?: boolean } = {}): string[] {
    return this.#here({ type: 'grown', sizes: Array(pieces).fill(this.#size), found, final })
  }

  closed(): string[] {
    return this.#here({ type: 'closed' })
  }

  urgent(...pieces: number[]): string[] {
    return this.#here({ type: 'urgent', pieces })
  }

  verified(piece: number): string[] {
    return this.#here({ type: 'verified', piece })
  }

  refuted(piece: number, ...senders: string[]): string[] {
    const known = senders.length > 0 ? { senders: senders.map((sender) => peerKey(sender)) } : {}
    return this.#here({ type: 'refuted', piece, ...known })
  }

  lied(peer: string, piece: number): string[] {
    return this.#here({ type: 'lied', peer: peerKey(peer), piece })
  }

  stored(piece: number): string[] {
    return this.#here({ type: 'stored', piece })
  }

  storeFailed(piece: number): string[] {
    return this.#here({ type: 'store-failed', piece })
  }

  // --- what a peer is and says of itself

  /** `has`: what it names in joining. */
  joined(peer: string, wire = this.#wire, has?: readonly number[]): string[] {
    const named = has === undefined ? {} : { has }
    return this.#here({ type: 'joined', peer: peerKey(peer), wire, ...named })
  }

  left(peer: string): string[] {
    return this.#ofPeer('left', peer)
  }

  has(peer: string, ...pieces: number[]): string[] {
    return this.#here({ type: 'has', peer: peerKey(peer), pieces })
  }

  lacks(peer: string, ...pieces: number[]): string[] {
    return this.#here({ type: 'lacks', peer: peerKey(peer), pieces })
  }

  expects(peer: string, ...pieces: number[]): string[] {
    return this.#here({ type: 'expects', peer: peerKey(peer), pieces })
  }

  expectsNoMore(peer: string, ...pieces: number[]): string[] {
    return this.#here({ type: 'expects-no-more', peer: peerKey(peer), pieces })
  }

  choked(peer: string): string[] {
    return this.#ofPeer('choked', peer)
  }

  unchoked(peer: string): string[] {
    return this.#ofPeer('unchoked', peer)
  }

  interested(peer: string): string[] {
    return this.#ofPeer('interested', peer)
  }

  uninterested(peer: string): string[] {
    return this.#ofPeer('uninterested', peer)
  }

  misbehaved(peer: string): string[] {
    return this.#here({ type: 'misbehaved', peer: peerKey(peer), reason: 'sent nonsense' })
  }

  /**
   * Peers join, say what they have, serve us and want to be served, as drawn: a line each, `A ##..`, where `#` is a
   * piece that it has. Returns what the last of these events led to.
   */
  drawn(table: string, wire = this.#wire): string[] {
    let lines: string[] = []
    for (const row of table.trim().split('\n')) {
      const [peer = '', marks = ''] = row.trim().split(/ +/)
      const marked = (wanted: string): number[] =>
        [...marks].flatMap((mark, piece) => (mark === wanted ? [piece] : []))
      if (wire === 'bitswap') {
        this.joined(peer, wire)
        this.has(peer, ...marked('#'))
        lines = this.lacks(peer, ...marked('.'))
      } else {
        this.joined(peer, wire, marked('#'))
        this.interested(peer)
        lines = this.unchoked(peer)
      }
    }
    return lines
  }

  // --- pieces on their way in

  offered(
    peer: string,
    piece: number,
    { eager = false, rate = MIB, start = 0 }: Terms & { eager?: boolean } = {},
  ): string[] {
    return this.#here({ type: 'offered', peer: peerKey(peer), piece, eager, rate, start })
  }

  idle(peer: string, { rate = MIB, start = 0 }: Terms = {}): string[] {
    return this.#here({ type: 'idle', peer: peerKey(peer), rate, start })
  }

  suggested(peer: string, piece: number): string[] {
    return this.#ofPiece('suggested', peer, piece)
  }

  arrived(peer: string, piece: number, { begin = 0, length = this.#size - begin }: Part = {}): string[] {
    return this.#here({ type: 'arrived', peer: peerKey(peer), piece, begin, length })
  }

  received(peer: string, piece: number): string[] {
    return this.#ofPiece('received', peer, piece)
  }

  progressed(peer: string): string[] {
    return this.#ofPeer('progressed', peer)
  }

  rejected(peer: string, piece: number, { begin = 0, length = this.#size - begin }: Part = {}): string[] {
    return this.#here({ type: 'rejected', peer: peerKey(peer), piece, begin, length })
  }

  /** What was asked of the peer comes whole, and is right, and is stored. */
  comes(peer: string, piece: number): string[] {
    return [...this.arrived(peer, piece), ...this.verified(piece), ...this.stored(piece)]
  }

  // --- pieces on their way out

  requested(
    peer: string,
    piece: number,
    { begin = 0, length = this.#size - begin, offered = false }: Part & { offered?: boolean } = {},
  ): string[] {
    return this.#here({ type: 'requested', peer: peerKey(peer), piece, begin, length, offered })
  }

  accepted(peer: string, piece: number): string[] {
    return this.#ofPiece('accepted', peer, piece)
  }

  shortened(peer: string, piece: number, { begin = 0, length = 0 }: Part = {}): string[] {
    return this.#here({ type: 'shortened', peer: peerKey(peer), piece, begin, length })
  }

  declined(peer: string, piece?: number): string[] {
    return this.#here({ type: 'declined', peer: peerKey(peer), piece })
  }

  busy(peer: string, piece: number | undefined, ms: number): string[] {
    return this.#here({ type: 'busy', peer: peerKey(peer), piece, ms })
  }

  sent(peer: string, piece: number, { begin = 0, length = this.#size - begin }: Part = {}): string[] {
    return this.#here({ type: 'sent', peer: peerKey(peer), piece, begin, bytes: length })
  }

  delivered(peer: string, piece: number, { begin = 0, length = this.#size - begin }: Part = {}): string[] {
    return this.#here({ type: 'delivered', peer: peerKey(peer), piece, begin, bytes: length })
  }

  sendFailed(peer: string, piece: number, begin = 0): string[] {
    return this.#here({ type: 'send-failed', peer: peerKey(peer), piece, begin })
  }

  /** The peer answers an offer, given as its line, with yes. */
  takes(offer: string): string[] {
    const [, peer = '', piece = '', eager] = offer.split(' ')
    return eager === 'eager'
      ? this.accepted(peer, Number(piece))
      : this.requested(peer, Number(piece), { offered: true })
  }

  /** The peer takes what is offered, gets it and says so; other events may start its sending. */
  gets(offer: string): string[] {
    const [, peer = '', piece = ''] = offer.split(' ')
    const lines = this.takes(offer)
    lines.push(...this.delivered(peer, Number(piece)), ...this.has(peer, Number(piece)))
    return lines
  }

  // --- time and limits

  woke(): string[] {
    return this.handle({ type: 'woke' })
  }

  /** Wakes the scheduler whenever it wants, until it is `time`; `lines` are what came of it. */
  until(time: number): string[] {
    const lines: string[] = []
    for (let wakes = 0; ; wakes++) {
      const due = this.nextTimeout
      if (due === undefined || due > time) break
      assert.ok(wakes < 10_000, `woken ${wakes} times until ${due}`)
      this.at(Math.max(due, this.#now))
      lines.push(...this.woke())
    }
    this.at(time)
    return lines
  }

  limited(down: number, root?: string): string[] {
    return this.handle({ type: 'limited', down, ...(root !== undefined && { root: rootKey(root) }) })
  }

  /** The dam opens. */
  flow(): string[] {
    if (this.#dammed === 'down') return this.limited(0)
    const lines = this.of('dam').closed()
    this.of(ROOT)
    return lines
  }

  get nextTimeout(): number | undefined {
    return this.scheduler.nextTimeout()
  }

  handle(event: SwarmEvent): string[] {
    this.actions = this.scheduler.handle(event, millis(this.#now))
    this.scheduler.checkInvariants()
    return this.actions.map((action) => this.#line(action))
  }

  #here(event: Bare<SwarmEvent>): string[] {
    return this.handle({ ...event, root: rootKey(this.#root) } as SwarmEvent)
  }

  #ofPeer(type: PlainType, peer: string): string[] {
    return this.#here({ type, peer: peerKey(peer) })
  }

  #ofPiece(type: 'suggested' | 'received' | 'accepted', peer: string, piece: number): string[] {
    return this.#here({ type, peer: peerKey(peer), piece })
  }

  /** Others have taken what another swarm offered them, as much as may go at once and as large as can be. */
  #damUp(): void {
    const pieces = 64
    this.open('dam', { pieces, size: 2 ** 40, have: everything(pieces) })
    this.of('dam')
    for (let at = 0; at < pieces; at++) {
      this.joined(`dam ${at}`, 'share')
      for (let more = true; more; ) {
        more = false
        for (const action of [...this.actions]) {
          if (action.type !== 'offer') continue
          more = true
          const { peer, piece, eager } = action
          if (eager) this.accepted(peer, piece)
          else this.requested(peer, piece, { length: 2 ** 40, offered: true })
        }
      }
    }
    this.of(ROOT)
  }

  /** One request of another swarm at a byte a second leaves a debt of twelve days. */
  #damDown(): void {
    this.limited(1)
    this.open('dam', { size: MIB })
    this.of('dam').joined('dam', 'bitswap')
    this.of(ROOT)
  }

  // --- lines

  /** `request A 3`, `ask A 0 1 2`, `have 3`; the root stands in front only where it is another one: `S: send A 3`. */
  #line(action: SwarmAction): string {
    const where = action.root === ROOT ? '' : `${action.root}: `
    return where + [action.type, ...this.#operands(action)].join(' ')
  }

  #operands(action: SwarmAction): (string | number)[] {
    switch (action.type) {
      case 'completed':
        return []
      case 'have':
      case 'expect':
      case 'expect-no-more':
      case 'verify-and-store':
      case 'discard':
        return [action.piece]
      case 'ban':
      case 'choke':
      case 'unchoke':
      case 'interested':
      case 'uninterested':
      case 'offer-uplink':
        return [action.peer]
      case 'ask':
      case 'remind':
        return [action.peer, ...action.pieces]
      case 'offer':
        return [action.peer, action.piece, ...(action.eager ? ['eager'] : [])]
      case 'decline':
      case 'busy':
        return [action.peer, action.piece ?? 'nothing']
      case 'unask':
      case 'suggest':
        return [action.peer, action.piece]
      case 'request':
      case 'cancel':
      case 'send':
      case 'reject':
        return [action.peer, action.piece, ...this.#part(action)]
    }
  }

  /** Nothing for a whole piece. */
  #part({ begin, length }: { readonly begin: number; readonly length: number }): string[] {
    return begin === 0 && length === this.#size ? [] : [`${begin}+${length}`]
  }
}

export const scenario = (options: ScenarioOptions = {}): Scenario => new Scenario(options)

export const everything = (pieces: number): number[] => [...Array(pieces).keys()]

/** The lines that begin so: `only(actions, 'request A')`. */
export const only = (lines: readonly string[], ...starts: string[]): string[] =>
  lines.filter((line) => starts.some((start) => line.startsWith(start)))

/** The lines that begin otherwise. */
export const without = (lines: readonly string[], ...starts: string[]): string[] =>
  lines.filter((line) => !starts.some((start) => line.startsWith(start)))

/** The pieces that `A` is asked for in these lines. */
export const requestedOf = (lines: readonly string[], peer: string): number[] =>
  only(lines, `request ${peer} `).map((line) => Number(line.split(' ')[2]))
