/** One peer: a scheduler, unchanged, its wires, its links and its disk. */
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import { rootKey } from '../core/types.ts'
import type { SwarmAction, SwarmEvent, Wire as WireKind } from '../swarm/events.ts'
import type { Timer } from './clock.ts'
import { type Conduct, TRAITS } from './conduct.ts'
import type { End, Medium, Owner } from './connection.ts'
import { Disk } from './disk.ts'
import { Inbox } from './inbox.ts'
import { Link } from './network.ts'
import { News } from './news.ts'

/** No timer is finer. */
const TIMER_MS = 1

/** The longest that what others told waits to be read, where nothing depends on it. */
const READ_MS = 100

/** Who decides: `Scheduler`, or, in a test, a script. */
export interface Mind {
  handle(event: SwarmEvent, now: Millis): readonly SwarmAction[]
  nextTimeout(): Millis | undefined
  /** Whether what others tell unasked makes it do something. */
  readonly awaitsNews: boolean
}

export interface PeerOptions {
  readonly key: PeerKey
  /** Bytes a second. */
  readonly up: number
  readonly down: number
  readonly wire: WireKind
  readonly conduct: Conduct
  readonly seeds: boolean
  /** Bytes of each piece. */
  readonly sizes: readonly number[]
  readonly medium: Medium
  readonly mind: Mind
  onUploaded(): void
  onComplete(): void
  onBan(end: End): void
}

export class Peer implements Owner {
  readonly root: RootKey = rootKey('share')
  readonly key: PeerKey
  readonly wire: WireKind
  readonly up: Link
  readonly down: Link
  readonly sends: boolean
  readonly genuine: boolean
  readonly disk: Disk
  readonly ends = new Map<PeerKey, End>()
  readonly inbox = new Inbox()
  /** When each piece was stored, in that order. */
  readonly storedAt: number[] = []
  /** Bytes sent. */
  sentBytes = 0
  readonly #options: PeerOptions
  readonly #news: News
  readonly #alarm: Timer
  /** Reads the inbox where nothing else does. */
  readonly #reader: Timer
  /** Events that came up while one was handled. */
  readonly #pending: SwarmEvent[] = []
  #handling = false
  #running = true

  constructor(options: PeerOptions) {
    const { key, sizes, seeds, medium } = options
    const { clock, tally } = medium
    const { sends, genuine, claimsEverything } = TRAITS[options.conduct]
    const { root } = this
    this.#options = options
    this.key = key
    this.wire = options.wire
    this.up = new Link(options.up)
    this.down = new Link(options.down)
    this.sends = sends
    this.genuine = genuine
    this.disk = new Disk({
      root,
      clock,
      tally,
      sizes,
      full: seeds,
      dispatch: (event) => this.dispatch(event),
      onStored: () => this.storedAt.push(clock.now),
    })
    const claimed = seeds || claimsEverything ? [...sizes.keys()] : []
    this.#news = new News({ root, key, clock, tally, claimed })
    this.#alarm = clock.idle(() => this.#wake())
    this.#reader = clock.idle(() => this.#read())
    this.dispatch({ type: 'opened', root, sizes, have: seeds ? claimed : [], final: true })
  }

  /** The peer is switched off. */
  stop(): void {
    this.#running = false
    this.#options.medium.clock.cancel(this.#alarm)
    this.#options.medium.clock.cancel(this.#reader)
    this.#news.stop()
    for (const end of this.ends.values()) end.connection.close(this)
    this.ends.clear()
    this.disk.stop()
  }

  // --- connections

  /** It meets another; returns the pieces that it names in joining. */
  meet(end: End): readonly number[] {
    this.ends.set(end.peer, end)
    return this.#news.add(end)
  }

  /** The other named these pieces. */
  join(end: End, has: readonly number[]): void {
    this.dispatch({ type: 'joined', root: this.root, peer: end.peer, wire: end.connection.kind, has })
  }

  lost(end: End): void {
    const { peer } = end
    if (this.ends.get(peer) !== end) return
    this.ends.delete(peer)
    this.#news.remove(end)
    this.dispatch({ type: 'left', root: this.root, peer })
  }

