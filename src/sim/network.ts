/**
 * Links and the flows over them, as fluids. Every flow runs from one uplink to one downlink and gets its max-min
 * fair rate (Bertsekas and Gallager, Data Networks, 6.5): a link has a level, no flow runs faster than the levels of
 * its two links, and the level of a full link is what is left by the flows that are held back elsewhere, in equal
 * parts. A change spreads from the links that it touches and ends where no level moves, so it costs what it changes.
 */
import type { Clock, Timer } from './clock.ts'

/** Levels within this part of each other are equal. */
const SAME = 1e-6

export class Link {
  /** Bytes a second. */
  capacity: number
  /** The rate that a flow may have here; Infinity while the link is not full. */
  level = Number.POSITIVE_INFINITY
  readonly flows: Flow[] = []
  /** Waits for its level to be computed. */
  touched = false

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Bytes a second that run now. */
  get load(): number {
    let load = 0
    for (const flow of this.flows) load += flow.rate
    return load
  }
}

export interface Flow {
  readonly up: Link
  readonly down: Link
  /** Bytes to move in all, and those still to go at `settledAt`. */
  size: number
  remaining: number
  settledAt: number
  /** Bytes a second. */
  rate: number
  /** A bound of its own on the rate: 0 while it is stalled. */
  bound: number
  /** Its rate may have changed. */
  touched: boolean
  readonly timer: Timer
}

export class Network {
  readonly #clock: Clock
  readonly #links: Link[] = []
  readonly #flows: Flow[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Bytes from one link to the other; `done` is called when the last one left. */
  start(up: Link, down: Link, size: number, done: () => void): Flow {
    const flow: Flow = {
      up,
      down,
      size,
      remaining: size,
      settledAt: this.#clock.now,
      rate: 0,
      bound: Number.POSITIVE_INFINITY,
      touched: false,
      timer: this.#clock.idle(() => {
        // exactly, whatever the rates were rounded to
        flow.remaining = 0
        this.stop(flow)
        done()
      }),
    }
    up.flows.push(flow)
    down.flows.push(flow)
    this.#spread(flow)
    return flow
  }

  /** Takes the flow off its links and returns the bytes that it moved. */
  stop(flow: Flow): number {
    this.#settle(flow)
    this.#clock.cancel(flow.timer)
    flow.rate = 0
    remove(flow.up.flows, flow)
    remove(flow.down.flows, flow)
    this.#balance(flow.up, flow.down)
    return flow.size - flow.remaining
  }

  /** Bytes still to go. */
  remaining(flow: Flow): number {
    this.#settle(flow)
    return flow.remaining
  }

  /** Takes up to `bytes` off the end of the flow, and returns how many. */
  shorten(flow: Flow, bytes: number): number {
    this.#settle(flow)
    const cut = Math.min(bytes, flow.remaining)
    flow.size -= cut
    flow.remaining -= cut
    this.#reschedule(flow)
    return cut
  }

  /** Holds the flow to this rate; Infinity lets go. */
  setBound(flow: Flow, bound: number): void {
    flow.bound = bound
    this.#spread(flow)
  }

  setCapacity(link: Link, capacity: number): void {
    link.capacity = capacity
    this.#balance(link)
  }

  #spread(flow: Flow): void {
    this.#touchFlow(flow)
    this.#balance(flow.up, flow.down)
  }

  #touchLink(link: Link): void {
    if (link.touched) return
    link.touched = true
    this.#links.push(link)
  }

  #touchFlow(flow: Flow): void {
    if (flow.touched) return
    flow.touched = true
    this.#flows.push(flow)
  }

  /** Computes the levels of these links, of the links that feel the change, and so on; then the flows' rates. */
  #balance(...changed: Link[]): void {
    for (const link of changed) this.#touchLink(link)
    for (const link of this.#links) this.#level(link)
    this.#links.length = 0
    for (const flow of this.#flows) this.#adopt(flow)
    this.#flows.length = 0
  }

  #level(link: Link): void {
    link.touched = false
    const before = link.level
    const level = levelOf(link)
    if (same(level, before)) return
    link.level = level
    for (const flow of link.flows) {
      this.#touchFlow(flow)
      const other = flow.up === link ? flow.down : flow.up
      // a flow that is held back at its other end before and after takes no more and no less there
      if (other.level > before || other.level > level) this.#touchLink(other)
    }
  }

  #adopt(flow: Flow): void {
    flow.touched = false
    const rate = Math.min(flow.up.level, flow.down.level, flow.bound)
    if (same(rate, flow.rate)) return
    this.#settle(flow)
    flow.rate = rate
    this.#reschedule(flow)
  }

  #reschedule(flow: Flow): void {
    if (flow.rate === 0) this.#clock.cancel(flow.timer)
    else this.#clock.move(flow.timer, this.#clock.now + (flow.remaining * 1000) / flow.rate)
  }

  #settle(flow: Flow): void {
    const { now } = this.#clock
    flow.remaining = Math.max(0, flow.remaining - (flow.rate * (now - flow.settledAt)) / 1000)
    flow.settledAt = now
  }
}

/** What the flows that are held back elsewhere leave, in equal parts; Infinity when all are. */
function levelOf(link: Link): number {
  let level = link.capacity / link.flows.length
  // each round finds more flows that cannot use their part, and the part of the others grows
  for (let known = 0; ; ) {
    let elsewhere = 0
    let count = 0
    for (const flow of link.flows) {
      const limit = Math.min(flow.up === link ? flow.down.level : flow.up.level, flow.bound)
      if (limit > level) continue
      elsewhere += limit
      count++
    }
    if (count === link.flows.length) return Number.POSITIVE_INFINITY
    if (count <= known) return level
    known = count
    level = (link.capacity - elsewhere) / (link.flows.length - count)
  }
}

function same(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= SAME * Math.min(a, b)
}

function remove(flows: Flow[], flow: Flow): void {
  const at = flows.indexOf(flow)
  const last = flows.pop()
  if (last !== undefined && last !== flow && at >= 0) flows[at] = last
}
