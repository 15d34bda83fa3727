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
import type { TreeEntry } from '../content/manifest.ts'
import { Bitfield } from '../core/bitfield.ts'
import { errno, ShareError } from '../core/errors.ts'
import { Slots } from '../core/slots.ts'
import { FLUSH_FILES } from './claims.ts'
import { pathOf } from './file-blocks.ts'
import { OpenFiles } from './open-files.ts'
import { syncDirectory } from './place.ts'
import { readFully, writeFully } from './positioned.ts'
import { MANY_FILES, SMALL_BYTES, type SmallFiles } from './small-files.ts'

/** Descriptors kept open per download: files that were just made are still open when they are fsynced. */
const OPEN_FILES = 2 * FLUSH_FILES
/** Files fsynced at once, a thread each; file systems join such commits. */
const SYNCS_AT_ONCE = 16
/** Writes under way at once: a file lets one in after the other, and threads that wait for it take a core each meanwhile. */
const WRITES_AT_ONCE = 2
/** Free space that a download leaves to others, in bytes. */
export const FREE_FLOOR = 64 * 1024 * 1024
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

/** A tree's entries, directories before what is in them, and the bytes of all its files. */
export interface Contents {
  readonly entries: readonly TreeEntry[]
  readonly size: number
}

export class PartialTree {
  readonly base: string
  readonly #contents: Contents
  readonly #files = new OpenFiles(OPEN_FILES)
  readonly #writes = new Slots(WRITES_AT_ONCE)
  /** Per entry the size on disk when this run began, or ABSENT. */
  readonly #former: Float64Array
  /** Bytes that the former run's files take on the disk. */
  #allocated = 0
  /** Entries that this run has made or sized. */
  readonly #ready: Bitfield
  readonly #smallFiles: SmallFiles
  /** Files that are being made on the thread for small ones, and those that it has made, until somebody asks whether they are fsynced. */
  readonly #making = new Map<number, Promise<unknown>>()
  readonly #syncing = new Map<number, Promise<void>>()
  /** Directories with names in them that are not durable yet. */
  #unlisted = new Set<string>()
  #realBase = ''

  /** @throws ShareError BAD_PATH when an entry would lie outside the tree */
  constructor(base: string, contents: Contents, smallFiles: SmallFiles) {
    this.base = base
    this.#smallFiles = smallFiles
    this.#contents = contents
    this.#ready = new Bitfield(contents.entries.length)
    this.#former = new Float64Array(contents.entries.length).fill(ABSENT)
    for (const { path } of contents.entries) if (!staysInside(path)) throw outside(path)
  }

