/** What is measured on one machine, as data. */
import { MIB } from '../../../src/sim/scenario.ts'
import type { Task } from '../program.ts'
import type { ProgramName } from '../programs.ts'

const GIB = 1024 * MIB

export interface Work extends Task {
  readonly about: string
  /** Bytes of a file. */
  readonly size: number
  /** Run only where it is named. */
  readonly onlyNamed?: true
  /** Run unless others are named; the usual ones where it is not said. */
  readonly programs?: readonly ProgramName[]
}

const WITH_KUBO: readonly ProgramName[] = ['kubo', 'share-from-kubo', 'kubo-from-share']

const WITH_LIBTORRENT: readonly ProgramName[] = [
  'libtorrent',
  'libtorrent-from-share',
  'share-from-libtorrent',
  'share-by-torrents',
]

export const WORKS: Readonly<Record<string, Work>> = {
  smoke: {
    ...{ does: 'get', files: undefined, size: 8 * MIB, seeders: 1, onlyNamed: true },
    about: 'get 8 MiB from one seeder',
  },
  get: {
    ...{ does: 'get', files: undefined, size: GIB, seeders: 1 },
    about: 'get 1 GiB from one seeder',
  },
  'get-8g': {
    ...{ does: 'get', files: undefined, size: 8 * GIB, seeders: 1, onlyNamed: true },
    about: 'get 8 GiB from one seeder',
  },
  seeders: {
    ...{ does: 'get', files: undefined, size: GIB, seeders: 4 },
    about: 'get 1 GiB from four seeders',
  },
  add: {
    ...{ does: 'add', files: undefined, size: GIB, seeders: 1 },
    about: 'add 1 GiB',
  },
  files: {
    ...{ does: 'get', files: 10_000, size: 10 << 10, seeders: 1 },
    about: 'get a directory of 10,000 files of 10 KiB',
  },
  tiny: {
    ...{ does: 'get', files: undefined, size: 1 << 10, seeders: 1 },
    about: 'get a file of 1 KiB',
  },
  'with-kubo': {
    ...{ does: 'get', files: undefined, size: GIB, seeders: 1, programs: WITH_KUBO, onlyNamed: true },
    about: 'get 1 GiB from one seeder, by Bitswap',
  },
  'with-kubo-files': {
    ...{ does: 'get', files: 10_000, size: 10 << 10, seeders: 1, programs: WITH_KUBO, onlyNamed: true },
    about: 'get a directory of 10,000 files of 10 KiB, by Bitswap',
  },
  'with-libtorrent': {
    ...{ does: 'get', files: undefined, size: GIB, seeders: 1, programs: WITH_LIBTORRENT, onlyNamed: true },
    about: 'get 1 GiB from one seeder, by BitTorrent',
  },
}
