/** A flash crowd over a network of namespaces with shaped links, as root: see docs/benchmarks.md. */
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { CASES, type Case } from './cases.ts'
import { document, type Section } from './document.ts'
import { figuresOf } from './figures.ts'
import { openRun, removeDirectory } from './leftovers.ts'
import { measure } from './measure.ts'
import { type Benchmark, type Options, optionsOf, usageOf } from './options.ts'
import { pictureOf } from './picture.ts'
import type { Program } from './program.ts'
import { programsNamed } from './programs.ts'
import { type CaseResults, describeMachine, type Results, type Run, today, whenOf } from './results.ts'
import { Source } from './source.ts'
import { captionOf, tableOf } from './table.ts'
import { complain, messageOf, say } from './talk.ts'

const SWARM: Benchmark = {
  file: 'swarm.ts',
  cases: CASES,
  programs: ['share', 'libtorrent', 'kubo'],
  // memory: what a peer's disk would do is not measured, and here all peers would have to share one
  directory: '/dev/shm',
}

/** The part of the machine's time above which others are said to have taken too much of it. */
const DISTURBED = 0.15

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2), SWARM)
  if (options === '') return complain(usageOf(SWARM), 0)
  if (typeof options === 'string') return complain(`${options}\n\n${usageOf(SWARM)}`, 2)
  if (process.getuid?.() !== 0) return complain('network namespaces need root', 2)
  using run = openRun(options.directory)
  return await runAll(options, run.directory)
}

async function runAll(options: Options, directory: string): Promise<number> {
  const cases: CaseResults[] = []
  const results: Results = { machine: describeMachine(), date: today(), cases }
  for (const name of options.cases) {
    const swarm = CASES[name]
    if (swarm === undefined) continue
    const programs = await programsNamed(options.programsOf(name), options)
    const each = await runCase(name, swarm, programs, options, directory)
    cases.push(each)
    process.stdout.write(`\n${captionOf(each)}\n\n${tableOf(each)}\n`)
    if (options.json !== undefined)
      await writeFile(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
  }
  if (options.write) await document('swarm', sectionsOf(results), whenOf(results))
  return cases.some(({ failures }) => failures.length > 0) ? 1 : 0
}

/** Of the cases that nothing went wrong in. */
function sectionsOf({ cases }: Results): Section[] {
  return cases.flatMap((each) => {
    const picture = each.failures.length > 0 ? undefined : pictureOf(each)
    if (picture === undefined) return []
    const text = `${captionOf(each)}\n\n${tableOf(each)}`
    return [{ name: each.name, text, picture, shows: 'When each leecher was done' }]
  })
}

async function runCase(
  name: string,
  swarm: Case,
  programs: readonly Program[],
  { rounds, limit, patience }: Options,
  directory: string,
): Promise<CaseResults> {
  const source = await Source.make(join(directory, 'file'), swarm.size)
  const runs: Run[] = []
  const failures: string[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const program of programs) {
      const title = `${name}, round ${round} of ${rounds}, ${program.name}`
      try {
        const measured = await measure({ swarm, program, source, directory, limit, patience })
        const figures = figuresOf(swarm, measured, availableParallelism())
        runs.push({ program: program.name, version: program.version, ...figures })
        say(`${title}: ${figures.total.toFixed(1)} s, D/T ${figures.efficiency.toFixed(3)}`)
        if (figures.others > DISTURBED)
          say(
            `  other programs took ${Math.round(100 * figures.others)} % of the machine meanwhile: run it again`,
          )
      } catch (thrown) {
        const failure = `${title}: ${messageOf(thrown)}`
        failures.push(failure)
        say(failure)
      }
    }
  }
  removeDirectory(source.path)
  return { name, swarm, runs, failures }
}

process.exitCode = await main().catch((thrown: unknown) => complain(messageOf(thrown), 1))
