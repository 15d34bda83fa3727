/** Counts for docs/reliability.md: a full run gathers what each test has seen, one line of a file each. */
import { appendFileSync } from 'node:fs'

export interface Count {
  /** What was done. */
  readonly fault: string
  readonly times: number
  /** What was seen: how often something went wrong, and what was looked for. */
  readonly outcome: string
}

/** Told once a test is through; it says nothing where nobody gathers. */
export function tally(fault: string, times: number, outcome: string): void {
  const path = process.env.HOSTILE_TALLY
  const count: Count = { fault, times, outcome }
  if (path !== undefined) appendFileSync(path, `${JSON.stringify(count)}\n`)
}