  tellNews(end: End): void {
    this.#news.tell(end)
  }

  uploaded(bytes: number): void {
    this.sentBytes += bytes
    this.#options.onUploaded()
  }

  // --- pieces

  has(piece: number): boolean {
    return this.disk.has(piece)
  }

  claims(piece: number): boolean {
    return this.disk.has(piece) || TRAITS[this.#options.conduct].claimsEverything
  }

  size(piece: number): number {
    return this.#options.sizes[piece] ?? 0
  }

  // --- the scheduler

  /** One event is handled, with all that follows from it, before the next. */
  dispatch(event: SwarmEvent): void {
    if (!this.#running) return
    if (this.#handling) {
      this.#pending.push(event)
      return
    }
    this.#handling = true
    this.#handleNotices()
    this.#handle(event)
    this.#handlePending()
    this.#handling = false
    this.#rearm()
  }

  #handlePending(): void {
    if (this.#pending.length > 0) {
      for (const next of this.#pending) this.#handle(next)
      this.#pending.length = 0
    }
  }

  /** What others told comes first: it was here before. */
  #handleNotices(): void {
    const { now } = this.#options.medium.clock
    for (let notice = this.inbox.take(now); notice !== undefined; notice = this.inbox.take(now)) {
      this.#handle(notice)
      this.#handlePending()
    }
  }

  /** Sets the reader for the first in the inbox. */
  heed(): void {
    if (!this.#running || this.#handling) return
    const due = this.inbox.due + (this.#options.mind.awaitsNews ? 0 : READ_MS)
    if (this.#reader.position < 0 || this.#reader.at > due) this.#options.medium.clock.move(this.#reader, due)
  }

  /** Reads what others told by now, before a wire changes anything that the scheduler has not heard of. */
  catchUp(): void {
    if (this.inbox.due <= this.#options.medium.clock.now) this.#read()
  }

  #read(): void {
    if (this.#handling || !this.#running) return
    this.#handling = true
    this.#handleNotices()
    this.#handling = false
    this.#rearm()
  }

  #handle(event: SwarmEvent): void {
    const { medium, mind } = this.#options
    medium.tally.events++
    for (const action of mind.handle(event, medium.clock.now)) this.#act(action)
  }

  #act(action: SwarmAction): void {
    switch (action.type) {
      case 'have':
        if (!TRAITS[this.#options.conduct].claimsEverything) this.#news.has(action.piece)
        return
      case 'expect':
        this.#news.expects(action.piece, 'expects')
        return
      case 'expect-no-more':
        this.#news.expects(action.piece, 'expects-no-more')
        return
      case 'verify-and-store':
        this.disk.verifyAndStore(action.piece)
        return
      case 'discard':
        this.#options.medium.tally.cut += this.disk.drop(action.piece)
        return
      case 'ban':
        this.#ban(action.peer)
        return
      case 'completed':
        this.#options.onComplete()
        return
      default:
        this.ends.get(action.peer)?.wire.act(action)
        return
    }
  }

  #ban(peer: PeerKey): void {
    const end = this.ends.get(peer)
    if (end !== undefined) this.#options.onBan(end)
  }

  #wake(): void {
    const { clock, tally } = this.#options.medium
    const due = this.#options.mind.nextTimeout()
    if (due !== undefined && due <= clock.now) {
      tally.wakeUps++
      this.dispatch({ type: 'woke' })
    } else this.#rearm()
  }

  /** An alarm that comes too early looks again, which is cheaper than to move it at every event. */
  #rearm(): void {
    const { clock } = this.#options.medium
    if (this.inbox.due < Number.POSITIVE_INFINITY) this.heed()
    const due = this.#options.mind.nextTimeout()
    if (due === undefined || !this.#running) return
    if (this.#alarm.position >= 0 && this.#alarm.at <= due) return
    const soonest = clock.now + TIMER_MS
    if (this.#alarm.position < 0 || this.#alarm.at > soonest) clock.move(this.#alarm, Math.max(due, soonest))
  }
}
