/** The swarms that are measured, as data. Names are those of `src/sim/scenarios.ts` where the same swarm is simulated. */
import { MBIT, MIB } from '../../src/sim/scenario.ts'

/** Rates in bytes a second. */
export interface Link {
  readonly up: number
  readonly down: number
}

export interface Case {
  readonly about: string
  /** Run only where it is named. */
  readonly onlyNamed?: true
  /** Bytes of the file. */
  readonly size: number
  readonly seeder: Link
  /** In the order in which they start. */
  readonly leechers: readonly Link[]
  /** Ms from one leecher's start to the next one's; 0: all at once. */
  readonly apart: number
  /** A leecher's process ends as soon as it has everything; otherwise it stays and seeds. */
  readonly leaves: boolean
}

const FAST: Link = { up: 100 * MBIT, down: 400 * MBIT }
const SLOW: Link = { up: 10 * MBIT, down: 400 * MBIT }
const EQUAL: Link = { up: 100 * MBIT, down: 100 * MBIT }
const HALF: Link = { up: 50 * MBIT, down: 200 * MBIT }

const QUARTER: Link = { up: 25 * MBIT, down: 100 * MBIT }

const TOGETHER = { apart: 0, leaves: false } as const

const many = (count: number, link: Link): Link[] => Array.from({ length: count }, () => link)

export const CASES: Readonly<Record<string, Case>> = {
  smoke: {
    ...TOGETHER,
    onlyNamed: true,
    about: '3 leechers, 16 MiB, 100 Mbit/s up and 400 down',
    size: 16 * MIB,
    seeder: FAST,
    leechers: many(3, FAST),
  },
  '8x128': {
    ...TOGETHER,
    about: '8 leechers, 128 MiB, 100 Mbit/s up and 400 down',
    size: 128 * MIB,
    seeder: FAST,
    leechers: many(8, FAST),
  },
  '8x128-quarter': {
    ...TOGETHER,
    about: '8 leechers, 128 MiB, 25 Mbit/s up and 100 down, which any machine keeps up with',
    size: 128 * MIB,
    seeder: QUARTER,
    leechers: many(8, QUARTER),
  },
  '8x128-slow4': {
    ...TOGETHER,
    about: '8 leechers, 128 MiB, 100 Mbit/s up and 400 down, but 4 of them 10 up',
    size: 128 * MIB,
    seeder: FAST,
    leechers: [...many(4, FAST), ...many(4, SLOW)],
  },
  'equal-links': {
    ...TOGETHER,
    about: '8 leechers, 128 MiB, 100 Mbit/s up and down',
    size: 128 * MIB,
    seeder: EQUAL,
    leechers: many(8, EQUAL),
  },
  '16x256-half': {
    ...TOGETHER,
    about: '16 leechers, 256 MiB, 50 Mbit/s up and 200 down',
    size: 256 * MIB,
    seeder: HALF,
    leechers: many(16, HALF),
  },
  staggered: {
    about:
      '10 leechers, 96 MiB, 100 Mbit/s up (every third 10) and 400 down, one a second, leaving when done',
    size: 96 * MIB,
    seeder: FAST,
    leechers: Array.from({ length: 10 }, (_, at) => (at % 3 === 2 ? SLOW : FAST)),
    apart: 1000,
    leaves: true,
  },
}
