/** How long each program took, a bar each with the range of its times, as an SVG. */
import { shownOf } from '../results.ts'
import { seconds } from '../table.ts'
import type { WorkResults } from './table.ts'

const WIDTH = 720
const PLOT = { left: 200, right: 640, top: 46 }
const BAR = 18
const ROW = 28

const OURS = '#08519c'
const OTHERS = '#9a9a9a'
const INK = '#222'

/** Undefined when nothing was measured. */
export function pictureOf({ name, work, runs }: WorkResults): string | undefined {
  const shown = shownOf(runs)
  if (shown.length === 0) return undefined
  const until = Math.max(...shown.map(({ most }) => most))
  const x = (seconds: number): number => PLOT.left + ((PLOT.right - PLOT.left) * seconds) / until
  const height = PLOT.top + shown.length * ROW + 10
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${name}: ${work.about}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(PLOT.left, 26, work.about, `font-size="15" fill="${INK}"`),
    ...shown.flatMap(({ run, least, most }, at) => {
      const top = PLOT.top + at * ROW
      const middle = top + BAR / 2
      const colour = at === 0 ? OURS : OTHERS
      return [
        text(PLOT.left - 10, middle + 4, run.version, `text-anchor="end" fill="${INK}"`),
        `<rect x="${PLOT.left}" y="${top}" width="${(x(run.total) - PLOT.left).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
        `<path d="M${x(least).toFixed(1)} ${middle}H${x(most).toFixed(1)}" stroke="${INK}" stroke-width="2"/>`,
        text(x(most) + 8, middle + 4, `${seconds(run.total)} s`, `fill="${INK}"`),
      ]
    }),
    '</svg>',
    '',
  ].join('\n')
}

const text = (x: number, y: number, words: string, attributes: string): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${words}</text>`
