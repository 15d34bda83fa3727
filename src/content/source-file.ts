/**
 * Reads a user's file for import: large positioned reads into two buffers in turn, one being filled while the other is hashed.
 * The file must be the same before and after, or what was hashed is nothing that can be served.
 */
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { errno, ShareError } from '../core/errors.ts'
import type { FileHasher, KnownDigests } from './hashing/files.ts'
import { DIGEST_BYTES } from './hashing/lanes.ts'

/** Bytes of one read of a long file, a multiple of every chunk size; and of a file of one chunk. */
const LONG_READ = 4 * 2 ** 20
const SHORT_READ = 2 ** 20

/** Read buffers that are used again; every user gives back what it took. */
export class ReadBuffers {
  readonly #free: Buffer[] = []

  take(bytes: number): Buffer {
    const room = bytes <= SHORT_READ ? SHORT_READ : LONG_READ
    const found = this.#free.findIndex((buffer) => buffer.length === room)
    return (found === -1 ? undefined : this.#free.splice(found, 1)[0]) ?? Buffer.allocUnsafeSlow(room)
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer)
  }
}

/** Buffers that are never used again, for content that somebody keeps. */
export const FRESH_BUFFERS: Pick<ReadBuffers, 'take' | 'give'> = {
  take: (bytes) => Buffer.allocUnsafeSlow(Math.min(bytes, LONG_READ)),
  give: () => {},
}

// a link or pipe that took the file's place since it was listed must neither be followed nor waited for
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** The state of a file that was hashed, and when that began, in ms since 1970. */
export interface HashedFile {
  readonly stats: BigIntStats
  readonly at: number
}

export interface SourceFile {
  /** Bytes. */
  readonly size: number
  /** For when all of it was read, and `checkUnchanged` has passed. */
  readonly hashed: HashedFile
  /** Chunks of exactly `chunkSize` bytes, the last one apart; none of an empty file. One is valid until the next is asked for, save with `FRESH_BUFFERS`. */
  chunks(chunkSize: number, buffers: Pick<ReadBuffers, 'take' | 'give'>): AsyncGenerator<Uint8Array>
  /** SHA-256 digests of its chunks of 1 MiB, in order, made by other threads where they are not known. */
  digests(threads: FileHasher, known?: KnownDigests): AsyncGenerator<Uint8Array>
  /** @throws ShareError SOURCE_CHANGED when the file is not what it was when opened */
  checkUnchanged(): Promise<void>
  close(): Promise<void>
}

/** @throws ShareError UNREADABLE, SOURCE_CHANGED, IO, naming the file */
export async function openSource(path: string): Promise<SourceFile> {
  const handle = await open(path, OPEN_FLAGS).catch((thrown: unknown) =>
    Promise.reject(sourceError(path, thrown)),
  )
  try {
    const before = await handle.stat({ bigint: true })
    if (!before.isFile()) throw sourceChanged(path)
    const size = Number(before.size)
    return {
      size,
      hashed: { stats: before, at: Date.now() },
      chunks: (chunkSize, buffers) => readChunks({ handle, path, size, buffers }, chunkSize),
      digests: (threads, known) => readDigests({ handle, path, size }, threads, known),
      checkUnchanged: async () => {
        if (!same(before, await handle.stat({ bigint: true }))) throw sourceChanged(path)
      },
      close: () => handle.close(),
    }
  } catch (thrown) {
    await handle.close()
    throw sourceError(path, thrown)
  }
}

interface Reading {
  readonly handle: FileHandle
  readonly path: string
  readonly size: number
  readonly buffers: Pick<ReadBuffers, 'take' | 'give'>
}

async function* readDigests(
  { handle, path, size }: Omit<Reading, 'buffers'>,
  threads: FileHasher,
  known: KnownDigests | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const digests of threads.digests(handle.fd, size, known)) {
      if (digests === undefined) throw sourceChanged(path)
      for (let at = 0; at < digests.length; at += DIGEST_BYTES) yield digests.subarray(at, at + DIGEST_BYTES)
    }
  } catch (thrown) {
    throw sourceError(path, thrown)
  }
}

async function* readChunks(reading: Reading, chunkSize: number): AsyncGenerator<Uint8Array> {
  const { path, size, buffers } = reading
  let filling = fill(reading, 0)
  let at = 0
  try {
    while (at < size) {
      const bytes = await filling
      const next = at + bytes.length
      filling = fill(reading, next)
      // it is awaited only after the present bytes are used up
      filling.catch(() => {})
      for (let start = 0; start < bytes.length; start += chunkSize)
        yield bytes.subarray(start, start + chunkSize)
      buffers.give(Buffer.from(bytes.buffer))
      at = next
    }
  } catch (thrown) {
    throw sourceError(path, thrown)
  } finally {
    // the handle may be closed only when nothing reads from it
    await filling.catch(() => {})
  }
}

/** The bytes from `at`, as many as one read takes; none at the end. */
async function fill({ handle, path, size, buffers }: Reading, at: number): Promise<Buffer> {
  const wanted = Math.min(LONG_READ, size - at)
  if (wanted === 0) return Buffer.alloc(0)
  const buffer = buffers.take(size)
  let got = 0
  while (got < wanted) {
    const { bytesRead } = await handle.read(buffer, got, wanted - got, at + got)
    if (bytesRead === 0) throw sourceChanged(path)
    got += bytesRead
  }
  return buffer.subarray(0, wanted)
}

function same(before: BigIntStats, after: BigIntStats): boolean {
  return before.size === after.size && before.mtimeNs === after.mtimeNs && before.ctimeNs === after.ctimeNs
}

function sourceChanged(path: string): ShareError {
  return new ShareError(
    'SOURCE_CHANGED',
    `${path} changed while it was read`,
    'add it again when nothing writes to it',
  )
}

/** What went wrong with a path that was there a moment ago, for a person, naming it. */
export function sourceError(path: string, thrown: unknown): ShareError {
  if (thrown instanceof ShareError) return thrown
  switch (errno(thrown)) {
    case 'EACCES':
    case 'EPERM':
      return new ShareError(
        'UNREADABLE',
        `cannot read ${path}: permission denied`,
        'check the permissions of the file and its directory',
        { cause: thrown },
      )
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENXIO':
      return new ShareError(
        'SOURCE_CHANGED',
        `${path} changed or vanished while it was added`,
        'add it again when nothing writes to it',
        { cause: thrown },
      )
    default:
      return ShareError.from(thrown, `read ${path}`)
  }
}
