/** Whether a file is what it was: by its identity, size and times. mmap writers and clocks set back are the residue. */
import type { BigIntStats } from 'node:fs'

/** Times are coarse: a file that changed within this of being looked at may have changed again without a trace. */
const SETTLED_MS = 2000

/** All that changes when a file does. */
export function stampOf(stats: BigIntStats): string {
  return `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`
}

/** Whether a change after `at`, in ms since 1970, would show in the times. */
export function isSettled({ ctimeMs }: BigIntStats, at: number): boolean {
  return Number(ctimeMs) < at - SETTLED_MS
}
