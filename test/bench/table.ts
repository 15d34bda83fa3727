/** The figures of a case as a table that reads well in a terminal and as Markdown. */
import { type CaseResults, type Run, type Shown as ShownOf, shownOf, type Timed } from './results.ts'

type Shown = ShownOf<Run>

const COLUMNS: readonly { readonly head: string; text(shown: Shown, first: Shown): string }[] = [
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
  const shown = shownOf(runs)
  const [first] = shown
  if (first === undefined) return ''
  return aligned(
    COLUMNS.map(({ head }) => head),
    shown.map((each) => COLUMNS.map(({ text }) => text(each, first))),
  )
}

/** A table of Markdown: names to the left, numbers to the right. */
export function aligned(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const padded = (text: string, at: number): string =>
    at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0)
  const line = (cells: readonly string[]): string => `| ${cells.map(padded).join(' | ')} |`
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(heads), line(rule), ...rows.map(line)].join('\n')
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
export function timeText({ run, least, most }: ShownOf<Timed>): string {
  const range = least === most ? '' : ` (${seconds(least)}–${seconds(most)})`
  return `${seconds(run.total)}${range}`
}

/** To the hundredth below a second. */
export const seconds = (value: number): string => value.toFixed(value < 1 ? 2 : 1)
