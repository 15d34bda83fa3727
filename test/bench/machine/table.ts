/** The figures of one work as a table that reads well in a terminal and as Markdown. */
import { type Column, seconds, tableOfColumns, timeText } from '../table.ts'
import type { Figures } from './measure.ts'
import type { Work } from './works.ts'

export interface Run extends Figures {
  readonly program: string
  readonly version: string
}

export interface WorkResults {
  readonly name: string
  readonly work: Work
  /** In the order in which they were run; a program once a round. */
  readonly runs: readonly Run[]
  /** What went wrong, a line each. */
  readonly failures: readonly string[]
}

const COLUMNS: readonly Column<Run>[] = [
  { head: 'program', text: ({ run }) => run.version },
  { head: 'T, s', text: timeText },
  { head: 'the first over it', text: ({ run }, first) => `${(first.run.total / run.total).toFixed(2)} ×` },
  { head: 'then fsync, s', text: ({ run }) => (run.sync === undefined ? '–' : seconds(run.sync)) },
  { head: 'the first over it, both on disk', text: ({ run }, first) => onDisk(first.run, run) },
  { head: 'CPU, s', text: ({ run }) => run.cpu.toFixed(1) },
  { head: 'seeder, MB', text: ({ run }) => megabytes(run.seeder) },
  { head: 'leecher, MB', text: ({ run }) => megabytes(run.leecher) },
]

export const tableOf = ({ runs }: WorkResults): string => tableOfColumns(COLUMNS, runs)

export function captionOf({ name, work, runs }: WorkResults): string {
  const [first] = runs
  const rounds = runs.filter(({ program }) => program === first?.program).length
  const median = rounds > 1 ? `; the run of the median time of ${rounds}, with the range of the times` : ''
  return `\`${name}\`: ${work.about}${median}.`
}

const onDisk = (first: Run, { total, sync }: Run): string =>
  sync === undefined ? '–' : `${((first.total + (first.sync ?? 0)) / (total + sync)).toFixed(2)} ×`

const megabytes = (size: number | undefined): string => (size === undefined ? '–' : size.toFixed(0))
