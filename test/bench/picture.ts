/** When each leecher was there and when it was done, a bar each, program by program, as an SVG. */
import { type CaseResults, type Run, shownOf } from './results.ts'

const WIDTH = 720
const PLOT = { left: 110, right: 700, top: 60 }
const BAR = 6
const GAP = 2
const BETWEEN = 14

/** About so many numbers along the time axis. */
const TICKS = 8

const COLOURS = ['#08519c', '#a63603', '#54278f', '#006d2c']
const INK = '#222'
const GREY = '#777'

/** Undefined when nothing was measured. */
export function pictureOf({ name, swarm, runs }: CaseResults): string | undefined {
  const shown = shownOf(runs).map(({ run }) => run)
  const bound = shown[0]?.bound
  if (bound === undefined) return undefined
  const until = Math.max(...shown.map(({ total }) => total), bound)
  const x = (seconds: number): number => PLOT.left + ((PLOT.right - PLOT.left) * seconds) / until
  const height = swarm.leechers.length * (BAR + GAP) + BETWEEN
  const bottom = PLOT.top + shown.length * height
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 40}" font-family="sans-serif" font-size="12">`,
    `<title>${name}: ${swarm.about}</title>`,
    `<rect width="${WIDTH}" height="${bottom + 40}" fill="#fff"/>`,
    label(PLOT.left, 24, name, `font-size="15" fill="${INK}"`),
    label(PLOT.left, 42, `${swarm.about}; a bar a leecher, from its start to its end`, `fill="${GREY}"`),
    ...axis(x, until, bottom),
    ...shown.flatMap((run, at) => bars(run, x, PLOT.top + at * height, COLOURS[at % COLOURS.length] ?? INK)),
    `<path d="M${x(bound).toFixed(1)} ${PLOT.top - 6}V${bottom}" stroke="${INK}" stroke-dasharray="5 4"/>`,
    label(x(bound) + 4, PLOT.top - 2, 'D', `fill="${INK}"`),
    '</svg>',
    '',
  ].join('\n')
}

function bars(run: Run, x: (seconds: number) => number, top: number, colour: string): string[] {
  const middle = top + (run.ends.length * (BAR + GAP)) / 2
  return [
    label(PLOT.left - 10, middle + 2, run.program, `text-anchor="end" fill="${colour}"`),
    ...run.ends.map((end, at) => {
      const left = x(run.starts[at] ?? 0)
      const place = `x="${left.toFixed(1)}" y="${top + at * (BAR + GAP)}"`
      return `<rect ${place} width="${(x(end) - left).toFixed(1)}" height="${BAR}" fill="${colour}"/>`
    }),
  ]
}

function axis(x: (seconds: number) => number, until: number, bottom: number): string[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200].find((each) => until / each <= TICKS) ?? 500
  return Array.from({ length: Math.floor(until / step) + 1 }, (_, at) => at * step).flatMap((second) => [
    `<path d="M${x(second).toFixed(1)} ${PLOT.top}V${bottom}" stroke="#ddd"/>`,
    label(x(second), bottom + 18, `${second} s`, `text-anchor="middle" fill="${GREY}"`),
  ])
}

const label = (x: number, y: number, text: string, attributes: string): string =>
  `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${text}</text>`
