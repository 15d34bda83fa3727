/**
 * The home directory: private, and used by one process at a time. LevelDB's own lock on the catalogue is
 * the home's lock, freed by the kernel however the process ends; the pid file only tells who holds it.
 */
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errno, ShareError } from '../core/errors.ts'
import { Catalogue, isLocked, VERSION } from './catalogue.ts'

export interface Home {
  readonly catalogue: Catalogue
  /** Where blockstore-fs keeps its blocks. */
  readonly blocks: string
  /** Where torrents keep bytes of files that were not asked for. */
  readonly borders: string
  /** Gives the home back: the pid file first, then the lock. */
  close(): Promise<void>
}

/** @throws ShareError ALREADY_RUNNING when another process uses this home */
export async function openHome(home: string): Promise<Home> {
  const path = resolve(home)
  await makePrivate(path)
  const pidFile = join(path, 'daemon.pid')
  const catalogue = await openCatalogue(path, pidFile)
  const close = async () => {
    try {
      await rm(pidFile, { force: true })
    } finally {
      await catalogue.close()
    }
  }
  try {
    await writeFile(pidFile, `${process.pid}\n`, { mode: 0o600 })
  } catch (thrown) {
    await catalogue.close()
    throw ShareError.from(thrown, `write ${pidFile}`)
  }
  return { catalogue, blocks: join(path, 'blocks'), borders: join(path, 'borders'), close }
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
  const catalogue = await openDatabase(path, pidFile)
  try {
    await checkVersion(catalogue, path)
    return catalogue
  } catch (thrown) {
    await catalogue.close()
    throw thrown
  }
}

/** The form of the rows; to be raised with what older programs would misread. One without a number has this form. */
const CATALOGUE_VERSION = 1

/** @throws ShareError UNSUPPORTED when a newer program has written it */
async function checkVersion(catalogue: Catalogue, path: string): Promise<void> {
  const row = await catalogue.get(VERSION)
  const found = row === undefined ? undefined : Number(Buffer.from(row).toString())
  if (found === CATALOGUE_VERSION) return
  if (found !== undefined) {
    const message = `the catalogue in ${path} has version ${found}, and this program knows ${CATALOGUE_VERSION}`
    const hint = 'update share, or choose another home with SHARE_HOME; nothing was changed'
    throw new ShareError('UNSUPPORTED', message, hint)
  }
  const value = Buffer.from(String(CATALOGUE_VERSION))
  await catalogue.write([{ type: 'put', key: VERSION, value }], 'durable')
}

async function openDatabase(path: string, pidFile: string): Promise<Catalogue> {
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
  const pid = await holderOf(pidFile)
  const holder = pid === undefined ? 'another process' : `process ${pid}`
  const hint = 'stop it with `share daemon stop`, or choose another home with SHARE_HOME'
  return new ShareError('ALREADY_RUNNING', `${path} is in use by ${holder}`, hint, { cause })
}

/** Between two looks at the pid file, in milliseconds, and how many there are. */
const LOOK_AGAIN_MS = 25
const LOOKS = 20

/** Who has the lock says so just after it got it; until then the file may name one that was killed. */
async function holderOf(pidFile: string): Promise<number | undefined> {
  for (let looks = 0; looks < LOOKS; looks++) {
    const pid = await readFile(pidFile, 'utf8').then(Number, () => Number.NaN)
    if (Number.isSafeInteger(pid) && pid > 0 && isAlive(pid)) return pid
    await sleep(LOOK_AGAIN_MS)
  }
  return undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return errno(thrown) === 'EPERM'
  }
}
