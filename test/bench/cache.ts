/** Where programs are kept that were fetched or built for the benchmark, so that only the first run needs a network. */
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'share-bench')

/** The directory of this name, filled by `make` when there is none; one that was left unfinished is made again. */
export async function cached(name: string, make: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(CACHE, name)
  if (await exists(directory)) return directory
  const draft = `${directory}.draft`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { recursive: true })
  process.stderr.write(`making ${directory}; later runs find it there\n`)
  await make(draft)
  await rename(draft, directory)
  return directory
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
