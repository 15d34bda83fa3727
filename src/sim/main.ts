/** `npm run sim`: one scenario, all of them, or what each policy is worth. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { POLICY, type Policy } from '../swarm/policy.ts'
import { ABLATIONS, ablationTable } from './ablations.ts'
import { curvesOf } from './curves.ts'
import { type Figures, figuresOf } from './figures.ts'
import { counts } from './member.ts'
import { overviewRow, overviewTable } from './overview.ts'
import { svgOf } from './picture.ts'
import { type Report, reportOf } from './report.ts'
import { SCENARIOS } from './scenarios.ts'
import { Simulation } from './simulation.ts'
import { placed, type Table, tableText } from './table.ts'
import { listText, peersText, reportText, traceText } from './text.ts'
import { Trace } from './trace.ts'

const USAGE = `usage: npm run sim -- SCENARIO [--seed N] [--json] [--svg] [--trace] [--peers]
       npm run sim -- all [SCENARIO…] [--seeds N] [--big] [--write]
       npm run sim -- ablate [POLICY…] [--seeds N] [--write]
       npm run sim -- list

  --trace  how busy the links are over time
  --peers  each peer's time
  --svg    draws the curves into docs/sim/
  --write  puts the table into docs/swarm.md
`

/** Points of a curve. */
const SAMPLES = 240

const PICTURES = new URL('../../docs/sim/', import.meta.url)
const DOCUMENT = new URL('../../docs/swarm.md', import.meta.url)

const OPTIONS = {
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
    svg: { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    big: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
} as const

const { positionals, values } = given()

/** What the command line says; ends here where that cannot be understood. */
function given() {
  try {
    return parseArgs(OPTIONS)
  } catch (thrown) {
    process.stderr.write(`${thrown instanceof Error ? thrown.message : thrown}\n\n${USAGE}`)
    process.exit(2)
  }
}

async function main(): Promise<number> {
  if (values.help) return say(`${USAGE}\n${listText(SCENARIOS)}`)
  const [name = '', ...rest] = positionals
  const [seed, seeds] = [Number(values.seed), Number(values.seeds)]
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(seeds) || seeds < 1) return usage()
  if (name === 'list') return say(listText(SCENARIOS))
  if (name === 'all') return all(rest, seeds)
  if (name === 'ablate') return ablate(rest, seeds)
  return name in SCENARIOS ? one(name, seed) : usage()
}

function usage(): number {
  process.stderr.write(`${USAGE}\n${listText(SCENARIOS)}\n`)
  return 2
}

function say(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

async function one(name: string, seed: number): Promise<number> {
  const scenario = SCENARIOS[name]
  if (scenario === undefined) return usage()
  const started = performance.now()
  const run = new Simulation(scenario, seed)
  const trace = values.trace ? new Trace(run) : undefined
  run.run()
  const wall = performance.now() - started
  const report = reportOf(name, run)
  if (values.svg) await draw(report, run)
  if (values.json) return say(JSON.stringify({ ...report, trace: trace?.lines, wall }))
  say(reportText(report, scenario, wall))
  if (values.peers) say(peersText(report))
  if (trace !== undefined) say(traceText(trace.lines))
  return 0
}

async function all(names: readonly string[], seeds: number): Promise<number> {
  if (names.some((name) => !(name in SCENARIOS))) return usage()
  const rows: string[][] = []
  for (const [name, scenario] of Object.entries(SCENARIOS)) {
    if (names.length > 0 ? !names.includes(name) : scenario.big === true && !values.big) continue
    process.stderr.write(`${name}\n`)
    rows.push(overviewRow(name, figuresOf(name, scenario, scenario.big === true ? 1 : seeds)))
  }
  return print('table', overviewTable(rows), seeds)
}

async function ablate(names: readonly string[], seeds: number): Promise<number> {
  const policies = (Object.keys(POLICY) as (keyof Policy)[]).filter(
    (policy) => names.length === 0 || names.includes(policy),
  )
  if (policies.length < names.length) return usage()
  const known = new Map<string, Figures>()
  const usual = (key: string): Figures => {
    const scenario = SCENARIOS[key]
    if (scenario === undefined) throw new Error(`no scenario ${key}`)
    const figures = known.get(key) ?? figuresOf(key, scenario, seeds)
    known.set(key, figures)
    return figures
  }
  const tables = policies.map((policy) => {
    process.stderr.write(`${policy}: ${Object.keys(ABLATIONS[policy].variants).join(', ')}\n`)
    return ablationTable(policy, seeds, usual)
  })
  return print('ablations', { head: tables[0]?.head ?? [], rows: tables.flatMap(({ rows }) => rows) }, seeds)
}

async function print(place: string, table: Table, seeds: number): Promise<number> {
  const text = `${seeds === 1 ? 'Seed 1' : `Means over seeds 1 to ${seeds}`}.\n\n${tableText(table)}`
  if (values.write) {
    const document = await readFile(DOCUMENT, 'utf8').catch(() => '')
    await writeFile(DOCUMENT, placed(document, place, text))
  }
  return say(text)
}

async function draw(report: Report, run: Simulation): Promise<void> {
  const { scenario, efficiency, bound, total, seed } = report
  const storedAt = run.members.filter(counts).map(({ peer }) => peer?.storedAt ?? [])
  const curves = curvesOf(storedAt, run.scenario.pieces, total ?? run.clock.now, SAMPLES)
  const title = `${scenario}: ${run.scenario.about}`
  const subtitle = `D ${(bound / 1000).toFixed(1)} s, efficiency ${efficiency.toFixed(3)}, seed ${seed}`
  await mkdir(PICTURES, { recursive: true })
  await writeFile(new URL(`${scenario}.svg`, PICTURES), svgOf({ title, subtitle, curves, bound }))
}

process.exitCode = await main()
