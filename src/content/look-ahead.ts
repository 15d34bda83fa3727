/**
 * Fetches in parallel what a depth-first walk will need, and hands it out in the walk's order. The walk enters a
 * frame with the CIDs that it will take there, one by one, before it goes on in the frame outside. Inner
 * frames are fetched for first. Bounded in what is under way and in what waits to be taken.
 */
import type { CID } from 'multiformats/cid'

export interface LookAheadOptions<T> {
  readonly fetch: (cid: CID) => Promise<T>
  /** Bytes of memory that a fetched value holds. */
  readonly weigh: (value: T) => number
  /** Fetches under way at once, and values that wait in one frame. */
  readonly parallel: number
}

/** Values that wait beyond this many bytes stop further fetching ahead; the next one needed is always fetched. */
const MAX_WAITING_BYTES = 16 * 2 ** 20

interface Slot<T> {
  readonly promise: Promise<T>
  /** Bytes while the value waits, 0 while it is under way. */
  weight: number
  dropped: boolean
}

interface Frame<T> {
  readonly cids: readonly CID[]
  started: number
  readonly slots: Slot<T>[]
}

export class LookAhead<T> {
  readonly #options: LookAheadOptions<T>
  readonly #frames: Frame<T>[] = []
  #underWay = 0
  #waiting = 0

  constructor(options: LookAheadOptions<T>) {
    this.#options = options
  }

  enter(cids: readonly CID[]): void {
    this.#frames.push({ cids, started: 0, slots: [] })
    this.#pump()
  }

  /** The next value of the innermost frame. */
  async take(): Promise<T> {
    const frame = this.#frames.at(-1)
    if (frame === undefined) throw new RangeError('no frame is entered')
    if (frame.slots.length === 0) this.#start(frame)
    const slot = frame.slots.shift()
    if (slot === undefined) throw new RangeError('nothing is left in the innermost frame')
    try {
      return await slot.promise
    } finally {
      this.#drop(slot)
      this.#pump()
    }
  }

  leave(): void {
    for (const slot of this.#frames.pop()?.slots ?? []) this.#drop(slot)
    this.#pump()
  }

  /** Starts nothing more. */
  close(): void {
    for (const frame of this.#frames.splice(0)) for (const slot of frame.slots) this.#drop(slot)
  }

  #pump(): void {
    const { parallel } = this.#options
    for (let at = this.#frames.length - 1; at >= 0; at--) {
      const frame = this.#frames[at]
      while (frame !== undefined && frame.started < frame.cids.length && frame.slots.length < parallel) {
        if (this.#underWay >= parallel || this.#waiting >= MAX_WAITING_BYTES) return
        this.#start(frame)
      }
    }
  }

  #start(frame: Frame<T>): void {
    const cid = frame.cids[frame.started]
    if (cid === undefined) return
    frame.started++
    this.#underWay++
    const slot: Slot<T> = { promise: this.#options.fetch(cid), weight: 0, dropped: false }
    frame.slots.push(slot)
    slot.promise
      .then(
        (value) => {
          if (slot.dropped) return
          slot.weight = this.#options.weigh(value)
          this.#waiting += slot.weight
        },
        // the walk hears of it when it takes this value, if it ever does
        () => {},
      )
      .then(() => {
        this.#underWay--
        this.#pump()
      })
  }

  #drop(slot: Slot<T>): void {
    slot.dropped = true
    this.#waiting -= slot.weight
    slot.weight = 0
  }
}
