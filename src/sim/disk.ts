/** What a peer has and holds of the pieces: bytes come, are checked, which takes a moment, and are stored, which does too. */
import type { RootKey } from '../core/types.ts'
import type { SwarmEvent } from '../swarm/events.ts'
import type { Clock } from './clock.ts'
import { HeldPiece } from './held-piece.ts'
import type { Span } from './messages.ts'
import type { Tally } from './tally.ts'

/** 1 MiB is hashed in about 0.7 ms and written to the page cache in less. */
const VERIFY_MS = 1
const STORE_MS = 1

export interface DiskOptions {
  readonly root: RootKey
  readonly clock: Clock
  readonly tally: Tally
  /** Bytes of each piece. */
  readonly sizes: readonly number[]
  readonly full: boolean
  dispatch(event: SwarmEvent): void
  /** The piece is there from now on; called before the scheduler hears of it. */
  onStored(piece: number): void
}

export class Disk {
  readonly #options: DiskOptions
  readonly #has: Uint8Array
  readonly #held = new Map<number, HeldPiece>()
  readonly #checking = new Set<number>()
  #stopped = false

  constructor(options: DiskOptions) {
    this.#options = options
    this.#has = new Uint8Array(options.sizes.length).fill(options.full ? 1 : 0)
  }

  has(piece: number): boolean {
    return this.#has[piece] === 1
  }

  isChecking(piece: number): boolean {
    return this.#checking.has(piece)
  }

  /** Keeps bytes, and returns how many of them were not here yet. */
  add({ piece, begin, length }: Span, genuine: boolean): number {
    if (this.has(piece) || this.isChecking(piece)) return 0
    const held = this.#held.get(piece) ?? new HeldPiece()
    this.#held.set(piece, held)
    return held.add(begin, length, genuine)
  }

  /** Forgets what is held of a piece, and returns how many bytes that were. */
  drop(piece: number): number {
    const bytes = this.#held.get(piece)?.bytes ?? 0
    this.#held.delete(piece)
    return bytes
  }

  /** All bytes are here: says whether they are right, and stores them then. */
  verifyAndStore(piece: number): void {
    const held = this.#held.get(piece)
    if (held === undefined || held.bytes !== this.#options.sizes[piece] || this.isChecking(piece))
      throw new Error(`piece ${piece} is to be verified with ${held?.bytes} bytes`)
    this.#checking.add(piece)
    this.#options.clock.after(VERIFY_MS, () => this.#verify(piece, held))
  }

  /** What is held is in vain. */
  stop(): void {
    this.#stopped = true
    for (const piece of [...this.#held.keys()]) this.#options.tally.cut += this.drop(piece)
  }

  #verify(piece: number, held: HeldPiece): void {
    if (this.#stopped) return
    const { root, tally, clock, dispatch } = this.#options
    if (held.genuine) {
      clock.after(STORE_MS, () => this.#store(piece))
      dispatch({ type: 'verified', root, piece })
      return
    }
    this.#checking.delete(piece)
    tally.corrupt += this.drop(piece)
    dispatch({ type: 'refuted', root, piece })
  }

  #store(piece: number): void {
    if (this.#stopped) return
    const { root, tally, dispatch, onStored } = this.#options
    this.#checking.delete(piece)
    this.#has[piece] = 1
    tally.useful += this.drop(piece)
    onStored(piece)
    dispatch({ type: 'stored', root, piece })
  }
}
