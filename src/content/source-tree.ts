/** Lists a user's directory tree for import, refusing early what no receiver could be given. */
import { isUtf8 } from 'node:buffer'
import type { Dirent } from 'node:fs'
import { opendir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { nameProblem, symlinkProblem } from './safe-names.ts'
import { sourceError } from './source-file.ts'

export type SourceEntry =
  | { readonly kind: 'file' | 'directory'; readonly name: string; readonly path: string }
  | { readonly kind: 'symlink'; readonly name: string; readonly path: string; readonly target: string }

/** Names read from a directory in one go. */
const NAMES_AT_ONCE = 1024

/**
 * The entries of one directory as they come, hidden ones too.
 * @param inside the directory's path relative to the tree, joined by `/`, empty for its top
 * @throws ShareError UNSUPPORTED for what cannot be shared, UNREADABLE, SOURCE_CHANGED, naming it
 */
export async function* listSource(path: string, inside: string): AsyncGenerator<SourceEntry> {
  try {
    // as `encoding: 'buffer'`, which its types do not know, so that names are told from what a decoder makes of them
    const directory = await opendir(path, { encoding: 'buffer' as BufferEncoding, bufferSize: NAMES_AT_ONCE })
    for await (const dirent of directory as unknown as AsyncIterable<Dirent<Buffer>>)
      yield await sourceEntry(path, inside, dirent)
  } catch (thrown) {
    throw sourceError(path, thrown)
  }
}

async function sourceEntry(directory: string, inside: string, dirent: Dirent<Buffer>): Promise<SourceEntry> {
  const name = dirent.name.toString()
  const path = join(directory, name)
  const problem = isUtf8(dirent.name) ? nameProblem(name) : 'is not valid UTF-8'
  if (problem !== undefined)
    throw unfit(`the name of ${printable(path)} ${problem}`, 'rename it, then add again')
  if (dirent.isFile()) return { kind: 'file', name, path }
  if (dirent.isDirectory()) return { kind: 'directory', name, path }
  if (!dirent.isSymbolicLink()) throw notAFile(path)
  const target = await readTarget(path)
  const pointing = symlinkProblem(within(inside, name), target)
  if (pointing !== undefined) {
    throw unfit(
      `the symlink ${path} -> ${printable(target)} ${pointing}`,
      'remove it, or make it relative and inside of the directory',
    )
  }
  return { kind: 'symlink', name, path, target }
}

/** A path in the tree: of a directory, empty for its top, and a name in it. */
export const within = (inside: string, name: string): string => (inside === '' ? name : `${inside}/${name}`)

async function readTarget(path: string): Promise<string> {
  const target = await readlink(path, { encoding: 'buffer' }).catch((thrown: unknown) =>
    Promise.reject(sourceError(path, thrown)),
  )
  if (!isUtf8(target))
    throw unfit(`the target of the symlink ${path} is not valid UTF-8`, 'remove it, then add again')
  return target.toString()
}

export function unfit(message: string, hint: string): ShareError {
  return new ShareError('UNSUPPORTED', message, hint)
}

/** For sockets, pipes and devices. */
export function notAFile(path: string): ShareError {
  return unfit(
    `${printable(path)} is a socket, pipe or device`,
    'only files, directories and symlinks can be shared',
  )
}
