/**
 * Where a home's API listens: `api.sock` inside it. A socket's path has about a hundred bytes in the kernel's
 * structure, so a longer home gets a short path in a private temporary directory, written down in `api.path`
 * for clients whose temporary directory is another one. On Windows it is a named pipe.
 */
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { errno, ShareError } from '../core/errors.ts'

// sizeof sun_path less the closing NUL: 108 on Linux, 104 on macOS and the BSDs
const LONGEST_PATH = process.platform === 'linux' ? 107 : 103

/** Where a client finds the API of this home, whether or not it runs. */
export function socketPath(home: string): string {
  try {
    const recorded = readFileSync(join(home, 'api.path'), 'utf8').trim()
    if (recorded !== '') return recorded
  } catch (cause) {
    if (errno(cause) !== 'ENOENT' && errno(cause) !== 'ENOTDIR') throw ShareError.from(cause, 'find the API')
  }
  return naturalPath(home)
}

/**
 * The path to listen on, free and in a private place. Removes a socket that a killed daemon left, so only the
 * holder of the home's lock may call it.
 */
export function claimSocketPath(home: string): string {
  const path = naturalPath(home)
  if (process.platform === 'win32') return path
  const record = join(home, 'api.path')
  rmSync(record, { force: true })
  if (dirname(path) !== home) {
    makePrivate(dirname(path))
    writeFileSync(record, path, { mode: 0o600 })
  }
  rmSync(path, { force: true })
  return path
}

function naturalPath(home: string): string {
  const digest = createHash('sha256').update(home).digest('hex').slice(0, 16)
  if (process.platform === 'win32') return `\\\\.\\pipe\\share-${digest}`
  const inside = join(home, 'api.sock')
  return Buffer.byteLength(inside) <= LONGEST_PATH ? inside : join(tmpdir(), `share-${digest}`, 'api.sock')
}

/** Anyone may make a directory of this name first; then nothing is put there. */
function makePrivate(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
    return
  } catch (cause) {
    if (errno(cause) !== 'EEXIST') throw ShareError.from(cause, 'make a place for the socket')
  }
  const found = lstatSync(directory)
  if (found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o077) === 0) return
  throw new ShareError(
    'CONFLICT',
    `${directory} exists and is not private`,
    'remove it, or choose a shorter SHARE_HOME',
  )
}
