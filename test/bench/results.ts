/** Results of several rounds, and the one of each program that is shown. */
import { cpus, release } from 'node:os'
import type { Case } from './cases.ts'
import type { Figures } from './figures.ts'

export interface Run extends Figures {
  readonly program: string
  readonly version: string
}

export interface CaseResults {
  readonly name: string
  readonly swarm: Case
  /** In the order in which they were run; a program once a round. */
  readonly runs: readonly Run[]
  /** What went wrong, a line each. */
  readonly failures: readonly string[]
}

export interface Results {
  /** Processor, cores, kernel. */
  readonly machine: string
  /** Of the day: `2026-01-31`. */
  readonly date: string
  readonly cases: readonly CaseResults[]
}

/** A run of a program that took so many seconds. */
export interface Timed {
  readonly program: string
  readonly total: number
}

/** A program's run of the median time, and the range of the times. */
export interface Shown<R extends Timed> {
  readonly run: R
  /** Seconds. */
  readonly least: number
  readonly most: number
}

/** In the order of the first round. */
export function shownOf<R extends Timed>(runs: readonly R[]): Shown<R>[] {
  return [...new Set(runs.map(({ program }) => program))].flatMap((program) => {
    const sorted = runs.filter((run) => run.program === program).sort((a, b) => a.total - b.total)
    const [least, run, most] = [sorted[0], sorted[(sorted.length - 1) >> 1], sorted.at(-1)]
    return run && least && most ? [{ run, least: least.total, most: most.total }] : []
  })
}

export function describeMachine(): string {
  const cores = cpus()
  return `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), Linux ${release()}`
}

/** Where and when they were measured. */
export const whenOf = ({ machine, date }: Pick<Results, 'machine' | 'date'>): string => `${machine}; ${date}.`

export const today = (): string => new Date().toISOString().slice(0, 10)
