/** `npm run bench:limits`: how well rate limits hold, and how long control messages take under them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Table, tableText } from '../../src/sim/table.ts'
import { measureControl, type Outcome, type Trial } from './control.ts'
import { place } from './document.ts'
import { describeMachine, today, whenOf } from './results.ts'

const USAGE = `usage: node test/bench/limits.ts [--seconds N] [--rates A,B] [--write]
  --seconds N   of each measurement; 20 unless said
  --rates A,B   limits in bytes a second; 100000,1000000,10000000 unless said
  --write       puts the table into docs/benchmarks.md
`

const HEAD = [
  'wire',
  'limit, kB/s',
  'up used',
  'down used',
  'messages',
  'median, ms',
  '95th percentile',
  'worst',
  'not arrived',
  'slowest kind, 95th',
]

function row({ wire, rate }: Trial, { up, down, delays, lost }: Outcome): string[] {
  const all = [...delays.values()].flat().sort((a, b) => a - b)
  const slowest = [...delays].sort(([, a], [, b]) => at(b, 0.95) - at(a, 0.95))[0]
  return [
    wire,
    String(rate / 1000),
    percent(up),
    percent(down),
    String(all.length),
    ...[0.5, 0.95, 1].map((part) => at(all, part).toFixed(0)),
    String(lost),
    slowest === undefined ? '' : `${slowest[0]}: ${at(slowest[1], 0.95).toFixed(0)}`,
  ]
}

/** The value below which this part of the sorted values lies. */
const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0

const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '20' },
      rates: { type: 'string', default: '100000,1000000,10000000' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const [seconds, rates] = [Number(values.seconds), values.rates.split(',').map(Number)]
  if (values.help || ![seconds, ...rates].every((number) => number > 0)) {
    process.stderr.write(USAGE)
    return values.help ? 0 : 2
  }
  const rows: string[][] = []
  for (const wire of ['share', 'bitswap'] as const) {
    for (const rate of rates) {
      const directory = await mkdtemp(join(tmpdir(), 'share-limits-'))
      const trial = { wire, rate, seconds, directory }
      try {
        const outcome = await measureControl(trial)
        rows.push(row(trial, outcome))
        for (const [kind, delays] of outcome.delays) {
          const shown = [0.5, 0.95, 1].map((part) => at(delays, part).toFixed(0)).join(' ')
          process.stderr.write(`${wire} ${rate} ${kind}: ${delays.length} in ${shown} ms\n`)
        }
      } finally {
        await rm(directory, { recursive: true, force: true, maxRetries: 3 })
      }
    }
  }
  const table: Table = { head: HEAD, rows }
  const text = `${tableText(table)}\n\n${whenOf({ machine: describeMachine(), date: today() })}`
  process.stdout.write(`${text}\n`)
  if (values.write) await place('limits', text)
  return 0
}

process.exitCode = await main()
