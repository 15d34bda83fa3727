/** What it takes until a file, or a directory with all that is in it, would outlast a loss of power. */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Files fsynced at once, a thread of libuv's each; file systems join such commits. */
const AT_ONCE = 4

export async function syncAll(path: string): Promise<void> {
  const paths = [path, ...(await entriesOf(path))]
  const next = paths.values()
  const syncSome = async (): Promise<void> => {
    for (const each of next) {
      await using file = await open(each)
      await file.sync()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, syncSome))
}

async function entriesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true }).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOTDIR') return []
    throw thrown
  })
  return entries.map((entry) => join(path, entry))
}
