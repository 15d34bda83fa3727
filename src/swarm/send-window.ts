/**
 * How much may be on its way to others, so that the queue stays in front of the transports, where the order can still
 * be changed, and not in the buffers of kernels and networks, where every control message waits behind it.
 *
 * What is handed to a transport counts until it is confirmed; what counts is bounded by what the path holds and a
 * little more, for each peer and for all together. A peer that confirms nothing for long holds up itself alone. A
 * queue of our own making looks like delay, so where the path has not run empty for a while it is let run empty for a
 * moment, which shows the delay without it (as BBR does).
 *
 * Where peers do not confirm, what counts is what the transport has not taken yet; nothing is measured by them.
 */
import { type Millis, millis } from '../core/types.ts'
import { type Mark, SendPath } from './send-path.ts'

/** For a peer that does not confirm: a few slices, until the transport has taken them. */
const UNCONFIRMING_BOUND = 256 << 10

/** A path that has been full for so long is emptied, which may take so long. */
const FULL_MS = 10_000
const MOST_EMPTYING_MS = 200

/** A peer that confirms nothing for 4 × its delay, and for so long at least, is silent. */
const LEAST_SILENCE_MS = 2_000
const SILENCE_DELAYS = 4

interface Frame {
  bytes: number
  readonly sentAt: Millis
  readonly ofAll: Mark
  readonly ofOne: Mark
}

/** What is on its way to one peer. */
export interface Flow {
  /** Bytes handed over and not confirmed. */
  readonly inFlight: number
}

class OpenFlow implements Flow {
  readonly path = new SendPath()
  readonly frames: Frame[] = []
  readonly confirms: boolean
  /** When it last confirmed something, or had nothing to confirm. */
  heardAt: Millis
  silent = false

  constructor(confirms: boolean, now: Millis) {
    this.confirms = confirms
    this.heardAt = now
  }

  get inFlight(): number {
    return this.path.inFlight
  }

  get bound(): number {
    return this.confirms ? this.path.bound() : UNCONFIRMING_BOUND
  }

  /** When it counts as silent, if nothing comes. */
  get silentAt(): Millis {
    return millis(this.heardAt + Math.max(LEAST_SILENCE_MS, SILENCE_DELAYS * (this.path.delay ?? 0)))
  }
}

export class SendWindow {
  readonly #all = new SendPath()
  /** Those with bytes in flight. */
  readonly #busy = new Set<OpenFlow>()
  /** When the path was empty the last time, and whether it was full since. */
  #emptyAt = millis(0)
  #wasFull = false
  #emptyingUntil: Millis | undefined

  /** Bytes handed over and not confirmed, save those of silent peers. */
  get inFlight(): number {
    return this.#all.inFlight
  }

  /** Bytes a second that were confirmed at best in the last seconds; undefined where nothing is known. */
  get rate(): number | undefined {
    const { rate } = this.#all
    return rate === undefined ? undefined : rate * 1000
  }

  /** A peer. `confirms`: it tells what has arrived. */
  open(confirms: boolean, now: Millis): Flow {
    return new OpenFlow(confirms, now)
  }

  /** The peer is gone, and with it what was on its way. */
  close(flow: Flow): void {
    const open = flow as OpenFlow
    if (!open.silent) this.#all.forget(open.inFlight)
    open.path.forget(open.inFlight)
    open.frames.length = 0
    this.#busy.delete(open)
  }

  /** Whether a frame may be handed over to this peer. Those that are busy are waited for; see `nextTimeout`. */
  admits(flow: Flow, now: Millis): boolean {
    const open = flow as OpenFlow
    return open.inFlight < open.bound && this.#hasRoom(open, now)
  }

  /** When it may open although nothing was confirmed. */
  nextTimeout(now: Millis): Millis | undefined {
    const times = [...this.#busy].map(({ silentAt }) => silentAt)
    if (this.#emptyingUntil !== undefined) times.push(this.#emptyingUntil)
    const ahead = times.filter((time) => time > now)
    return ahead.length === 0 ? undefined : millis(Math.min(...ahead))
  }

  handed(flow: Flow, bytes: number, now: Millis): void {
    const open = flow as OpenFlow
    if (this.#all.inFlight === 0) this.#emptied(now)
    if (open.inFlight === 0) open.heardAt = now
    this.#busy.add(open)
    const ofOne = open.path.sent(bytes, now)
    const ofAll = this.#all.sent(bytes, now)
    if (open.silent) this.#all.forget(bytes)
    open.frames.push({ bytes, sentAt: now, ofAll, ofOne })
  }

  /** At most what was handed over. */
  confirmed(flow: Flow, bytes: number, now: Millis): void {
    const open = flow as OpenFlow
    if (open.silent) this.#all.forget(-open.inFlight)
    open.silent = false
    open.heardAt = now
    open.path.confirmed(bytes, now)
    this.#all.confirmed(bytes, now)
    const newest = taken(open.frames, bytes)
    if (newest !== undefined && open.confirms) {
      open.path.measure(newest.ofOne, newest.sentAt, now)
      this.#all.measure(newest.ofAll, newest.sentAt, now)
    }
    if (open.inFlight === 0) this.#busy.delete(open)
  }

  #hasRoom(flow: OpenFlow, now: Millis): boolean {
    if (this.#emptying(now)) return false
    const bound = this.#bound(flow)
    if (this.#all.inFlight < bound) return true
    this.#wasFull = true
    this.#silence(now)
    return this.#all.inFlight < bound
  }

  /** The path to the farthest of those that are busy has to be filled; what each may have is bounded by its own. */
  #bound(flow: OpenFlow): number {
    let delay = flow.path.delay
    for (const { path } of this.#busy) if (path.delay !== undefined) delay = Math.max(delay ?? 0, path.delay)
    return this.#all.bound(delay)
  }

  #silence(now: Millis): void {
    for (const flow of this.#busy) {
      if (flow.silent || now < flow.silentAt) continue
      flow.silent = true
      this.#all.forget(flow.inFlight)
    }
  }

  #emptying(now: Millis): boolean {
    if (this.#all.inFlight === 0 || now >= (this.#emptyingUntil ?? Number.POSITIVE_INFINITY))
      this.#emptied(now)
    else if (this.#wasFull && now - this.#emptyAt >= FULL_MS)
      this.#emptyingUntil ??= millis(now + MOST_EMPTYING_MS)
    return this.#emptyingUntil !== undefined
  }

  #emptied(now: Millis): void {
    this.#emptyAt = now
    this.#wasFull = false
    this.#emptyingUntil = undefined
  }
}

/** Takes the oldest bytes out, and returns the newest frame that had some of them. */
function taken(frames: Frame[], bytes: number): Frame | undefined {
  let left = bytes
  let newest: Frame | undefined
  while (left > 0) {
    const [first] = frames
    if (first === undefined) return newest
    newest = first
    const part = Math.min(left, first.bytes)
    first.bytes -= part
    left -= part
    if (first.bytes === 0) frames.shift()
  }
  return newest
}
