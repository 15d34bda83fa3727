/** What the page says of a file on its way. */
import { type ErrorCode, ShareError } from '../core/errors.ts'
import { formatBytes, formatDuration, formatRate } from '../core/units.ts'
import type { Receipt } from './receipt.ts'

export interface Saying {
  readonly text: string
  readonly kind: '' | 'good' | 'bad'
}

/** @param rate bytes a second, where it is known */
export function sayingOf(
  receipt: Pick<Receipt, 'phase' | 'received' | 'file' | 'error'>,
  rate?: number,
): Saying {
  const { phase, received, file, error } = receipt
  const far = `${formatBytes(received)} of ${formatBytes(file.size)}`
  switch (phase) {
    case 'idle':
      return { text: '', kind: '' }
    case 'receiving':
      return { text: `${far}${pace(file.size - received, rate)}`, kind: '' }
    case 'lost':
      return { text: `${far}. The connection was lost; trying again…`, kind: 'bad' }
    case 'paused':
      if (error !== undefined) return { text: `${far}. ${sentences(error)}`, kind: 'bad' }
      return { text: `${far}. Paused.`, kind: '' }
    case 'saving':
      return { text: 'All is here and checked; saving…', kind: '' }
    case 'saved':
      return { text: 'Saved. Every block matches the link.', kind: 'good' }
    case 'refused':
      return {
        text: `Refused. ${error === undefined ? '' : sentences(error)} Nothing was saved.`,
        kind: 'bad',
      }
  }
}

function pace(left: number, rate: number | undefined): string {
  if (rate === undefined) return ''
  return `, ${formatRate(rate)}${rate > 0 ? `, ${formatDuration(left / rate)} left` : ''}`
}

/** What happened, and what to do next. */
export function sentences({ code, message, hint }: ShareError): string {
  if (code === 'VERIFICATION_FAILED') return 'What came is not what the link names. Tell who sent it to you.'
  return `${sentence(message)} ${sentence(hint)}`
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`
}

/** What to tell of anything thrown: the browser's own errors too, with their reason and without its words. */
export function errorOf(thrown: unknown): ShareError {
  if (thrown instanceof ShareError) return thrown
  const name = thrown instanceof Error ? thrown.name : ''
  const known = BROWSER_ERRORS.get(name)
  if (known !== undefined) return new ShareError(...known, { cause: thrown })
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const hint = 'reload the page and try again, or download it without checking'
  return new ShareError('INTERNAL', `this went wrong: ${reason}`, hint, { cause: thrown })
}

/** By the names of DOMException. */
const BROWSER_ERRORS: ReadonlyMap<string, readonly [code: ErrorCode, message: string, hint: string]> =
  new Map([
    [
      'QuotaExceededError',
      [
        'DISK_FULL',
        'there is no more room for it',
        'free some space, then go on; or download it without checking',
      ],
    ],
    [
      'NotAllowedError',
      ['UNREADABLE', 'the browser may not write there', 'choose another place, and allow it to save'],
    ],
    [
      'InvalidStateError',
      ['IO', 'the file is gone, or was changed meanwhile', 'discard it, then begin again'],
    ],
    ['NotFoundError', ['IO', 'the file is gone, or was changed meanwhile', 'discard it, then begin again']],
  ])
