/** The digests of a CID's leaves, made while a torrent's pieces come. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { mkdir, open, readFile, rm, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { CHUNK_BYTES } from '../../src/content/hashing/files.ts'
import { importPath } from '../../src/content/import.ts'
import { TorrentLeaves } from '../../src/node/torrent-leaves.ts'
import { layOut } from '../../src/torrent/layout.ts'
import { selectFiles } from '../../src/torrent/selection.ts'
import { TorrentSpace } from '../../src/torrent/torrent-space.ts'
import { noise } from '../e2e/trees.ts'
import { temporary } from './content-trees.ts'

/** Files that begin and end anywhere in pieces and leaves; the small ones are left to the end. */
const SIZES: Readonly<Record<string, number>> = {
  'a.bin': 5 * CHUNK_BYTES + 12_345,
  'docs/small': 70_001,
  'docs/empty': 0,
  'docs/one': CHUNK_BYTES,
  'docs/part': 600_000,
  'z.bin': 27 * CHUNK_BYTES + 1,
}

/** In another order than they lie. */
const shuffled = (pieces: number): number[] =>
  Array.from({ length: pieces }, (_, at) => at).sort(
    (one, other) => ((one * 7919) % 97) - ((other * 7919) % 97),
  )

interface Stage {
  readonly top: string
  readonly space: TorrentSpace
  readonly contents: ReadonlyMap<string, Uint8Array>
  readonly leaves: TorrentLeaves
  /** Entries that were read. */
  readonly lent: number[]
  /** Writes a piece to its files. */
  write(piece: number): Promise<void>
}

async function stage(
  t: TestContext,
  pieceLength: number,
  { padded = false, only = [] }: { padded?: boolean; only?: readonly string[] } = {},
): Promise<Stage> {
  const top = join(await temporary(t), 'tree')
  const listed = Object.entries(SIZES).map(([path, size]) => ({ path, size, symlink: undefined }))
  const { files, length, pieces } = layOut(listed, pieceLength, padded)
  const info = {
    name: 'tree',
    version: 'v1' as const,
    pieceLength,
    pieces,
    length,
    isPrivate: false,
    files: files.map(({ path, size, start }) => {
      return { path, size, start, root: undefined, symlink: undefined, executable: false }
    }),
    sha1s: new Uint8Array(20 * pieces),
    hashes: { v1: new Uint8Array(20), v2: undefined },
  }
  const space = new TorrentSpace(info, selectFiles(info, only))
  const contents = new Map(Object.entries(SIZES).map(([path, size], seed) => [path, noise(size, seed)]))
  const pathOf = (entry: number): string => join(top, space.entries[entry]?.path ?? '')
  for (const [entry, { kind }] of space.entries.entries()) {
    if (kind !== 'file') continue
    await mkdir(dirname(pathOf(entry)), { recursive: true })
    await using file = await open(pathOf(entry), 'w')
    await file.truncate(SIZES[space.entries[entry]?.path ?? ''])
  }
  const lent: number[] = []
  const lend = async <T>(entry: number, work: (fd: number) => Promise<T>): Promise<T> => {
    lent.push(entry)
    await using file = await open(pathOf(entry), 'r')
    return await work(file.fd)
  }
  const leaves = new TorrentLeaves(space, { lend }, (line) => t.diagnostic(line))
  t.after(() => leaves.end())
  const write = async (piece: number): Promise<void> => {
    for (const run of space.runs(piece)) {
      if (run.kind !== 'file') continue
      const content = contents.get(space.entries[run.entry]?.path ?? '') ?? new Uint8Array(0)
      await using file = await open(pathOf(run.entry), 'r+')
      await file.write(content, run.offset, run.length, run.offset)
    }
  }
  return { top, space, contents, leaves, lent, write }
}

function assertKnown({ contents, leaves }: Stage, path: string, isKnown = (_leaf: number) => true): void {
  const content = contents.get(path) ?? new Uint8Array(0)
  const known = leaves.known(path, content.length)
  for (let leaf = 0; leaf * CHUNK_BYTES < content.length; leaf++) {
    const bytes = content.subarray(leaf * CHUNK_BYTES, (leaf + 1) * CHUNK_BYTES)
    const digest = known?.(leaf)
    assert.equal(
      digest && Buffer.from(digest).toString('hex'),
      isKnown(leaf) ? hash('sha256', bytes) : undefined,
      `leaf ${leaf} of ${path}`,
    )
  }
}

/** Of a piece that is of one file: which, and the digests of its leaves. */
function digestsOf({ space, contents }: Stage, piece: number): { path: string; digests: Uint8Array } {
  const [run] = space.runs(piece)
  if (run?.kind !== 'file') throw new Error(`piece ${piece} is of no file`)
  const path = space.entries[run.entry]?.path ?? ''
  const bytes = (contents.get(path) ?? new Uint8Array(0)).subarray(run.offset, run.offset + run.length)
  const digests = Array.from({ length: Math.ceil(bytes.length / CHUNK_BYTES) }, (_, at) =>
    hash('sha256', bytes.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES), 'buffer'),
  )
  return { path, digests: Buffer.concat(digests) }
}

