/** The programs by name. */
import { helia } from './helia.ts'
import { kubo } from './kubo.ts'
import { libtorrent } from './libtorrent.ts'
import { openssl } from './openssl.ts'
import type { Program } from './program.ts'
import { share } from './share.ts'

export interface Where {
  /** A checkout of `share` that is built. */
  readonly share: string
  /** kubo's program; built when it is not said. */
  readonly kubo: string | undefined
}

const PROGRAMS = {
  share: (where: Where) => share(where.share),
  libtorrent: () => libtorrent('plain'),
  'libtorrent-rc4': () => libtorrent('rc4'),
  kubo: (where: Where) => kubo(where.kubo),
  helia,
  openssl,
}

export type ProgramName = keyof typeof PROGRAMS

export const PROGRAM_NAMES = Object.keys(PROGRAMS) as readonly ProgramName[]

/** Ready to start peers. @throws Error when something is missing */
export const programOf = (name: ProgramName, where: Where): Promise<Program> => PROGRAMS[name](where)
