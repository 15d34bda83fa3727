/** Adding and getting on one machine, program beside program: see docs/benchmarks.md. */
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { document, type Section } from './document.ts'
import { openRun, removeDirectory } from './leftovers.ts'
import { isKept, measure } from './machine/measure.ts'
import { pictureOf } from './machine/picture.ts'
import { captionOf, type Run, tableOf, type WorkResults } from './machine/table.ts'
import { WORKS, type Work } from './machine/works.ts'
import { type Benchmark, type Options, optionsOf, usageOf } from './options.ts'
import type { Program } from './program.ts'
import { programsNamed } from './programs.ts'
import { describeMachine, today, whenOf } from './results.ts'
import { Source } from './source.ts'
import { complain, messageOf, say } from './talk.ts'

const MACHINE: Benchmark = {
  file: 'machine.ts',
  cases: WORKS,
  programs: ['share', 'libtorrent', 'libtorrent-rc4', 'kubo', 'helia', 'sendme', 'openssl'],
  // a disk: files that were written, and synced, are a part of the work
  directory: tmpdir(),
}

/** The part of the cores' time from which on it is said that another machine had it: below, all rounds have some. */
const WORTH_TELLING = 0.05

async function main(): Promise<number> {
  const options = optionsOf(process.argv.slice(2), MACHINE)
  if (options === '') return complain(usageOf(MACHINE), 0)
  if (typeof options === 'string') return complain(`${options}\n\n${usageOf(MACHINE)}`, 2)
  using run = openRun(options.directory)
  return await runAll(options, run.directory)
}

async function runAll(options: Options, directory: string): Promise<number> {
  const works: WorkResults[] = []
  const when = { machine: describeMachine(), date: today() }
  for (const name of options.cases) {
    const work = WORKS[name]
    if (work === undefined) continue
    const programs = await programsNamed(options.programsOf(name), options)
    const able = programs.filter((program) => program.able?.(work) ?? true)
    const each = await runWork(name, work, able, options, directory)
    works.push(each)
    process.stdout.write(`\n${captionOf(each)}\n\n${tableOf(each)}\n`)
    if (options.json !== undefined)
      await writeFile(options.json, `${JSON.stringify({ ...when, works }, undefined, 2)}\n`)
  }
  if (options.write) await document('machine', sectionsOf(works), whenOf(when))
  return works.some(({ failures }) => failures.length > 0) ? 1 : 0
}

/** Of what nothing went wrong in. */
function sectionsOf(works: readonly WorkResults[]): Section[] {
  return works.flatMap((each) => {
    const picture = each.failures.length > 0 ? undefined : pictureOf(each)
    if (picture === undefined) return []
    const text = `${captionOf(each)}\n\n${tableOf(each)}`
    return [{ name: each.name, text, picture, shows: 'How long each program took' }]
  })
}

async function runWork(
  name: string,
  work: Work,
  programs: readonly Program[],
  { rounds, limit, patience }: Options,
  directory: string,
): Promise<WorkResults> {
  const path = join(directory, 'source')
  const source =
    work.files === undefined
      ? await Source.make(path, work.size)
      : await Source.makeTree(path, work.files, work.size)
  const runs: Run[] = []
  const failures: string[] = []
  const placeOf = (round: number): string => (isKept(work) ? join(directory, `round-${round}`) : directory)
  for (let round = 1; round <= rounds; round++) {
    for (const program of programs) {
      const title = `${name}, round ${round} of ${rounds}, ${program.name}`
      try {
        const figures = await measure({ work, program, source, directory: placeOf(round), limit, patience })
        const run = { program: program.name, version: program.version, ...figures }
        runs.push(run)
        say(`${title}: ${told(run)}`)
      } catch (thrown) {
        failures.push(`${title}: ${messageOf(thrown)}`)
        say(failures.at(-1) ?? '')
      }
    }
  }
  removeDirectory(source.path)
  if (isKept(work)) for (let round = 1; round <= rounds; round++) removeDirectory(placeOf(round))
  return { name, work, runs, failures }
}

/** A round of which another machine took a part is no round to compare. */
function told({ total, cpu, stolen }: Run): string {
  const times = `${total.toFixed(2)} s, ${cpu.toFixed(1)} s of CPU`
  return stolen < WORTH_TELLING ? times : `${times}; ${Math.round(100 * stolen)} % of the cores were away`
}

process.exitCode = await main().catch((thrown: unknown) => complain(messageOf(thrown), 1))
