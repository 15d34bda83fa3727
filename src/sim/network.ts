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

/** A way from one link to the other, on which bytes run from `start` to `stop`. */
export interface Flow {
  readonly up: Link
  readonly down: Link
  running: boolean
  /** Bytes still to go at `settledAt`. */
  remaining: number
  settledAt: number
  /** The flow is heard of when so many are still to go. */
  mark: number
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

  /** A way between two links; `reached` is called when what is to go comes down to the mark. */
  flow(up: Link, down: Link, reached: () => void): Flow {
    const flow: Flow = {
      up,
      down,
      running: false,
      remaining: 0,
      settledAt: 0,
      mark: 0,
      rate: 0,
      bound: Number.POSITIVE_INFINITY,
      touched: false,
      timer: this.#clock.idle(() => {
        // exactly, whatever the rates were rounded to
        flow.remaining = flow.mark
        flow.settledAt = this.#clock.now
        reached()
      }),
    }
    return flow
  }

  /** Sends bytes; one that runs has come to its end and goes on with these. */
  start(flow: Flow, bytes: number, mark = 0): void {
    flow.remaining = bytes
    flow.mark = mark
    flow.settledAt = this.#clock.now
    if (flow.running) {
      this.#reschedule(flow)
      return
    }
    flow.running = true
    flow.up.flows.push(flow)
    flow.down.flows.push(flow)
    this.#spread(flow)
  }

  /** Takes the flow off its links. */
  stop(flow: Flow): void {
    if (!flow.running) return
    this.#settle(flow)
    this.#clock.cancel(flow.timer)
    flow.running = false
    flow.rate = 0
    remove(flow.up.flows, flow)
    remove(flow.down.flows, flow)
    this.#balance(flow.up, flow.down)
  }

  /** Bytes still to go. */
  remaining(flow: Flow): number {
    this.#settle(flow)
    return flow.remaining
  }

  /** Sets what is to go, and when the flow is heard of. */
  adjust(flow: Flow, remaining: number, mark: number): void {
    this.#settle(flow)
    flow.remaining = remaining
    flow.mark = mark
    this.#reschedule(flow)
  }

  /** Holds the flow to this rate; Infinity lets go. */
  setBound(flow: Flow, bound: number): void {
    flow.bound = bound
    if (flow.running) this.#spread(flow)
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
  #balance(one: Link, other = one): void {
    this.#touchLink(one)
    this.#touchLink(other)
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
    if (!flow.running || same(rate, flow.rate)) return
    this.#settle(flow)
    flow.rate = rate
    this.#reschedule(flow)
  }

  #reschedule(flow: Flow): void {
    if (flow.rate === 0) this.#clock.cancel(flow.timer)
    else this.#clock.move(flow.timer, this.#clock.now + ((flow.remaining - flow.mark) * 1000) / flow.rate)
  }

  #settle(flow: Flow): void {
    const { now } = this.#clock
    if (flow.settledAt === now) return
    flow.remaining = Math.max(flow.mark, flow.remaining - (flow.rate * (now - flow.settledAt)) / 1000)
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
