/**
 * The partial file or tree of a download, NAME.part beside the target: positioned writes into files that
 * are made when their first byte arrives. Nothing is written through a symlink: files are opened without
 * following one, their directory must still be the real one, and the tree's own symlinks come last.
 */
import { constants, type Stats } from 'node:fs'
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readlink,
  realpath,
  rm,
  statfs,
  symlink,
} from 'node:fs/promises'
import { basename, dirname, join, normalize } from 'node:path'
import type { Manifest } from '../content/manifest.ts'
import { Bitfield } from '../core/bitfield.ts'
import { errno, ShareError } from '../core/errors.ts'
import { FLUSH_FILES } from './claims.ts'
import { pathOf } from './file-blocks.ts'
import { OpenFiles } from './open-files.ts'
import { syncDirectory } from './place.ts'
import { readFully, writeFully } from './positioned.ts'

/** Descriptors kept open per download: files that were just made are still open when they are fsynced. */
const OPEN_FILES = 2 * FLUSH_FILES
/** Files fsynced at once, a thread each; file systems join such commits. */
const SYNCS_AT_ONCE = 16
/** Free space that a download leaves to others, in bytes. */
const RESERVE = 64 * 1024 * 1024
/** Longest file name, in bytes, that `.part` can be appended to on common file systems. */
const MAX_STEM = 250
const SUFFIX = '.part'

/** A file that a former run left: its size, or absent. */
const ABSENT = -1

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0

export function partialPath(target: string): string {
  let stem = basename(target)
  while (Buffer.byteLength(stem) > MAX_STEM) stem = stem.slice(0, -1)
  return join(dirname(target), stem + SUFFIX)
}

export class PartialTree {
  readonly base: string
  readonly #manifest: Manifest
  readonly #files = new OpenFiles(OPEN_FILES)
  /** Per entry the size on disk when this run began, or ABSENT. */
  readonly #former: Float64Array
  /** Bytes that the former run's files take on the disk. */
  #allocated = 0
  /** Entries that this run has made or sized. */
  readonly #ready: Bitfield
  #realBase = ''

  /** @throws ShareError BAD_PATH when an entry would lie outside the tree */
  constructor(base: string, manifest: Manifest) {
    this.base = base
    this.#manifest = manifest
    this.#ready = new Bitfield(manifest.entries.length)
    this.#former = new Float64Array(manifest.entries.length).fill(ABSENT)
    for (const { path } of manifest.entries) if (!staysInside(path)) throw outside(path)
  }

