/**
 * How far the search for a root has come, and so which step it fails at: nobody announces it; it is announced, and
 * those who do cannot be dialled; they were dialled, and do not have it; somebody has it, and is too slow.
 */
import { ShareError } from '../core/errors.ts'
import type { SearchInfo } from './types.ts'

export interface SearchCounts {
  /** Peers that are said to have it: announced, or named by the user. */
  readonly said: number
  /** Of those, the ones that are connected, or were. */
  readonly reached: number
  /** Peers that do have it. */
  readonly found: number
  /** Why the last dial failed. */
  readonly problem: string | undefined
}

export function searchInfo({ said, reached, found, problem }: SearchCounts): SearchInfo {
  return {
    step: found > 0 ? 'has it' : reached > 0 ? 'lacks it' : said > 0 ? 'not dialable' : 'unannounced',
    said,
    reached,
    found,
    ...(problem !== undefined && { problem }),
  }
}

/** What to say of a search that has found nobody `yet`, or `within 5 s`. */
export function nobodyFound(search: SearchInfo | undefined, when: string): ShareError {
  const { step = 'unannounced', said = 0, problem } = search ?? {}
  const peers = said === 1 ? 'one peer is' : `${said} peers are`
  const because = problem === undefined ? '' : ` (${problem})`
  switch (step) {
    case 'unannounced':
    case 'has it':
      return new ShareError(
        'NOBODY_HAS_IT',
        `nobody found ${when} who has it: nobody announces it`,
        'see that a node which has it is running, or name one with --peer; `share doctor` checks this one',
      )
    case 'not dialable':
      return new ShareError(
        'NOBODY_HAS_IT',
        `nobody found ${when} who has it: ${peers} said to, and cannot be dialled${because}`,
        'see that its node runs and `share doctor` there finds it reachable; `share doctor` checks this one',
      )
    case 'lacks it':
      return new ShareError(
        'NOBODY_HAS_IT',
        `nobody found ${when} who has it: ${peers} said to, and when asked did not`,
        'it may have been removed, paused or damaged there: `share status` there shows it',
      )
  }
}
