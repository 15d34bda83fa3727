/**
 * Blocks that lie in the user's own files, verified on read. A block is hashed when it is first read, and
 * again whenever its file's identity, size or times changed, or when the file changed so shortly before the
 * last hash that its times cannot tell; doubt means hashing. The descriptor is looked at before and after
 * each read, so a file that changes meanwhile is noticed. mmap writers and clocks set back are the residue.
 */
import { constants, fstatSync } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isSettled, stampOf } from '../content/file-state.ts'
import type { TreeEntry } from '../content/manifest.ts'
import type { HashedFile } from '../content/source-file.ts'
import { sha256 } from '../content/verify.ts'
import { Bitfield } from '../core/bitfield.ts'
import { errno } from '../core/errors.ts'
import { CUT_SHORT, notAsRecorded, OTHER_CONTENT } from './damage.ts'
import { blockLength, inlineAt, type Layout, type LeafPlace, pieceAt } from './layout.ts'
import { OpenFiles } from './open-files.ts'
import { readFully } from './positioned.ts'
import { MANY_FILES, SMALL_BYTES, type SmallFiles } from './small-files.ts'

/** `damaged`: the file is not what was recorded. `unknown`: the machine could not say, for want of descriptors or memory. */
export type Reading =
  | { readonly state: 'good'; readonly block: Uint8Array }
  | { readonly state: 'damaged'; readonly file: string; readonly reason: string }
  | { readonly state: 'unknown'; readonly reason: string }

/** A complete share in place: its layout, and the file or directory where it lies. */
export interface Source {
  readonly layout: Layout
  readonly path: string
}

/** Descriptors kept open for reading. */
const OPEN_FILES = 64
/** Files of one share whose state is remembered; past it, memory is worth more than a few hashes. */
export const REMEMBERED_FILES = 16_384

export class FileBlocks {
  readonly #files = new OpenFiles(OPEN_FILES)
  readonly #smallFiles: SmallFiles
  readonly #checks = new WeakMap<Layout, Checks>()

  constructor(smallFiles: SmallFiles) {
    this.#smallFiles = smallFiles
  }

  /** One piece, by the verify-on-read rule. Undefined when there is no such piece. */
  async readPiece(source: Source, piece: number): Promise<Reading | undefined> {
    const leaf = pieceAt(source.layout, piece)
    return leaf && this.#read(source, leaf, this.#trust(source.layout, piece))
  }

  /** One inline node, by the same rule. */
  async readInline(source: Source, inline: number): Promise<Reading | undefined> {
    const leaf = inlineAt(source.layout, inline)
    const record = source.layout.manifest.pieces.length + inline
    return leaf && this.#read(source, leaf, this.#trust(source.layout, record))
  }

  /** A block at one of its places, hashed whatever is known. */
  check(source: Source, leaf: LeafPlace): Promise<Reading> {
    return this.#read(source, leaf, NO_TRUST)
  }

  /** These entries' files were hashed as a whole just now; `hashed` gives the state that each had before and after. */
  trust(layout: Layout, hashed: (entry: number) => HashedFile | undefined): void {
    const { manifest, inlines } = layout
    const checks = this.#checksOf(layout)
    for (const [entry, { kind }] of manifest.entries.entries()) {
      const file = kind === 'file' ? hashed(entry) : undefined
      if (file !== undefined) checks.settle(entry, stampOf(file.stats), isSettled(file.stats, file.at))
    }
    for (let piece = 0; piece < manifest.pieces.length; piece++)
      checks.trust(piece, manifest.pieces.places(piece)[0]?.entry)
    for (const [at, { entry }] of inlines.entries()) checks.trust(manifest.pieces.length + at, entry)
  }

  closeIdle(idle: number): void {
    this.#files.closeIdle(idle)
  }

  close(): Promise<void> {
    return this.#files.close()
  }

  #trust(layout: Layout, record: number): Trust {
    return this.#checksOf(layout).of(record)
  }

  #checksOf(layout: Layout): Checks {
    let checks = this.#checks.get(layout)
    if (checks === undefined) {
      checks = new Checks(layout.manifest.pieces.length + layout.inlines.length)
      this.#checks.set(layout, checks)
    }
    return checks
  }

  async #read(source: Source, leaf: LeafPlace, trust: Trust): Promise<Reading> {
    const file = fileOf(source, leaf.entry)
    const damaged = (reason: string): Reading => ({ state: 'damaged', file, reason })
    try {
      if (isSmall(source, leaf)) return await this.#readSmall(file, source, leaf, trust, damaged)
      if (!(await this.#leadsTo(file, leaf, trust))) this.#files.drop(file)
      return await this.#files.use(
        file,
        () => openSource(file),
        (handle) => readLeaf(handle, source, leaf, trust, damaged),
      )
    } catch (thrown) {
      const reason = SHORTAGES[errno(thrown) ?? '']
      return reason === undefined ? damaged(reasonOf(thrown)) : { state: 'unknown', reason }
    }
  }

  async #readSmall(
    path: string,
    source: Source,
    { entry, offset, size: length, digest }: LeafPlace,
    trust: Trust,
    damaged: (reason: string) => Reading,
  ): Promise<Reading> {
    const size = sizeOf(source.layout.manifest.entries[entry])
    const read = await this.#smallFiles.read({ path, size, offset, length, trusted: trust.stamp(entry) })
    if (read.state === 'damaged') return damaged(read.reason)
    if (read.digest !== undefined) {
      if (Buffer.compare(read.digest, digest) !== 0) return damaged(OTHER_CONTENT)
      if (read.stamp !== undefined) trust.remember(entry, read.stamp, read.settled)
    }
    return { state: 'good', block: read.bytes }
  }

  /** Does the open descriptor still belong to the path? A changed time may mean that the file was replaced. */
  #leadsTo(file: string, leaf: LeafPlace, trust: Trust): Promise<boolean> {
    return this.#files.use(
      file,
      () => openSource(file),
      async (handle) => {
        const here = fstatSync(handle.fd, { bigint: true })
        if (trust.unchanged(leaf.entry, stampOf(here))) return true
        const there = await stat(file, { bigint: true })
        return here.dev === there.dev && here.ino === there.ino
      },
    )
  }
}

