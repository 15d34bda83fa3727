/** The rate limits of a node, up and down: one for all roots together and one for each. Whatever goes is charged to both. */
import type { Millis, RootKey } from '../core/types.ts'
import { Limiter } from './limiter.ts'

export type Direction = 'up' | 'down'

type Pair = Readonly<Record<Direction, Limiter>>

/** Under a limit a frame holds no more than a tenth of a second, but at least this: smaller ones are mostly head. */
const FRAME_SECONDS = 0.1
const LEAST_FRAME = 16 << 10

export class Limits {
  readonly #all = pair()
  readonly #roots = new Map<RootKey, Pair>()

  /** Bytes a second, 0 is unlimited, for one root or for all together. */
  set(direction: Direction, rate: number, now: Millis, root?: RootKey): void {
    const limiters = root === undefined ? this.#all : (this.#roots.get(root) ?? pair())
    limiters[direction].setRate(rate, now)
    if (root === undefined) return
    if (limiters.up.unlimited && limiters.down.unlimited) this.#roots.delete(root)
    else this.#roots.set(root, limiters)
  }

  /** Milliseconds until something may go. */
  waits(direction: Direction, now: Millis, root?: RootKey): number {
    return Math.max(...this.#of(direction, root).map((limiter) => limiter.waits(now)))
  }

  charge(direction: Direction, bytes: number, now: Millis, root?: RootKey): void {
    for (const limiter of this.#of(direction, root)) limiter.charge(bytes, now)
  }

  /** Bytes of a frame at most; without a limit, `most`. */
  frame(direction: Direction, most: number, root?: RootKey): number {
    const rates = this.#of(direction, root).map(({ rate }) => rate)
    const rate = Math.min(...rates.filter((each) => each > 0))
    return Math.min(most, Math.max(LEAST_FRAME, Math.floor(rate * FRAME_SECONDS)))
  }

  #of(direction: Direction, root: RootKey | undefined): readonly Limiter[] {
    const own = root === undefined ? undefined : this.#roots.get(root)
    return own === undefined ? [this.#all[direction]] : [this.#all[direction], own[direction]]
  }
}

function pair(): Pair {
  return { up: new Limiter(), down: new Limiter() }
}
