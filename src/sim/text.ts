/** Reports for people. */
import { formatBytes, formatDuration } from '../core/units.ts'
import type { Report } from './report.ts'
import { leechersOf, type Scenario, sizeOf } from './scenario.ts'
import { tableText } from './table.ts'
import type { TraceLine } from './trace.ts'

export function listText(scenarios: Readonly<Record<string, Scenario>>): string {
  const names = Object.keys(scenarios)
  const width = Math.max(...names.map((name) => name.length))
  return names.map((name) => `${name.padEnd(width)}  ${scenarios[name]?.about ?? ''}`).join('\n')
}

/** `wall` is how long the run took, in ms. */
export function reportText(report: Report, scenario: Scenario, wall: number): string {
  const { completed, expected, left, total, ridersTook } = report
  const size = formatBytes(sizeOf(scenario))
  const lines: [string, string][] = [
    ['scenario', `${report.scenario}: ${scenario.about}; seed ${report.seed}`],
    ['swarm', `one seeder, ${leechersOf(scenario)} leechers, ${scenario.pieces} pieces, ${size}`],
    ['complete', `${completed} of ${expected}${left > 0 ? `; ${left} left before` : ''}`],
    ...extinctLines(report),
    ['D, the fluid bound', seconds(report.bound)],
    ['T, the last one', total === undefined ? 'never' : seconds(total)],
    ['efficiency D/T', report.efficiency.toFixed(3)],
    ['median of the peers', seconds(report.medianTook)],
    ['over an equal share', `${times(report.medianOverShare)} median, ${times(report.worstOverShare)} worst`],
    ["seeder's copies", report.seederCopies.toFixed(2)],
    [
      'bytes in vain',
      `${percent(report.duplicate)} twice, ${percent(report.corrupt)} wrong, ${percent(report.cut)} cut off`,
    ],
    ['fairness (Jain)', report.fairness.toFixed(3)],
    [
      'messages',
      Object.entries(report.messages)
        .map(([kind, count]) => `${count} ${kind}`)
        .join(', '),
    ],
    ['events', `${report.events}, ${report.wakeUps} of them wake-ups`],
    ['wall time', wall < 60_000 ? seconds(wall) : formatDuration(wall / 1000)],
  ]
  if (ridersTook !== undefined)
    lines.push([
      'free riders',
      `${seconds(ridersTook)} median; contributors ${seconds(report.contributorsTook)}`,
    ])
  if (report.corruptPeers > 0)
    lines.push(['corrupt peers', `${report.banned} of ${report.corruptPeers} banned`])
  const width = Math.max(...lines.map(([label]) => label.length))
  return lines.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join('\n')
}

/** Each peer's time, and over what an equal part of all uplinks would have allowed. */
export function peersText({ peers }: Report): string {
  return tableText({
    head: ['peer', 'conduct', 'joined', 'took', 'over its share', 'sent'],
    rows: peers.map(({ peer, conduct, joinedAt, took, overShare, sentBytes }) => [
      peer,
      conduct,
      seconds(joinedAt),
      seconds(took ?? Number.NaN),
      times(overShare ?? Number.NaN),
      formatBytes(sentBytes),
    ]),
  })
}

export function traceText(lines: readonly TraceLine[]): string {
  const part = (of: number): string => of.toFixed(2)
  return tableText({
    head: [
      'from',
      "seeder's uplink",
      "leechers' uplinks",
      'downlinks',
      'transfers in',
      'give nothing',
      'get nothing',
    ],
    rows: lines.map(({ from, seederUp, leecherUp, down, flows, idleUp, idleDown }) => [
      seconds(from),
      ...[seederUp, leecherUp, down, flows, idleUp, idleDown].map(part),
    ]),
  })
}

function extinctLines({ extinct }: Report): [string, string][] {
  return extinct === 0 ? [] : [['extinct', `${extinct} pieces that nobody has any more`]]
}

const seconds = (ms: number): string => (Number.isNaN(ms) ? '–' : `${(ms / 1000).toFixed(2)} s`)

const times = (factor: number): string => (Number.isNaN(factor) ? '–' : `${factor.toFixed(2)} ×`)

const percent = (part: number): string => `${(100 * part).toFixed(2)} %`
