/** Checks of what is typed that need no daemon, so that a typing error starts none. */
import { ShareError } from '../core/errors.ts'
import { parseDuration, parseRate } from '../core/units.ts'

// what a timer can hold, about 24 days
const LONGEST_TIMEOUT_S = 2_147_483

/**
 * Bytes of `FIRST-LAST` or `FIRST-`, both ends included.
 * @throws ShareError USAGE
 */
export function parseRange(text: string): { first: number; last?: number } {
  const [, first = '', last = ''] = /^(\d{1,15})-(\d{0,15})$/.exec(text) ?? []
  const range = last === '' ? { first: Number(first) } : { first: Number(first), last: Number(last) }
  if (first !== '' && (range.last === undefined || range.last >= range.first)) return range
  throw new ShareError(
    'USAGE',
    `bad range: ${text}`,
    'it looks like 0-99 (a hundred bytes) or 100- (all but those)',
  )
}

/**
 * Bytes a second of a limit; `none` and 0 both lift it.
 * @throws ShareError USAGE
 */
export function parseLimit(text: string): number {
  const rate = text.trim().toLowerCase() === 'none' ? 0 : parseRate(text)
  if (rate !== undefined) return rate
  throw new ShareError('USAGE', `bad limit: ${text}`, 'it is bytes a second such as 40MB, or none')
}

/**
 * Seconds of a `--timeout`.
 * @throws ShareError USAGE
 */
export function parseTimeout(text: string): number {
  const seconds = parseDuration(text)
  if (seconds !== undefined && seconds > 0 && seconds <= LONGEST_TIMEOUT_S) return seconds
  throw new ShareError(
    'USAGE',
    `bad timeout: ${text}`,
    'it is a number of seconds, or looks like 5m or 2h; 24 days at most',
  )
}
