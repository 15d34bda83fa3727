/** A tree that lies on the disk already, held against a torrent: read only, and nothing is followed out of it. */
import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Bitfield } from '../core/bitfield.ts'
import { errno, ShareError } from '../core/errors.ts'
import { pathOf } from './file-blocks.ts'
import { OpenFiles } from './open-files.ts'
import { readFully } from './positioned.ts'
import type { Checking, TorrentTree } from './torrent-types.ts'

const OPEN_FILES = 64

const NO_FOLLOW = constants.O_NOFOLLOW ?? 0

export interface FoundTree {
  /** Pieces that are there, and right. */
  readonly have: Bitfield
  /** Paths that the torrent does not have, below the top; and files that are longer than the torrent's. */
  readonly foreign: readonly string[]
  readonly longer: readonly string[]
}

/** Reads everything. @throws ShareError UNREADABLE, IO; the signal's reason */
export async function checkTree(base: string, tree: TorrentTree, checking: Checking): Promise<FoundTree> {
  const sizes = await sizesOf(base, tree)
  const have = new Bitfield(tree.length)
  const files = new OpenFiles(OPEN_FILES)
  try {
    for (let piece = 0; piece < tree.length; piece++) {
      checking.signal?.throwIfAborted()
      if (await isRight(base, tree, piece, { sizes, files, checking })) have.add(piece)
      checking.onProgress?.(piece + 1)
    }
  } finally {
    await files.close()
  }
  const longer = tree.entries.flatMap((entry, at) =>
    entry.kind === 'file' && (sizes[at] ?? 0) > entry.size ? [entry.path] : [],
  )
  return { have, foreign: await foreignIn(base, tree), longer }
}

interface Looking {
  /** Of each entry's file what there is of it. */
  readonly sizes: readonly number[]
  readonly files: OpenFiles
  readonly checking: Checking
}

async function isRight(base: string, tree: TorrentTree, piece: number, looking: Looking): Promise<boolean> {
  const { sizes, files, checking } = looking
  const bytes = new Uint8Array(tree.blockSize(piece))
  let at = 0
  for (const run of tree.runs(piece)) {
    // what lies beside the files is nowhere to be found
    if (run.kind === 'border') return false
    if (run.kind === 'file') {
      if ((sizes[run.entry] ?? 0) < run.offset + run.length) return false
      const path = pathOf(base, tree.entries[run.entry])
      const into = bytes.subarray(at, at + run.length)
      const read = await files.use(
        path,
        () => open(path, constants.O_RDONLY | NO_FOLLOW),
        (handle) => readFully(handle, into, run.offset),
      )
      if (read < run.length) return false
    }
    at += run.length
  }
  return (await checking.check(piece, bytes)).right
}

async function sizesOf(base: string, { entries }: TorrentTree): Promise<number[]> {
  const sizes: number[] = []
  for (const entry of entries) sizes.push(entry.kind === 'file' ? await sizeAt(pathOf(base, entry)) : 0)
  return sizes
}

async function sizeAt(path: string): Promise<number> {
  try {
    const found = await lstat(path)
    return found.isFile() ? found.size : 0
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT' || errno(thrown) === 'ENOTDIR') return 0
    throw ShareError.from(thrown, `look at ${path}`)
  }
}

/** More are not listed. */
const MOST_FOREIGN = 5

async function foreignIn(base: string, { entries }: TorrentTree): Promise<string[]> {
  if (entries[0]?.kind !== 'directory') return []
  const known = new Map(entries.map((entry) => [entry.path, entry.kind]))
  const foreign: string[] = []
  const look = async (directory: string): Promise<void> => {
    for (const found of await readdir(join(base, directory), { withFileTypes: true })) {
      if (foreign.length === MOST_FOREIGN) return
      const path = directory === '' ? found.name : `${directory}/${found.name}`
      const kind = known.get(path)
      if (kind === undefined || (kind === 'directory') !== found.isDirectory()) foreign.push(path)
      else if (kind === 'directory') await look(path)
    }
  }
  await look('')
  return foreign
}
