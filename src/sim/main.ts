/** `npm run sim -- SCENARIO [--seed N] [--json] [--svg]`, and `npm run sim -- list`. */
import { mkdir, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { curvesOf } from './curves.ts'
import { counts } from './member.ts'
import { svgOf } from './picture.ts'
import { type Report, reportOf } from './report.ts'
import { SCENARIOS } from './scenarios.ts'
import { Simulation } from './simulation.ts'
import { listText, reportText } from './text.ts'

const USAGE = 'usage: npm run sim -- SCENARIO [--seed N] [--json] [--svg]\n       npm run sim -- list'

/** Points of a curve. */
const SAMPLES = 240

const PICTURES = new URL('../../docs/sim/', import.meta.url)

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      svg: { type: 'boolean', default: false },
    },
  })
  const [name] = positionals
  const seed = Number(values.seed)
  if (name === 'list') return say(listText(SCENARIOS))
  const scenario = name === undefined ? undefined : SCENARIOS[name]
  if (name === undefined || scenario === undefined || !Number.isSafeInteger(seed)) {
    process.stderr.write(`${USAGE}\n\n${listText(SCENARIOS)}\n`)
    return 2
  }
  const started = performance.now()
  const run = new Simulation(scenario, seed)
  run.run()
  const wall = performance.now() - started
  const report = reportOf(name, run)
  if (values.svg) await draw(report, run)
  return say(values.json ? JSON.stringify({ ...report, wall }) : reportText(report, scenario, wall))
}

function say(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
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
