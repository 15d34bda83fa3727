/**
 * Bytes of pieces from one peer to another: one stream, so one answer after the other, in the order in which they
 * were given. Bytes leave in parts, so that both ends see how fast they go.
 */
import type { Flow, Link, Network } from './network.ts'

/** Bytes of one piece that are to leave. */
export interface Shipment {
  readonly piece: number
  readonly begin: number
  /** Up to here they have left. */
  at: number
  /** Where they end; it may be cut short. */
  end: number
}

export interface LaneOptions {
  readonly network: Network
  readonly up: Link
  readonly down: Link
  /** Bytes leave in parts of so many. */
  readonly partBytes: number
  /** A part has left; nothing more follows of a shipment that is at its end. */
  left(shipment: Shipment, begin: number, length: number): void
}

export class Lane {
  readonly #options: LaneOptions
  readonly #flow: Flow
  readonly #queue: Shipment[] = []
  #current: Shipment | undefined
  #closed = false

  constructor(options: LaneOptions) {
    const { network, up, down } = options
    this.#options = options
    this.#flow = network.flow(up, down, () => this.#reached())
  }

  get busy(): boolean {
    return this.#current !== undefined
  }

  push(shipment: Shipment): void {
    if (this.#closed) return
    this.#queue.push(shipment)
    if (this.#current === undefined) this.#next()
  }

  /** Ends a shipment at `to`, or where it is by now. */
  cut(shipment: Shipment, to: number): void {
    if (shipment === this.#current) {
      this.#cutCurrent(shipment, to)
      return
    }
    shipment.end = Math.max(shipment.at, Math.min(to, shipment.end))
    if (shipment.at === shipment.end) this.#unqueue(shipment)
  }

  /** Stops or resumes what is being sent. */
  pause(paused: boolean): void {
    this.#options.network.setBound(this.#flow, paused ? 0 : Number.POSITIVE_INFINITY)
  }

  /** Drops everything. What had left of a part counts as left. */
  close(): void {
    this.#closed = true
    this.#queue.length = 0
    if (this.#current !== undefined) this.#cutCurrent(this.#current, this.#current.at)
  }

  #next(): void {
    const shipment = this.#queue.shift()
    this.#current = shipment
    const { network } = this.#options
    if (shipment === undefined) network.stop(this.#flow)
    else network.start(this.#flow, shipment.end - shipment.at, this.#markOf(shipment))
  }

  #reached(): void {
    const shipment = this.#current
    if (shipment !== undefined)
      this.#leave(shipment, Math.min(shipment.end, shipment.at + this.#options.partBytes))
  }

  #cutCurrent(shipment: Shipment, to: number): void {
    const { network } = this.#options
    const now = Math.floor(shipment.end - network.remaining(this.#flow))
    const end = Math.max(to, shipment.at, now)
    if (end >= shipment.end) return
    const remaining = network.remaining(this.#flow) - (shipment.end - end)
    shipment.end = end
    if (end <= now) this.#leave(shipment, end)
    else network.adjust(this.#flow, remaining, this.#markOf(shipment))
  }

  #leave(shipment: Shipment, to: number): void {
    const begin = shipment.at
    shipment.at = to
    if (to === shipment.end) this.#next()
    else this.#options.network.adjust(this.#flow, shipment.end - to, this.#markOf(shipment))
    if (to > begin) this.#options.left(shipment, begin, to - begin)
  }

  #unqueue(shipment: Shipment): void {
    const at = this.#queue.indexOf(shipment)
    if (at >= 0) this.#queue.splice(at, 1)
  }

  /** What is still to go when the next part has left. */
  #markOf({ at, end }: Shipment): number {
    return Math.max(0, end - at - this.#options.partBytes)
  }
}
