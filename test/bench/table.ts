/** The figures of a case as a table that reads well in a terminal and as Markdown. */
import { tableText } from '../../src/sim/table.ts'
import { type CaseResults, type Run, type Shown, shownOf, type Timed } from './results.ts'

const COLUMNS: readonly Column<Run>[] = [
  { head: 'program', text: ({ run }) => run.version },
  { head: 'T, s', text: timeText },
  { head: 'D/T', text: ({ run }) => run.efficiency.toFixed(3) },
  { head: 'T over the first', text: ({ run }, first) => `${(run.total / first.run.total).toFixed(2)} ×` },
  { head: 'mean of a peer, s', text: ({ run }) => run.mean.toFixed(1) },
  { head: 'seeder sent, F', text: ({ run }) => run.seederCopies.toFixed(2) },
  { head: 'all sent, N·F', text: ({ run }) => run.sentCopies.toFixed(3) },
  { head: 'CPU, s', text: ({ run }) => run.cpu.toFixed(1) },
  { head: 'machine busy', text: ({ run }) => `${Math.round(100 * run.busy)} %` },
]

/** Empty when nothing was measured. */
export function tableOf({ runs }: CaseResults): string {
  return tableOfColumns(COLUMNS, runs)
}

/** A column: its head, and a program's entry beside the first program's. */
export interface Column<R extends Timed> {
  readonly head: string
  text(shown: Shown<R>, first: Shown<R>): string
}

/** A line a program. Empty when nothing was measured. */
export function tableOfColumns<R extends Timed>(columns: readonly Column<R>[], runs: readonly R[]): string {
  const shown = shownOf(runs)
  const [first] = shown
  if (first === undefined) return ''
  return tableText({
    head: columns.map(({ head }) => head),
    rows: shown.map((each) => columns.map(({ text }) => text(each, first))),
  })
}

/** What the case is, and its bound. */
export function captionOf({ name, swarm, runs }: CaseResults): string {
  const rounds = Math.max(
    ...shownOf(runs).map(({ run }) => runs.filter((each) => each.program === run.program).length),
  )
  const median = rounds > 1 ? `; the run of the median time of ${rounds}, with the range of the times` : ''
  return `\`${name}\`: ${swarm.about}. D = ${runs[0]?.bound.toFixed(2) ?? '–'} s${median}.`
}

/** The time, and the range of the times. */
export function timeText({ run, least, most }: Shown<Timed>): string {
  const range = least === most ? '' : ` (${seconds(least)}–${seconds(most)})`
  return `${seconds(run.total)}${range}`
}

/** To the hundredth below a second. */
export const seconds = (value: number): string => value.toFixed(value < 1 ? 2 : 1)
