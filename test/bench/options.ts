/** The command line of the benchmarks. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PROGRAM_NAMES, type ProgramName, type Where } from './programs.ts'

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

interface Case {
  readonly about: string
  readonly onlyNamed?: true
  readonly programs?: readonly ProgramName[]
}

/** What one benchmark has of its own. */
export interface Benchmark {
  /** Its file. */
  readonly file: string
  readonly cases: Readonly<Record<string, Case>>
  /** Run unless others are named, or the case has its own. */
  readonly programs: readonly ProgramName[]
  /** Where the peers' files are unless it is said. */
  readonly directory: string
}

/** Seconds: some times what the slowest program takes. */
const LIMIT = '600'

/** Seconds: some other command may end meanwhile. */
const PATIENCE = '300'

/** How to call it. */
export function usageOf({ file, cases, programs, directory }: Benchmark): string {
  const list = Object.entries(cases).map(([name, { about }]) => `  ${name.padEnd(13)} ${about}`)
  return `usage: node test/bench/${file} [--case NAME …] [options]
  --case NAME …       cases to run; all the usual ones unless said
  --programs A,B      of ${PROGRAM_NAMES.join(',')};
                      the case's own, or ${programs.join(',')} unless said
  --rounds N          times that each is run, in turns; 1 unless said
  --limit S           seconds until downloads count as never ending; ${LIMIT} unless said
  --patience S        seconds to wait for a calm machine before each start, at most; ${PATIENCE} unless said
  --json FILE         writes all figures of all runs
  --write             puts tables and pictures into docs/
  --share DIR         a checkout of share that is built; this one unless said
  --kubo FILE         kubo's program, or the variable KUBO; built unless said
  --directory DIR     where the peers' files are; ${directory} unless said

cases:
${list.join('\n')}`
}

export interface Options extends Where {
  readonly cases: readonly string[]
  /** Of a case. */
  readonly programsOf: (name: string) => readonly ProgramName[]
  readonly rounds: number
  /** Ms. */
  readonly limit: number
  /** Ms to wait for a calm machine. */
  readonly patience: number
  readonly json: string | undefined
  readonly write: boolean
  readonly directory: string
}

/** What is wrong, where something is; nothing, where help is asked for. */
export function optionsOf(args: readonly string[], benchmark: Benchmark): Options | string {
  try {
    return checked(args, benchmark)
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

function checked(args: readonly string[], { cases, programs, directory }: Benchmark): Options | '' {
  const { values, positionals } = parseArgs({
    args: [...args],
    // `--case a b` names two
    allowPositionals: true,
    options: {
      case: { type: 'string', multiple: true, default: [] },
      programs: { type: 'string' },
      rounds: { type: 'string', default: '1' },
      limit: { type: 'string', default: LIMIT },
      patience: { type: 'string', default: PATIENCE },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      share: { type: 'string', default: CHECKOUT },
      kubo: { type: 'string' },
      directory: { type: 'string', default: directory },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return ''
  const chosen = values.programs?.split(',').map((name) => known(name, PROGRAM_NAMES))
  const named = [...values.case, ...positionals].flatMap((text) => text.split(','))
  return {
    cases: named.length > 0 ? named.map((name) => known(name, Object.keys(cases))) : usual(cases),
    programsOf: (name) => chosen ?? cases[name]?.programs ?? programs,
    rounds: positive('rounds', values.rounds),
    limit: 1000 * positive('limit', values.limit),
    patience: 1000 * positive('patience', values.patience),
    json: values.json,
    write: values.write,
    share: resolve(values.share),
    kubo: values.kubo ?? process.env.KUBO,
    directory: resolve(values.directory),
  }
}

const usual = (cases: Benchmark['cases']): string[] =>
  Object.keys(cases).filter((name) => cases[name]?.onlyNamed !== true)

function known<T extends string>(name: string, names: readonly T[]): T {
  const found = names.find((each) => each === name)
  if (found === undefined) throw new Error(`unknown: ${name}; there are ${names.join(', ')}`)
  return found
}

function positive(option: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${option} takes a whole number from 1`)
  return Number(text)
}
