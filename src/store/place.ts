/** Giving finished bytes their final name: a rename that never replaces what someone else put there. */
import { link, lstat, mkdir, open, rename, rm, rmdir } from 'node:fs/promises'
import { errno, ShareError } from '../core/errors.ts'

export type Kind = 'file' | 'directory' | 'symlink'

/** @throws ShareError TARGET_EXISTS when `to` is taken */
export async function placeAt(kind: Kind, from: string, to: string): Promise<void> {
  try {
    if (kind === 'directory') await placeDirectory(from, to)
    else await placeFile(from, to)
  } catch (thrown) {
    throw targetTaken(thrown) ? targetExists(to) : ShareError.from(thrown, `rename ${from} to ${to}`)
  }
}

/** What lies at a path, following no symlink. */
export async function kindAt(path: string): Promise<Kind | 'other' | undefined> {
  try {
    const found = await lstat(path)
    if (found.isFile()) return 'file'
    if (found.isDirectory()) return 'directory'
    return found.isSymbolicLink() ? 'symlink' : 'other'
  } catch (thrown) {
    const name = errno(thrown)
    if (name === 'ENOENT' || name === 'ENOTDIR') return undefined
    throw ShareError.from(thrown, `look at ${path}`)
  }
}

/** The same file under two names. */
export async function sameFile(one: string, other: string): Promise<boolean> {
  const [left, right] = await Promise.all([lstat(one, { bigint: true }), lstat(other, { bigint: true })])
  return left.dev === right.dev && left.ino === right.ino
}

/** Makes the names in a directory durable; some platforms cannot open one, and have no need to. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path).catch(() => undefined)
  try {
    await handle?.sync()
  } catch (thrown) {
    if (!NO_DIRECTORY_SYNC.has(errno(thrown) ?? '')) throw ShareError.from(thrown, `make ${path} durable`)
  } finally {
    await handle?.close()
  }
}

const NO_DIRECTORY_SYNC: ReadonlySet<string> = new Set(['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP', 'EBADF'])

/** File systems without hard links (FAT, some network ones) answer with one of these. */
const NO_LINKS: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EMLINK',
  'EACCES',
])

export function targetExists(path: string): ShareError {
  const hint = 'move it away, or choose another target with -o'
  return new ShareError('TARGET_EXISTS', `${path} exists already`, hint)
}

function targetTaken(thrown: unknown): boolean {
  const name = errno(thrown)
  return name === 'EEXIST' || name === 'ENOTEMPTY'
}

/** A hard link fails where a name exists; then the old name goes. */
async function placeFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (thrown) {
    if (!NO_LINKS.has(errno(thrown) ?? '')) throw thrown
    await (await open(to, 'wx')).close()
    await rename(from, to).catch(async (failed: unknown) => {
      await rm(to)
      throw failed
    })
    return
  }
  await rm(from)
}

/** A new empty directory reserves the name; renaming over it fails as soon as someone fills it. */
async function placeDirectory(from: string, to: string): Promise<void> {
  await mkdir(to)
  try {
    await rename(from, to)
  } catch (thrown) {
    await rmdir(to).catch(() => undefined)
    throw thrown
  }
}