const imported = async (path: string, known?: Parameters<typeof importPath>[1]['known']): Promise<string> => {
  const sink = { putNode: async () => {} }
  const { root } = await importPath(path, { sink, ...(known !== undefined && { known }) })
  return root.toString()
}

describe('leaves of a torrent on its way', () => {
  for (const [what, pieceLength, padded] of [
    ['smaller than a leaf', 256 << 10, false],
    ['of an odd part of a leaf', 48 << 10, false],
    ['larger than a leaf', 4 << 20, false],
    ['larger than a leaf, with pads between files', 4 << 20, true],
    ['as large as a leaf', 1 << 20, false],
  ] as const)
    test(`are all known once all pieces are written, of pieces ${what}`, async (t) => {
      const set = await stage(t, pieceLength, { padded })
      for (const piece of shuffled(set.space.length)) {
        await set.write(piece)
        set.leaves.stored(piece)
      }
      await set.leaves.settle()
      for (const path of ['a.bin', 'docs/one', 'docs/part', 'z.bin']) assertKnown(set, path)
      assert.equal(set.leaves.known('docs/small', SIZES['docs/small'] ?? 0), undefined)
      assert.equal(
        await imported(set.top, (path, size) => set.leaves.known(path, size)),
        await imported(set.top),
      )
    })

  test('are not known where a piece is from a former run, and read at the end', async (t) => {
    const set = await stage(t, 256 << 10)
    const former = 4
    for (const piece of shuffled(set.space.length)) {
      await set.write(piece)
      if (piece >= former) set.leaves.stored(piece)
    }
    await set.leaves.settle()
    assertKnown(set, 'z.bin')
    assert.equal(set.leaves.known('a.bin', SIZES['a.bin'] ?? 0)?.(0), undefined)
    const whole = await imported(set.top)
    assert.equal(await imported(set.top, (path, size) => set.leaves.known(path, size)), whole)
  })

  const all = ['a.bin', 'docs/one', 'docs/part', 'z.bin']
  for (const [pieceLength, expected] of [
    // packed, only the first file lies on borders of pieces
    [1 << 20, { padded: all, packed: ['a.bin'] }],
    [4 << 20, { padded: all, packed: ['a.bin'] }],
    // a last leaf may be shorter than a piece
    [256 << 10, { padded: ['a.bin', 'z.bin'], packed: [] }],
    [48 << 10, { padded: ['z.bin'], packed: [] }],
  ] as const)
    for (const padded of [true, false])
      test(`are learnt of pieces that hold nothing else, of ${pieceLength >> 10} KiB, ${padded ? 'padded' : 'packed'}`, async (t) => {
        const set = await stage(t, pieceLength, { padded })
        const told = new Set<string>()
        for (const piece of shuffled(set.space.length)) {
          await set.write(piece)
          if (set.leaves.areAllOf(piece)) {
            const { path, digests } = digestsOf(set, piece)
            set.leaves.learn(piece, digests)
            told.add(path)
          }
          set.leaves.stored(piece)
        }
        await set.leaves.settle()
        for (const path of all) assertKnown(set, path)
        assert.deepEqual([...told].sort(), padded ? expected.padded : expected.packed)
        if (padded && pieceLength >= CHUNK_BYTES) assert.deepEqual(set.lent, [])
      })

  test('are those of the chosen files', async (t) => {
    const set = await stage(t, 4 << 20, { only: ['a.bin', 'z.bin'] })
    for (let piece = 0; piece < set.space.length; piece++) {
      await set.write(piece)
      set.leaves.stored(piece)
    }
    await set.leaves.settle()
    assertKnown(set, 'a.bin')
    assertKnown(set, 'z.bin')
    assert.equal(set.leaves.known('docs/one', SIZES['docs/one'] ?? 0), undefined)
  })

  test('are left to the end where their file cannot be read, and where it is of another size', async (t) => {
    const set = await stage(t, 1 << 20)
    const gone = join(set.top, 'docs/one')
    const short = join(set.top, 'a.bin')
    const content = await readFile(short)
    for (let piece = 0; piece < set.space.length; piece++) await set.write(piece)
    await rm(gone)
    await truncate(short, content.length - 1)
    for (let piece = 0; piece < set.space.length; piece++) set.leaves.stored(piece)
    await set.leaves.settle()
    assertKnown(set, 'docs/one', () => false)
    assertKnown(set, 'a.bin', (leaf) => leaf < 4)
    assertKnown(set, 'z.bin')
    assert.equal(set.leaves.known('z.bin', 3), undefined)
  })

  test('are not read any more once that is over', async (t) => {
    const set = await stage(t, 1 << 20)
    await set.leaves.end()
    for (let piece = 0; piece < set.space.length; piece++) set.leaves.stored(piece)
    await set.leaves.settle()
    assert.deepEqual(set.lent, [])
  })
})
