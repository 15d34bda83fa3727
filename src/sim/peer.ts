/** One peer: a scheduler, unchanged, its wire, its links, and a disk on which hashing and writing take a moment. */
import type { Prng } from '../core/prng.ts'
import { type PeerKey, type RootKey, rootKey } from '../core/types.ts'
import type { SwarmAction, SwarmEvent } from '../swarm/events.ts'
import { Scheduler } from '../swarm/scheduler.ts'
import { Bitswap, type Host } from './bitswap.ts'
import type { Timer } from './clock.ts'
import { type Conduct, TRAITS } from './conduct.ts'
import type { End, Medium, Owner, Transfer } from './connection.ts'
import type { Message } from './messages.ts'
import { Link } from './network.ts'

/** 1 MiB is hashed in about 0.7 ms and written to the page cache in less. */
const VERIFY_MS = 1
const STORE_MS = 1

/** No timer is finer. */
const TIMER_MS = 1

export interface PeerOptions {
  readonly key: PeerKey
  /** Bytes a second. */
  readonly up: number
  readonly down: number
  readonly conduct: Conduct
  readonly seeds: boolean
  /** Bytes of each piece. */
  readonly sizes: readonly number[]
  readonly medium: Medium
  readonly prng: Prng
  /** Called after every event. */
  readonly checked: ((scheduler: Scheduler) => void) | undefined
  onUploaded(): void
  onComplete(): void
  onBan(end: End): void
}

export class Peer implements Owner, Host {
  readonly root: RootKey = rootKey('share')
  readonly key: PeerKey
  readonly up: Link
  readonly down: Link
  readonly sends: boolean
  readonly genuine: boolean
  readonly ends = new Map<PeerKey, End>()
  /** When each piece was stored, in that order. */
  readonly storedAt: number[] = []
  /** Bytes sent. */
  sentBytes = 0
  readonly #options: PeerOptions
  readonly #scheduler: Scheduler
  readonly #wire = new Bitswap(this)
  readonly #has: Uint8Array
  /** Received and not stored yet, with whether the bytes are right. */
  readonly #held = new Map<number, boolean>()
  readonly #alarm: Timer
  #running = true

  constructor(options: PeerOptions) {
    const { sizes, seeds, medium } = options
    const { sends, genuine } = TRAITS[options.conduct]
    this.#options = options
    this.key = options.key
    this.up = new Link(options.up)
    this.down = new Link(options.down)
    this.sends = sends
    this.genuine = genuine
    this.#scheduler = new Scheduler(options.prng)
    this.#has = new Uint8Array(sizes.length).fill(seeds ? 1 : 0)
    this.#alarm = medium.clock.idle(() => this.#wake())
    const have = seeds ? sizes.keys() : []
    this.dispatch({ type: 'opened', root: this.root, sizes, have, final: true })
  }

  /** The peer is switched off. */
  stop(): void {
    this.#running = false
    this.#options.medium.clock.cancel(this.#alarm)
    for (const end of this.ends.values()) end.connection.close(this)
    this.ends.clear()
  }

  // --- connections

  join(end: End): void {
    const peer = end.other.owner.key
    this.ends.set(peer, end)
    this.dispatch({ type: 'joined', root: this.root, peer })
  }

  lost(end: End, unsent: readonly Transfer[]): void {
    const peer = end.other.owner.key
    if (this.ends.get(peer) === end) this.ends.delete(peer)
    this.dispatch({ type: 'left', root: this.root, peer })
    for (const { piece } of unsent) this.dispatch({ type: 'send-failed', root: this.root, peer, piece })
  }

  receive(end: End, message: Message): void {
    if (this.#running) this.#wire.receive(end, message)
  }

  progressed(end: End): void {
    this.dispatch({ type: 'progressed', root: this.root, peer: end.other.owner.key, bytes: 0 })
  }

  arrived(end: End, transfer: Transfer): void {
    this.#wire.arrived(end, transfer)
  }

  uploaded(bytes: number): void {
    this.sentBytes += bytes
    this.#options.onUploaded()
  }

  sent(end: End, { piece }: Transfer): void {
    this.dispatch({ type: 'sent', root: this.root, peer: end.other.owner.key, piece })
  }

  // --- pieces

  claims(piece: number): boolean {
    return this.#has[piece] === 1 || TRAITS[this.#options.conduct].claimsEverything
  }

  size(piece: number): number {
    return this.#options.sizes[piece] ?? 0
  }

  take(piece: number, genuine: boolean): boolean {
    if (this.#has[piece] === 1 || this.#held.has(piece)) return false
    this.#held.set(piece, genuine)
    return true
  }

  #verify(peer: PeerKey, piece: number): void {
    const { root } = this
    if (this.#held.get(piece) === true) {
      this.dispatch({ type: 'verified', root, peer, piece })
      this.#options.medium.clock.after(STORE_MS, () => this.#store(peer, piece))
    } else {
      this.#held.delete(piece)
      this.dispatch({ type: 'corrupt', root, peer, piece })
    }
  }

  #store(peer: PeerKey, piece: number): void {
    if (!this.#running) return
    this.#has[piece] = 1
    this.storedAt.push(this.#options.medium.clock.now)
    this.dispatch({ type: 'stored', root: this.root, peer, piece })
    this.#held.delete(piece)
  }

  // --- the scheduler

  dispatch(event: SwarmEvent): void {
    if (!this.#running) return
    const { medium, checked } = this.#options
    medium.tally.events++
    const actions = this.#scheduler.handle(event, medium.clock.now)
    checked?.(this.#scheduler)
    for (const action of actions) this.#act(action)
    this.#rearm()
  }

  #act(action: SwarmAction): void {
    switch (action.type) {
      case 'verify-and-store':
        this.#options.medium.clock.after(VERIFY_MS, () => this.#verify(action.peer, action.piece))
        return
      case 'ban':
        this.#ban(action.peer)
        return
      case 'completed':
        this.#options.onComplete()
        return
      default:
        this.#wire.act(action)
        return
    }
  }

  #ban(peer: PeerKey): void {
    const end = this.ends.get(peer)
    if (end !== undefined) this.#options.onBan(end)
  }

  #wake(): void {
    this.#options.medium.tally.wakeUps++
    this.dispatch({ type: 'woke' })
  }

  #rearm(): void {
    const { clock } = this.#options.medium
    const due = this.#scheduler.nextTimeout()
    if (due === undefined) {
      clock.cancel(this.#alarm)
      return
    }
    const soonest = Math.max(due, clock.now + TIMER_MS)
    const armed = this.#alarm.position >= 0
    // an alarm that is overdue is not put off by every event
    if (!armed || this.#alarm.at < due || this.#alarm.at > soonest) clock.move(this.#alarm, soonest)
  }
}
