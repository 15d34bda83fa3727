/** The programs by name. */
import { helia } from './helia.ts'
import { kubo } from './kubo.ts'
import { libtorrent } from './libtorrent.ts'
import { openssl } from './openssl.ts'
import { pair } from './pair.ts'
import type { Program } from './program.ts'
import { sendme } from './sendme.ts'
import { share, shareByTorrents } from './share.ts'

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
  sendme,
  openssl,
  'share-from-kubo': async (where: Where) => pair(await share(where.share), await kubo(where.kubo)),
  'kubo-from-share': async (where: Where) => pair(await kubo(where.kubo), await share(where.share)),
  'share-by-torrents': (where: Where) => shareByTorrents(where.share),
  'share-from-libtorrent': async (where: Where) =>
    pair(await shareByTorrents(where.share), await libtorrent('plain')),
  'libtorrent-from-share': async (where: Where) =>
    pair(await libtorrent('plain'), await shareByTorrents(where.share)),
}

export type ProgramName = keyof typeof PROGRAMS

export const PROGRAM_NAMES = Object.keys(PROGRAMS) as readonly ProgramName[]

/** Ready to start peers, one after the other, for what several need is installed once. @throws Error when something is missing */
export async function programsNamed(names: readonly ProgramName[], where: Where): Promise<Program[]> {
  const programs: Program[] = []
  for (const name of names) programs.push(await PROGRAMS[name](where))
  return programs
}
