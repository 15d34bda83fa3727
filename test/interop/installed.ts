/** The other programs, as `install.sh` puts them there: what is missing is fetched or built first. */
import { fileURLToPath } from 'node:url'
import { output } from '../bench/processes.ts'

const INSTALL = fileURLToPath(new URL('install.sh', import.meta.url))

/** Where it is: kubo's, Helia's, sendme's and libtorrent's directory, or the path of the program itself. @throws Error saying what failed */
export async function installed(
  program: 'kubo' | 'helia' | 'sendme' | 'libtorrent' | 'aria2' | 'transmission' | 'qbittorrent' | 'chromium',
): Promise<string> {
  return (await output('bash', [INSTALL, program])).trim()
}
