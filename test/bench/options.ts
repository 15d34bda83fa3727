/** The command line of the swarm benchmark. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CASES } from './cases.ts'
import { PROGRAM_NAMES, type ProgramName, type Where } from './programs.ts'

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

/** Memory: what a peer's disk would do is not measured, and here all peers would have to share one. */
const DIRECTORY = '/dev/shm'

/** Seconds: some times what the slowest program takes. */
const LIMIT = '600'

/** Seconds: some other command may end meanwhile. */
const PATIENCE = '300'

const caseList = Object.entries(CASES)
  .map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`)
  .join('\n')

export const USAGE = `usage: node test/bench/swarm.ts [--case NAME …] [options]
  --case NAME …       cases to run; all but smoke unless said
  --programs A,B      of ${PROGRAM_NAMES.join(',')}; all unless said
  --rounds N          times that each is run, in turns; 1 unless said
  --limit S           seconds until downloads count as never ending; ${LIMIT} unless said
  --patience S        seconds to wait for a calm machine before each start, at most; ${PATIENCE} unless said
  --json FILE         writes all figures of all runs
  --write             puts tables and pictures into docs/
  --share DIR         a checkout of share that is built; this one unless said
  --kubo FILE         kubo's program, or the variable KUBO; built unless said
  --directory DIR     where the peers' files are; ${DIRECTORY} unless said

cases:
${caseList}`

export interface Options extends Where {
  readonly cases: readonly string[]
  readonly programs: readonly ProgramName[]
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
export function optionsOf(args: readonly string[]): Options | string {
  try {
    return checked(args)
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown)
  }
}

function checked(args: readonly string[]): Options | '' {
  const { values, positionals } = parseArgs({
    args: [...args],
    // `--case a b` names two
    allowPositionals: true,
    options: {
      case: { type: 'string', multiple: true, default: [] },
      programs: { type: 'string', default: PROGRAM_NAMES.join(',') },
      rounds: { type: 'string', default: '1' },
      limit: { type: 'string', default: LIMIT },
      patience: { type: 'string', default: PATIENCE },
      json: { type: 'string' },
      write: { type: 'boolean', default: false },
      share: { type: 'string', default: CHECKOUT },
      kubo: { type: 'string' },
      directory: { type: 'string', default: DIRECTORY },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return ''
  const named = [...values.case, ...positionals].flatMap((text) => text.split(','))
  return {
    cases: named.length > 0 ? named.map((name) => known(name, Object.keys(CASES))) : defaultCases(),
    programs: values.programs.split(',').map((name) => known(name, PROGRAM_NAMES)),
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

const defaultCases = (): string[] => Object.keys(CASES).filter((name) => name !== 'smoke')

function known<T extends string>(name: string, names: readonly T[]): T {
  const found = names.find((each) => each === name)
  if (found === undefined) throw new Error(`unknown: ${name}; there are ${names.join(', ')}`)
  return found
}

function positive(option: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${option} takes a whole number from 1`)
  return Number(text)
}
