/** What a person is told of a file that is not what was recorded. */
import type { BigIntStats } from 'node:fs'

export const CUT_SHORT = 'it was cut short'
export const OTHER_CONTENT = 'its content changed'

/** What is wrong with an open file that is to have `size` bytes, before any is read. */
export function notAsRecorded(stats: BigIntStats, size: number): string | undefined {
  if (!stats.isFile()) return 'no longer a regular file'
  return stats.size === BigInt(size) ? undefined : `its size changed from ${size} to ${stats.size} bytes`
}
