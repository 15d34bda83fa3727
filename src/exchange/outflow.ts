/**
 * Whose data leaves next, over all wires: each peer hands over one frame in its turn, while the send window is open
 * and no limit is in debt. Messages without data do not come by here; they are charged to the limits, and never wait.
 */
import type { Millis, RootKey } from '../core/types.ts'
import type { Limits } from '../swarm/limits.ts'
import type { Flow, SendWindow } from '../swarm/send-window.ts'

/** Data for one turn: 64 KiB, or what a fast path takes in 5 ms, for there it is writes that cost. */
const LEAST_TURN = 64 << 10
const MOST_TURN = 256 << 10
const TURN_SECONDS = 0.005

/** A limit that is changed takes effect after that at the latest. */
const MOST_WAIT_MS = 1_000

/** Who writes to one peer. */
export interface Writer {
  /** Whose limit it is charged to, besides the common one. */
  readonly root: RootKey | undefined
  /** The peer tells what has arrived; otherwise what the transport has taken counts as confirmed. */
  readonly confirms: boolean
  /** Hands over at most so many bytes of data, and returns how many; 0 when there are none or the transport is full. */
  write(most: number): number
}

/** A writer's part in the turns: from `wake` until it has written nothing. */
export interface Outlet {
  /** There is something to write, and the transport takes it. */
  wake(): void
  /** At most what was written. */
  confirmed(bytes: number): void
  close(): void
}

interface Member extends Outlet {
  readonly writer: Writer
  readonly flow: Flow
}

export interface OutflowOptions {
  readonly window: SendWindow
  readonly limits: Limits
  readonly now: () => Millis
}

export class Outflow {
  readonly limits: Limits
  readonly #now: () => Millis
  readonly #window: SendWindow
  /** Those with something to write, in the order of their turns. */
  readonly #waiting = new Set<Member>()
  #timer: NodeJS.Timeout | undefined
  #running = false

  constructor({ window, limits, now }: OutflowOptions) {
    this.limits = limits
    this.#window = window
    this.#now = now
  }

  join(writer: Writer): Outlet {
    const flow = this.#window.open(writer.confirms, this.#now())
    const member: Member = {
      writer,
      flow,
      wake: () => {
        this.#waiting.add(member)
        this.#run()
      },
      confirmed: (bytes) => {
        this.#window.confirmed(flow, bytes, this.#now())
        this.#run()
      },
      close: () => {
        this.#waiting.delete(member)
        this.#window.close(flow)
        this.#run()
      },
    }
    return member
  }

  /** Bytes that left without waiting. */
  charge(bytes: number, root: RootKey | undefined): void {
    this.limits.charge('up', bytes, this.#now(), root)
  }

  stop(): void {
    this.#waiting.clear()
    clearTimeout(this.#timer)
  }

  /** Turns go round until nobody can write. A writer may wake others while it writes. */
  #run(): void {
    if (this.#running) return
    this.#running = true
    try {
      let passed = 0
      while (passed < this.#waiting.size) passed = this.#next() ? 0 : passed + 1
    } finally {
      this.#running = false
      this.#rearm()
    }
  }

  /** The next turn; false when it has to wait. */
  #next(): boolean {
    const [member] = this.#waiting
    if (member === undefined) return false
    this.#waiting.delete(member)
    const { writer, flow } = member
    const now = this.#now()
    if (!this.#window.admits(flow, now) || this.limits.waits('up', now, writer.root) > 0) {
      this.#waiting.add(member)
      return false
    }
    const bytes = writer.write(this.limits.frame('up', this.#turn, writer.root))
    if (bytes === 0) return true
    this.#window.handed(flow, bytes, now)
    this.charge(bytes, writer.root)
    this.#waiting.add(member)
    return true
  }

  get #turn(): number {
    const rate = this.#window.rate ?? 0
    return Math.min(MOST_TURN, Math.max(LEAST_TURN, Math.floor(rate * TURN_SECONDS)))
  }

  /** Confirmations open the window; only time pays debts, and ends the waiting for a silent peer. */
  #rearm(): void {
    clearTimeout(this.#timer)
    if (this.#waiting.size === 0) return
    const now = this.#now()
    const waits = [...this.#waiting].flatMap(({ writer, flow }) => {
      const wait = this.limits.waits('up', now, writer.root)
      // a debt may have been paid since its member was looked at
      if (wait === 0 && !this.#window.admits(flow, now)) return []
      return [Math.max(1, Math.min(wait, MOST_WAIT_MS))]
    })
    const timeout = this.#window.nextTimeout(now)
    if (timeout !== undefined) waits.push(Math.max(1, timeout - now))
    if (waits.length > 0) this.#timer = setTimeout(() => this.#run(), Math.min(...waits))
  }
}
