/**
 * What there is to import, before any of it is read: how much, and a stamp that changes when anything of it does, so that
 * what was imported before need not be hashed again.
 */
import { createHash, type Hash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { lstat, realpath, stat } from 'node:fs/promises'
import { printable } from '../core/cid.ts'
import { errno, ShareError } from '../core/errors.ts'
import { throwIfAborted } from './abort.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import { isSettled, stampOf } from './file-state.ts'
import { sourceError } from './source-file.ts'
import { listSource, notAFile, type SourceEntry, unfit, within } from './source-tree.ts'

/** Stat calls under way at once. */
const PARALLEL_STATS = 32

export interface Survey {
  readonly kind: 'file' | 'directory'
  /** The path without symlinks. */
  readonly real: string
  readonly bytes: number
  readonly files: number
  /** Names, kinds, and the state of every file; undefined when one has changed so lately that it cannot tell. */
  readonly stamp: string | undefined
}

/**
 * A path that is itself a symlink is followed, symlinks inside a tree are not.
 * @throws ShareError NOT_FOUND, UNREADABLE, SOURCE_CHANGED, INTERRUPTED; UNSUPPORTED for what is too deep or too large to be fetched
 */
export async function survey(path: string, signal?: AbortSignal): Promise<Survey> {
  throwIfAborted(signal)
  const found = await lookAt(path)
  const stamp = new Stamp()
  if (found.stats.isFile()) {
    stamp.file('', found.stats)
    return { kind: 'file', real: found.real, bytes: Number(found.stats.size), files: 1, stamp: stamp.value }
  }
  const { bytes, files } = await surveyTree(found.real, stamp, signal)
  return { kind: 'directory', real: found.real, bytes, files, stamp: stamp.value }
}

async function lookAt(path: string): Promise<{ real: string; stats: BigIntStats }> {
  try {
    const stats = await stat(path, { bigint: true })
    if (!stats.isFile() && !stats.isDirectory()) throw notAFile(path)
    return { real: await realpath(path), stats }
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT' || errno(thrown) === 'ENOTDIR') {
      throw new ShareError('NOT_FOUND', `there is no file or directory ${path}`, 'check the path', {
        cause: thrown,
      })
    }
    throw sourceError(path, thrown)
  }
}

interface Directory {
  readonly path: string
  /** Relative to the tree, joined by `/`, empty for its top. */
  readonly inside: string
  readonly depth: number
}

async function surveyTree(
  top: string,
  stamp: Stamp,
  signal: AbortSignal | undefined,
): Promise<{ bytes: number; files: number }> {
  const sum = { bytes: 0, files: 0 }
  const todo: Directory[] = [{ path: top, inside: '', depth: 0 }]
  let entries = 1
  for (let directory = todo.pop(); directory !== undefined; directory = todo.pop()) {
    const { path, inside, depth } = directory
    if (depth > DEFAULT_BUDGETS.depth)
      throw tooMuch(path, `is nested more than ${DEFAULT_BUDGETS.depth} directories deep`)
    const found: SourceEntry[] = []
    for await (const entry of listSource(path, inside)) {
      throwIfAborted(signal)
      if (++entries > DEFAULT_BUDGETS.entries)
        throw tooMuch(top, `has more than ${DEFAULT_BUDGETS.entries} entries`)
      found.push(entry)
    }
    // a listing comes in any order
    found.sort((one, other) => (one.name < other.name ? -1 : 1))
    const { bytes, files } = await stampEntries(found, inside, stamp)
    sum.bytes += bytes
    sum.files += files
    for (const entry of found)
      if (entry.kind === 'directory')
        todo.push({ path: entry.path, inside: within(inside, entry.name), depth: depth + 1 })
  }
  return sum
}

/** Looks at the files among the entries of one directory, many at once. */
async function stampEntries(
  found: readonly SourceEntry[],
  inside: string,
  stamp: Stamp,
): Promise<{ bytes: number; files: number }> {
  const sum = { bytes: 0, files: 0 }
  for (let at = 0; at < found.length; at += PARALLEL_STATS) {
    const some = found.slice(at, at + PARALLEL_STATS)
    const states = await Promise.all(
      some.map(({ kind, path }) => (kind === 'file' ? stateOf(path) : undefined)),
    )
    for (const [index, entry] of some.entries()) {
      const stats = states[index]
      const path = within(inside, entry.name)
      if (entry.kind === 'symlink') stamp.symlink(path, entry.target)
      if (entry.kind === 'directory') stamp.directory(path)
      if (stats === undefined) continue
      stamp.file(path, stats)
      sum.files++
      sum.bytes += Number(stats.size)
    }
  }
  return sum
}

/** Of a tree's entries in a fixed order. */
class Stamp {
  readonly #hash: Hash = createHash('sha256')
  readonly #at = Date.now()
  #settled = true

  get value(): string | undefined {
    return this.#settled ? this.#hash.digest('base64url') : undefined
  }

  file(path: string, stats: BigIntStats): void {
    this.#settled &&= isSettled(stats, this.#at)
    this.#entry('file', path, stampOf(stats))
  }

  symlink(path: string, target: string): void {
    this.#entry('symlink', path, target)
  }

  directory(path: string): void {
    this.#entry('directory', path, '')
  }

  /** Neither names nor targets hold NUL. */
  #entry(kind: string, path: string, state: string): void {
    this.#hash.update(`${kind}\0${path}\0${state}\0`)
  }
}

async function stateOf(path: string): Promise<BigIntStats> {
  try {
    return await lstat(path, { bigint: true })
  } catch (thrown) {
    throw sourceError(path, thrown)
  }
}

function tooMuch(path: string, how: string): ShareError {
  return unfit(`${printable(path)} ${how}`, 'add parts of it, or pack it into an archive')
}
