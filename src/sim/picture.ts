/** Completion curves as an SVG: the median peer, the band between the slow and the fast tenth, the bound. */
import type { Curves } from './curves.ts'

const WIDTH = 720
const HEIGHT = 400
const PLOT = { left: 60, right: 700, top: 60, bottom: 350 }

/** About so many numbers along the time axis. */
const TICKS = 8

const COLOURS = { band: '#9ecae1', median: '#08519c', complete: '#a63603', bound: '#555', grid: '#ddd' }

export interface Picture {
  readonly title: string
  /** Under the title. */
  readonly subtitle: string
  readonly curves: Curves
  /** Ms. */
  readonly bound: number
}

export function svgOf({ title, subtitle, curves, bound }: Picture): string {
  const until = Math.max(curves.times.at(-1) ?? 1, bound)
  const x = (ms: number): number => PLOT.left + ((PLOT.right - PLOT.left) * ms) / until
  const y = (part: number): number => PLOT.bottom - (PLOT.bottom - PLOT.top) * part
  const points = (parts: readonly number[]): string[] =>
    curves.times.map((time, at) => `${x(time).toFixed(1)},${y(parts[at] ?? 0).toFixed(1)}`)
  const band = [...points(curves.fast), ...points(curves.slow).reverse()].join(' ')
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    label(PLOT.left, 22, title, 'font-size="15"'),
    label(PLOT.left, 42, subtitle, `fill="${COLOURS.bound}"`),
    ...partAxis(y),
    ...timeAxis(x, until),
    `<polygon points="${band}" fill="${COLOURS.band}" fill-opacity="0.6"/>`,
    line(points(curves.median), COLOURS.median),
    line(points(curves.complete), COLOURS.complete),
    `<path d="M${x(bound).toFixed(1)} ${PLOT.top}V${PLOT.bottom}" stroke="${COLOURS.bound}" stroke-dasharray="5 4"/>`,
    label(x(bound) - 5, PLOT.top + 12, 'D', `text-anchor="end" fill="${COLOURS.bound}"`),
    ...legend(),
    '</svg>',
    '',
  ].join('\n')
}

const line = (points: readonly string[], colour: string): string =>
  `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`

const label = (x: number, y: number, text: string, attributes = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y}" ${attributes}>${escaped(text)}</text>`

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function partAxis(y: (part: number) => number): string[] {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((part) => [
    `<path d="M${PLOT.left} ${y(part)}H${PLOT.right}" stroke="${COLOURS.grid}"/>`,
    label(PLOT.left - 8, y(part) + 4, `${100 * part} %`, 'text-anchor="end"'),
  ])
}

function timeAxis(x: (ms: number) => number, until: number): string[] {
  const step = roundStep(until / 1000 / TICKS)
  const axis: string[] = []
  for (let tick = 0; tick * step * 1000 <= until; tick++) {
    const text = `${Number((tick * step).toFixed(3))} s`
    axis.push(label(x(tick * step * 1000), PLOT.bottom + 18, text, 'text-anchor="middle"'))
  }
  return axis
}

/** The next of 1, 2, 5, 10, 20, 50 and so on. */
function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10)
}

function legend(): string[] {
  const entries = [
    { text: 'done, median peer', colour: COLOURS.median },
    { text: 'slow to fast tenth', colour: COLOURS.band },
    { text: 'peers complete', colour: COLOURS.complete },
  ]
  return entries.flatMap(({ text, colour }, at) => {
    const left = PLOT.left + 170 * at
    const top = PLOT.bottom + 32
    return [
      `<rect x="${left}" y="${top}" width="14" height="8" fill="${colour}"/>`,
      label(left + 20, top + 9, text),
    ]
  })
}