/** The entry's own path, under the share's. */
export function fileOf(source: Source, entry: number): string {
  return pathOf(source.path, source.layout.manifest.entries[entry])
}

export function pathOf(base: string, entry: TreeEntry | undefined): string {
  return join(base, entry?.path ?? '')
}

/** What a person is told of a file that cannot be read. */
export function reasonOf(thrown: unknown): string {
  const name = errno(thrown)
  if (name === 'ENOENT' || name === 'ENOTDIR') return 'missing'
  if (name === 'EACCES' || name === 'EPERM') return 'not readable: permission denied'
  return `not readable: ${name ?? String(thrown)}`
}

const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE: 'too many open files',
  ENFILE: 'too many open files',
  ENOMEM: 'out of memory',
  EAGAIN: 'the system is busy',
}

async function readLeaf(
  handle: FileHandle,
  source: Source,
  leaf: LeafPlace,
  trust: Trust,
  damaged: (reason: string) => Reading,
): Promise<Reading> {
  const stats = fstatSync(handle.fd, { bigint: true })
  const changed = notAsRecorded(stats, sizeOf(source.layout.manifest.entries[leaf.entry]))
  if (changed !== undefined) return damaged(changed)
  const before = stampOf(stats)
  const block = Buffer.allocUnsafe(blockLength(leaf))
  block.set(leaf.prefix)
  block.set(leaf.suffix, leaf.prefix.length + leaf.size)
  const payload = block.subarray(leaf.prefix.length, leaf.prefix.length + leaf.size)
  if ((await readFully(handle, payload, leaf.offset)) < leaf.size) return damaged(CUT_SHORT)
  const after = stampOf(fstatSync(handle.fd, { bigint: true }))
  if (before === after && trust.hashed(leaf.entry, before)) return { state: 'good', block }
  const now = Date.now()
  if (Buffer.compare(sha256(block), leaf.digest) !== 0) return damaged(OTHER_CONTENT)
  if (before === after) trust.remember(leaf.entry, before, isSettled(stats, now))
  return { state: 'good', block }
}

/** One of many, and its block is the file's bytes as they are. */
function isSmall({ layout }: Source, leaf: LeafPlace): boolean {
  const { entries } = layout.manifest
  if (entries.length < MANY_FILES || blockLength(leaf) > leaf.size) return false
  return sizeOf(entries[leaf.entry]) < SMALL_BYTES
}

/** A pipe or device in the file's place must not block the open. */
function openSource(file: string): Promise<FileHandle> {
  return open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
}

function sizeOf(entry: TreeEntry | undefined): number {
  return entry?.kind === 'file' ? entry.size : -1
}

/** What is known of one record and its file. */
interface Trust {
  /** The file has the stamp it had when it was last hashed. */
  unchanged(entry: number, stamp: string): boolean
  /** And this record was hashed in that state. */
  hashed(entry: number, stamp: string): boolean
  /** The stamp that the file had when this record was hashed, if it is known. */
  stamp(entry: number): string | undefined
  remember(entry: number, stamp: string, settled: boolean): void
}

const NO_TRUST: Trust = {
  unchanged: () => false,
  hashed: () => false,
  stamp: () => undefined,
  remember: () => undefined,
}

/** Which records of a share were hashed since the start, and the stamps that their files had then. */
class Checks {
  readonly #length: number
  #hashed: Bitfield
  readonly #stamps = new Map<number, string>()

  constructor(length: number) {
    this.#length = length
    this.#hashed = new Bitfield(length)
  }

  of(record: number): Trust {
    const unchanged = (entry: number, stamp: string) => this.#stamps.get(entry) === stamp
    return {
      unchanged,
      hashed: (entry, stamp) => unchanged(entry, stamp) && this.#hashed.has(record),
      stamp: (entry) => (this.#hashed.has(record) ? this.#stamps.get(entry) : undefined),
      remember: (entry, stamp, settled) => this.#remember(record, entry, stamp, settled),
    }
  }

  /** All records of this entry's file were hashed; `settled` says whether that can be relied on. */
  settle(entry: number, stamp: string, settled: boolean): void {
    if (settled && this.#stamps.size < REMEMBERED_FILES) this.#stamps.set(entry, stamp)
  }

  /** The record belongs to this entry: if its file is settled, so is the record. */
  trust(record: number, entry: number | undefined): void {
    if (entry !== undefined && this.#stamps.has(entry)) this.#hashed.add(record)
  }

  /** A file in another state than before takes the whole share's trust with it: simple, and hashing is cheap. */
  #remember(record: number, entry: number, stamp: string, settled: boolean): void {
    const known = this.#stamps.get(entry)
    const full = known === undefined && this.#stamps.size >= REMEMBERED_FILES
    if (full || (known !== undefined && known !== stamp)) {
      this.#hashed = new Bitfield(this.#length)
      this.#stamps.clear()
    }
    this.#stamps.set(entry, stamp)
    if (settled) this.#hashed.add(record)
  }
}
