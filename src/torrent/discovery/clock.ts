/** The time, and what is to be done later: given from outside, so that tests need not wait. */
import type { Millis } from '../../core/types.ts'

export interface Clock {
  now(): Millis
  /** Does the work after so many milliseconds, unless what is returned is called before. */
  after(ms: number, work: () => void): () => void
}
