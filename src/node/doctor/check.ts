/** What a check of `share doctor` finds, in short. */
import type { CheckResult, Verdict } from '../types.ts'

export type Finding = Omit<CheckResult, 'name'>

export const ok = (finding: string): Finding => ({ verdict: 'ok', finding })

export const note = (finding: string, next?: string): Finding => found('note', finding, next)

export const warning = (finding: string, next: string): Finding => found('warning', finding, next)

export const failed = (finding: string, next: string): Finding => found('failed', finding, next)

function found(verdict: Verdict, finding: string, next: string | undefined): Finding {
  return { verdict, finding, ...(next !== undefined && { next }) }
}
