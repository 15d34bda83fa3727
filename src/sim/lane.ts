/**
 * Pieces from one peer to another: one stream, so one after the other. The flow of a piece ends when its last byte
 * leaves; the receiver has it a latency later.
 */
import type { Timer } from './clock.ts'
import type { End, Transfer } from './connection.ts'
import type { Flow } from './network.ts'

/** The receiver of a long transfer is told so often that something comes; patience is 2 s at least. */
const PROGRESS_MS = 500

export class Lane {
  readonly #end: End
  readonly #queue: Transfer[] = []
  #current: { readonly transfer: Transfer; readonly flow: Flow } | undefined
  #ticks: Timer | undefined
  #paused = false

  constructor(end: End) {
    this.#end = end
  }

  push(transfer: Transfer): void {
    if (this.#end.connection.state === 'closed') return
    this.#queue.push(transfer)
    if (this.#current === undefined) this.#next()
  }

  /** Stops or resumes what is being sent. */
  pause(paused: boolean): void {
    this.#paused = paused
    this.#applyPause()
  }

  /** Drops everything; returns what had not left whole. */
  close(): Transfer[] {
    const unsent = this.#queue.splice(0)
    if (this.#current !== undefined) {
      const { transfer, flow } = this.#current
      const { network, tally } = this.#end.connection.medium
      tally.lost += this.#count(network.stop(flow))
      unsent.unshift(transfer)
    }
    this.#rest()
    return unsent
  }

  get busy(): boolean {
    return this.#current !== undefined
  }

  #next(): void {
    const transfer = this.#queue.shift()
    if (transfer === undefined) return
    const { connection, owner, other } = this.#end
    const { clock, network } = connection.medium
    const flow = network.start(owner.up, other.owner.down, transfer.size, () => this.#done(transfer))
    this.#current = { transfer, flow }
    if (this.#paused) this.#applyPause()
    this.#ticks = clock.after(PROGRESS_MS, () => this.#tick(flow))
  }

  #done(transfer: Transfer): void {
    const { connection, owner, other } = this.#end
    const { clock, tally } = connection.medium
    this.#rest()
    tally.lost += this.#count(transfer.size)
    clock.after(connection.latency, () => {
      if (connection.state !== 'open') return
      tally.lost -= transfer.size
      other.owner.arrived(other, transfer)
    })
    this.#next()
    owner.sent(this.#end, transfer)
  }

  #tick(flow: Flow): void {
    const { connection, other } = this.#end
    const { clock } = connection.medium
    this.#ticks = clock.after(PROGRESS_MS, () => this.#tick(flow))
    if (flow.rate === 0) return
    clock.after(connection.latency, () => {
      if (connection.state === 'open') other.owner.progressed(other)
    })
  }

  #applyPause(): void {
    if (this.#current === undefined) return
    const bound = this.#paused ? 0 : Number.POSITIVE_INFINITY
    this.#end.connection.medium.network.setBound(this.#current.flow, bound)
  }

  #rest(): void {
    this.#end.connection.medium.clock.cancel(this.#ticks)
    this.#current = undefined
  }

  #count(bytes: number): number {
    this.#end.connection.medium.tally.sent += bytes
    this.#end.owner.uploaded(bytes)
    return bytes
  }
}
