/**
 * The home directory: private, and used by one process at a time. LevelDB's own lock on the catalogue is
 * the home's lock, freed by the kernel however the process ends; the pid file only tells who holds it.
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ShareError } from '../core/errors.ts'
import { Catalogue, isLocked } from './catalogue.ts'

export interface Home {
  readonly catalogue: Catalogue
  /** Where blockstore-fs keeps its blocks. */
  readonly blocks: string
  /** Gives the home back: the pid file first, then the lock. */
  close(): Promise<void>
}

/** @throws ShareError ALREADY_RUNNING when another process uses this home */
export async function openHome(home: string): Promise<Home> {
  const path = resolve(home)
  await makePrivate(path)
  const pidFile = join(path, 'daemon.pid')
  const catalogue = await openCatalogue(path, pidFile)
  await writeFile(pidFile, `${process.pid}\n`, { mode: 0o600 })
  const close = async () => {
    await rm(pidFile, { force: true })
    await catalogue.close()
  }
  return { catalogue, blocks: join(path, 'blocks'), close }
}

async function makePrivate(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    await chmod(path, 0o700)
  } catch (thrown) {
    throw ShareError.from(thrown, `make the home directory ${path}`)
  }
}

async function openCatalogue(path: string, pidFile: string): Promise<Catalogue> {
  try {
    return await Catalogue.open(join(path, 'catalogue'))
  } catch (thrown) {
    if (isLocked(thrown)) throw await alreadyRunning(path, pidFile, thrown)
    const reason =
      thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause.message : String(thrown)
    const hint =
      'check the disk and the permissions of that directory, or choose another home with SHARE_HOME'
    throw new ShareError('IO', `cannot open ${join(path, 'catalogue')}: ${reason}`, hint, { cause: thrown })
  }
}

async function alreadyRunning(path: string, pidFile: string, cause: unknown): Promise<ShareError> {
  const pid = await readFile(pidFile, 'utf8').then(Number, () => Number.NaN)
  const holder = Number.isSafeInteger(pid) && pid > 0 ? `process ${pid}` : 'another process'
  const hint = 'stop it with `share daemon stop`, or choose another home with SHARE_HOME'
  return new ShareError('ALREADY_RUNNING', `${path} is in use by ${holder}`, hint, { cause })
}