  /** Looks at what a former run left. */
  async scan(): Promise<void> {
    for (const [entry, { kind }] of this.#contents.entries.entries()) {
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
    const needed = Math.max(0, this.#contents.size - this.#allocated)
    if (bavail * bsize >= needed + FREE_FLOOR) return
    const missing = needed + FREE_FLOOR - bavail * bsize
    const hint = `free at least ${Math.ceil(missing / 2 ** 20)} MiB there, or choose another target with -o`
    throw new ShareError('DISK_FULL', `not enough space in ${directory} for ${needed} bytes`, hint)
  }

  /** Makes the directories, and the files that have no bytes to wait for. */
  async make(): Promise<void> {
    this.#realBase = join(await realpath(dirname(this.base)), basename(this.base))
    for (const [entry, { kind }] of this.#contents.entries.entries())
      if (kind === 'directory') await this.#makeDirectory(entry)
    for (const [entry, found] of this.#contents.entries.entries()) {
      if (found.kind === 'file' && found.size === 0) await this.#use(entry, 0, async () => undefined)
    }
  }

  /** Bytes that a former run may have left at the start of an entry's file. */
  formerSize(entry: number): number {
    return Math.max(0, this.#former[entry] ?? 0)
  }

  /** A former run's file is there and has its full size. */
  intact(entry: number): boolean {
    const found = this.#contents.entries[entry]
    return found?.kind === 'file' && this.#former[entry] === found.size
  }

  /** @throws ShareError DISK_FULL, IO, CONFLICT */
  async write(entry: number, offset: number, bytes: Uint8Array): Promise<void> {
    if (this.#isSmall(entry, offset, bytes.length)) await this.#makeSmall(entry, bytes)
    else {
      const write = (handle: FileHandle) => this.#writes.run(() => writeFully(handle, bytes, offset))
      await this.#use(entry, bytes.length, write)
      this.#syncing.delete(entry)
    }
  }

  /** Fills `into` from the entry's file; gives how many bytes there were. */
  async read(entry: number, offset: number, into: Uint8Array): Promise<number> {
    if (this.#isNew(entry)) return 0
    return this.#use(entry, 0, (handle) => readFully(handle, into, offset))
  }

  /** Works with the descriptor of an entry's file. */
  lend<T>(entry: number, work: (fd: number) => Promise<T>): Promise<T> {
    return this.#use(entry, 0, (handle) => work(handle.fd))
  }

  /** Makes the bytes of these entries durable. */
  async sync(entries: Iterable<number>): Promise<void> {
    const queue = [...entries].values()
    const worker = async () => {
      for (const entry of queue) await this.#sync(entry)
    }
    await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, worker))
    await this.#syncNames()
  }

  /** The last touch before the rename: symlinks, and the directories made durable, deepest first. */
  async complete(): Promise<void> {
    const entries = [...this.#contents.entries.entries()]
    for (const [entry, found] of entries)
      if (found.kind === 'symlink') await this.#makeSymlink(entry, found.target)
    for (const [entry, { kind }] of entries.reverse())
      if (kind === 'directory') await syncDirectory(this.#path(entry))
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#syncing.values())
    await this.#files.close()
  }

  /** Bytes are durable only where their file's name is. */
  async #syncNames(): Promise<void> {
    const directories = this.#unlisted
    this.#unlisted = new Set()
    for (const directory of directories) await syncDirectory(directory)
  }

  #path(entry: number): string {
    return pathOf(this.base, this.#contents.entries[entry])
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
      this.#unlisted.add(dirname(path))
    } catch (thrown) {
      if (errno(thrown) !== 'EEXIST') throw ShareError.from(thrown, `make ${path}`)
      if (!(await lstat(path)).isDirectory()) throw swapped(path)
    }
  }

  async #makeSymlink(entry: number, target: string): Promise<void> {
    const path = this.#path(entry)
    try {
      await this.#checkParent(path)
      if ((await readlink(path).catch(() => undefined)) === target) return
      await rm(path, { force: true })
      await symlink(target, path)
    } catch (thrown) {
      throw explained(thrown, path)
    }
  }

  /** The bytes are all of a small file, of which nothing is there. */
  #isSmall(entry: number, offset: number, length: number): boolean {
    const { entries } = this.#contents
    const found = entries[entry]
    if (entries.length < MANY_FILES || found?.kind !== 'file') return false
    const whole = offset === 0 && length === found.size && length < SMALL_BYTES
    return whole && this.#isNew(entry) && !this.#making.has(entry)
  }

  async #makeSmall(entry: number, bytes: Uint8Array): Promise<void> {
    const path = this.#path(entry)
    const making = this.#smallFiles.make(path, this.#realParent(path), bytes)
    this.#making.set(entry, making)
    try {
      const { synced } = await making
      this.#unlisted.add(dirname(path))
      this.#ready.add(entry)
      this.#syncing.set(entry, synced)
    } catch (thrown) {
      throw explained(thrown, path)
    } finally {
      this.#making.delete(entry)
    }
  }

  async #sync(entry: number): Promise<void> {
    const syncing = this.#syncing.get(entry)
    if (syncing === undefined) await this.#use(entry, 0, (handle) => handle.datasync())
    else {
      await syncing.catch((thrown: unknown) => {
        throw explained(thrown, this.#path(entry))
      })
      this.#syncing.delete(entry)
    }
  }

  /** Works with an entry's file; `covers` says how many bytes from its start the work is about to write. */
  async #use<T>(entry: number, covers: number, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    const path = this.#path(entry)
    await this.#making.get(entry)?.catch(() => undefined)
    try {
      return await this.#files.use(path, () => this.#open(entry, path, covers), work)
    } catch (thrown) {
      throw explained(thrown, path)
    }
  }

  async #open(entry: number, path: string, covers: number): Promise<FileHandle> {
    await this.#checkParent(path)
    const create = this.#isNew(entry) ? constants.O_CREAT | constants.O_EXCL : 0
    const handle = await open(path, constants.O_RDWR | NO_FOLLOW | create, 0o666)
    if (create !== 0) this.#unlisted.add(dirname(path))
    try {
      const stats = await handle.stat()
      // a pipe, or a second name of somebody's file, put in the place of ours
      if (!stats.isFile() || stats.nlink > 1) throw swapped(path)
      const found = this.#contents.entries[entry]
      const size = found?.kind === 'file' ? found.size : 0
      // full size at once: a piece at the end then costs no more than one at the start, and holes take no space
      if (!this.#ready.has(entry) && covers < size && stats.size !== size) await handle.truncate(size)
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
    if ((await realpath(parent)) !== this.#realParent(path)) throw swapped(parent)
  }

  #realParent(path: string): string {
    return normalize(join(this.#realBase, dirname(path).slice(this.base.length)))
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

function explained(thrown: unknown, path: string): ShareError {
  if (errno(thrown) === 'ENOENT') return vanished(path)
  if (errno(thrown) === 'ELOOP') return swapped(path)
  return ShareError.from(thrown, `write ${path}`)
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
