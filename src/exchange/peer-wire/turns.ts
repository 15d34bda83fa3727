/**
 * When a session writes: at the end of what came in, at the end of the microtask in which something was put, or late, when
 * what is in no haste has waited for company. What goes wrong in between ends the session.
 */
import { asError } from '../../core/errors.ts'
import type { Millis } from '../../core/types.ts'
import { MAX_BACKLOG_BYTES } from './connection.ts'
import { WireViolation } from './violation.ts'

/** How long messages wait for others to go with: each write is a record, a packet and an event at the other end. */
export const LATE_MS = 100

/** A session, as its turns see it. */
export interface Writing {
  readonly ended: boolean
  /** The transport takes more. */
  readonly drains: boolean
  /** Bytes of messages that wait. */
  readonly backlog: number
  /** Writes what presses, and says how long the rest may wait (`within`). */
  write(): void
  /** What waited has waited long enough. */
  writeLate(): void
  end(error: Error): void
}

export class Turns {
  readonly #session: Writing
  readonly #now: () => Millis
  #taking = false
  #soon = false
  #timer: NodeJS.Timeout | undefined
  #timerAt = 0

  constructor(session: Writing, now: () => Millis) {
    this.#session = session
    this.#now = now
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  /** What it throws ends the session. */
  guard(work: () => void): void {
    try {
      work()
    } catch (thrown) {
      this.#session.end(asError(thrown))
    }
  }

  /** Takes what came in, and answers it as a whole. */
  take(work: () => void): void {
    this.#taking = true
    this.guard(work)
    this.#taking = false
    this.flush()
  }

  soon(): void {
    // what comes in ends with a flush of its own
    if (this.#soon || this.#taking) return
    this.#soon = true
    queueMicrotask(() => {
      this.#soon = false
      this.flush()
    })
  }

  flush(): void {
    const session = this.#session
    if (session.ended) return
    if (session.backlog > MAX_BACKLOG_BYTES)
      session.end(new WireViolation('backlog', `${session.backlog} bytes wait to be read`))
    else if (session.drains) session.write()
  }

  /** Something waits, for so many ms at most. */
  within(ms: number): void {
    const due = this.#now() + ms
    if (this.#timer !== undefined && this.#timerAt <= due) return
    clearTimeout(this.#timer)
    this.#timerAt = due
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#session.ended) this.#session.writeLate()
    }, ms)
  }
}