  /** Looks at what a former run left. */
  async scan(): Promise<void> {
    for (const [entry, { kind }] of this.#manifest.entries.entries()) {
      if (kind !== 'file') continue
      const found = await this.#lookAt(entry)
      if (found === undefined) continue
      if (!found.isFile()) throw swapped(this.#path(entry))
      this.#former[entry] = found.size
      this.#allocated += found.blocks * 512
    }
  }

  /** @throws ShareError DISK_FULL when the rest does not fit */
  async checkSpace(): Promise<void> {
    const directory = dirname(this.base)
    const { bavail, bsize } = await statfs(directory)
    const needed = Math.max(0, this.#manifest.size - this.#allocated)
    if (bavail * bsize >= needed + RESERVE) return
    const missing = needed + RESERVE - bavail * bsize
    const hint = `free at least ${Math.ceil(missing / 2 ** 20)} MiB there, or choose another target with -o`
    throw new ShareError('DISK_FULL', `not enough space in ${directory} for ${needed} bytes`, hint)
  }

  /** Makes the directories, and the files that have no bytes to wait for. */
  async make(): Promise<void> {
    this.#realBase = join(await realpath(dirname(this.base)), basename(this.base))
    for (const [entry, { kind }] of this.#manifest.entries.entries())
      if (kind === 'directory') await this.#makeDirectory(entry)
    for (const [entry, found] of this.#manifest.entries.entries()) {
      if (found.kind === 'file' && found.size === 0) await this.#use(entry, 0, async () => undefined)
    }
  }

  /** Bytes that a former run may have left at the start of an entry's file. */
  formerSize(entry: number): number {
    return Math.max(0, this.#former[entry] ?? 0)
  }

  /** A former run's file is there and has its full size. */
  intact(entry: number): boolean {
    const found = this.#manifest.entries[entry]
    return found?.kind === 'file' && this.#former[entry] === found.size
  }

  /** @throws ShareError DISK_FULL, IO, CONFLICT */
  async write(entry: number, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#use(entry, bytes.length, (handle) => writeFully(handle, bytes, offset))
  }

  /** Fills `into` from the entry's file; gives how many bytes there were. */
  async read(entry: number, offset: number, into: Uint8Array): Promise<number> {
    if (this.#isNew(entry)) return 0
    return this.#use(entry, 0, (handle) => readFully(handle, into, offset))
  }

  /** Makes the bytes of these entries durable. */
  async sync(entries: Iterable<number>): Promise<void> {
    const queue = [...entries].values()
    const worker = async () => {
      for (const entry of queue) await this.#use(entry, 0, (handle) => handle.datasync())
    }
    await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, worker))
  }

  /** The last touch before the rename: symlinks, and the directories made durable, deepest first. */
  async complete(): Promise<void> {
    const entries = [...this.#manifest.entries.entries()]
    for (const [entry, found] of entries)
      if (found.kind === 'symlink') await this.#makeSymlink(entry, found.target)
    for (const [entry, { kind }] of entries.reverse())
      if (kind === 'directory') await syncDirectory(this.#path(entry))
  }

  close(): Promise<void> {
    return this.#files.close()
  }

  #path(entry: number): string {
    return pathOf(this.base, this.#manifest.entries[entry])
  }

  #isNew(entry: number): boolean {
    return this.#former[entry] === ABSENT && !this.#ready.has(entry)
  }

  async #lookAt(entry: number): Promise<Stats | undefined> {
    return lstat(this.#path(entry)).catch((thrown: unknown) => {
      if (errno(thrown) === 'ENOENT') return undefined
      throw ShareError.from(thrown)
    })
  }

  async #makeDirectory(entry: number): Promise<void> {
    const path = this.#path(entry)
    try {
      await mkdir(path)
    } catch (thrown) {
      if (errno(thrown) !== 'EEXIST') throw ShareError.from(thrown, `make ${path}`)
      if (!(await lstat(path)).isDirectory()) throw swapped(path)
    }
  }

  async #makeSymlink(entry: number, target: string): Promise<void> {
    const path = this.#path(entry)
    await this.#checkParent(path)
    if ((await readlink(path).catch(() => undefined)) === target) return
    await rm(path, { force: true })
    await symlink(target, path)
  }

  /** Works with an entry's file; `covers` says how many bytes from its start the work is about to write. */
  async #use<T>(entry: number, covers: number, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const path = this.#path(entry)
    try {
      return await this.#files.use(path, () => this.#open(entry, path, covers), work)
    } catch (thrown) {
      if (errno(thrown) === 'ENOENT') throw vanished(path)
      if (errno(thrown) === 'ELOOP') throw swapped(path)
      throw ShareError.from(thrown, `write ${path}`)
    }
  }

  async #open(entry: number, path: string, covers: number): Promise<FileHandle> {
    await this.#checkParent(path)
    const create = this.#isNew(entry) ? constants.O_CREAT | constants.O_EXCL : 0
    const handle = await open(path, constants.O_RDWR | NO_FOLLOW | create, 0o666)
    try {
      const found = this.#manifest.entries[entry]
      const size = found?.kind === 'file' ? found.size : 0
      // full size at once: a piece at the end then costs no more than one at the start, and holes take no space
      if (!this.#ready.has(entry) && covers < size && (await handle.stat()).size !== size)
        await handle.truncate(size)
      this.#ready.add(entry)
      return handle
    } catch (thrown) {
      await handle.close()
      throw thrown
    }
  }

  /** The directory must be where it was made: someone may have put a symlink in its place. */
  async #checkParent(path: string): Promise<void> {
    if (path === this.base) return
    const parent = dirname(path)
    const expected = normalize(join(this.#realBase, parent.slice(this.base.length)))
    if ((await realpath(parent)) !== expected) throw swapped(parent)
  }
}

/** Content checks names before anything is written; this holds whatever else changes. */
function staysInside(path: string): boolean {
  if (path === '') return true
  if (path.includes('\0') || path.includes('\\')) return process.platform !== 'win32' && !path.includes('\0')
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..')
}

function outside(path: string): ShareError {
  const hint = 'do not trust this content; tell whoever gave you the CID'
  return new ShareError('BAD_PATH', `a path leads out of the target: ${JSON.stringify(path)}`, hint)
}

function swapped(path: string): ShareError {
  return new ShareError(
    'CONFLICT',
    `${path} was replaced by something else`,
    'move it away, then run the same command again',
  )
}

function vanished(path: string): ShareError {
  return new ShareError(
    'IO',
    `${path} was deleted while it was in use`,
    'run the same command again: it starts with what is left',
  )
}
