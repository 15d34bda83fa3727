import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { UnixFS } from 'ipfs-unixfs'
import { importBytes } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { trickle } from 'ipfs-unixfs-importer/layout'
import type { CID } from 'multiformats/cid'
import { readFile } from '../../src/content/file.ts'
import { importPath } from '../../src/content/import.ts'
import { nameProblem } from '../../src/content/safe-names.ts'
import { decodeUnixfs, encodeUnixfs } from '../../src/content/unixfs-data.ts'
import { RAW } from '../../src/core/cid.ts'
import { createPrng } from '../../src/core/prng.ts'
import { Blocks, identity, rebuilt, walked } from '../unit/content-dags.ts'
import { type TreeSpec, writeTree } from '../unit/content-trees.ts'
import fc from './seeded.ts'

/** Gives blocks in an order that a seed shuffles: each fetch waits for a random number of turns. */
function shuffled(blocks: Blocks, seed: number): (cid: CID) => Promise<Uint8Array> {
  const prng = createPrng(seed)
  return async (cid) => {
    for (let turns = prng.below(20); turns > 0; turns--) await null
    return blocks.fetch(cid)
  }
}

const fileNames = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((name) => nameProblem(name) === undefined && !/[A-Z]/.test(name))
const content = fc.oneof(
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  // few distinct chunks, so that leaves repeat
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 3 * 2 ** 18 + 9 }), fc.integer({ min: 0, max: 2 }))
      .map(([size, byte]) => Buffer.alloc(size, byte)),
  },
)
const { tree } = fc.letrec<{ tree: TreeSpec; value: TreeSpec[string] }>((tie) => ({
  tree: fc.dictionary(fileNames, tie('value'), { maxKeys: 6, noNullPrototype: true }),
  value: fc.oneof({ depthSize: 'small' }, content, content, tie('tree')),
}))

function flattened(spec: TreeSpec, path = ''): Record<string, string> {
  const below = Object.entries(spec).map(([name, value]) => {
    const at = path === '' ? name : `${path}/${name}`
    return value instanceof Uint8Array
      ? { [at]: `file ${Buffer.from(value).toString('latin1')}` }
      : flattened(value as TreeSpec, at)
  })
  return Object.assign({ [path]: 'directory' }, ...below)
}

test('a tree that is imported, walked and rebuilt is the same tree, whatever order nodes arrive in', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'share-content-'))
  let run = 0
  const property = fc.asyncProperty(
    tree,
    fc.constantFrom('unixfs-v1-2025', 'unixfs-v0-2015'),
    fc.nat(),
    async (spec, profile, seed) => {
      const path = join(directory, `${run++}`)
      writeTree(path, spec)
      const blocks = new Blocks()
      const { root } = await importPath(path, { profile, sink: { putNode: blocks.put, putLeaf: blocks.put } })
      const first = await walked(root, { fetchNode: blocks.fetch })
      assert.deepEqual(rebuilt(first, blocks), flattened(spec))
      assert.deepEqual(
        await walked(root, { fetchNode: shuffled(blocks, seed), lookAhead: (seed % 7) + 1 }),
        first,
      )
      rmSync(path, { recursive: true })
    },
  )
  try {
    await fc.assert(property, { numRuns: 60 })
  } finally {
    rmSync(directory, { recursive: true })
  }
})

interface Shape {
  readonly data: string
  readonly below: readonly (Shape | string)[]
}

/** Hand-made files: data in inner nodes, leaves of every kind, trees of any form. */
const { shape } = fc.letrec<{ shape: Shape; part: Shape | string }>((tie) => ({
  shape: fc.record({
    data: fc.string({ unit: 'binary-ascii', maxLength: 4 }),
    below: fc.array(tie('part'), { maxLength: 5 }),
  }),
  part: fc.oneof(
    { depthSize: 'medium' },
    fc.string({ unit: fc.constantFrom('x', 'y'), maxLength: 3 }),
    tie('shape'),
  ),
}))

function made(blocks: Blocks, { data, below }: Shape): { cid: CID; bytes: string } {
  const parts = below.map((part, at): { cid: CID; bytes: string; tsize?: number } => {
    if (typeof part !== 'string') return made(blocks, part)
    const kind = (part.length + at) % 3
    if (kind === 0) return { cid: identity(RAW, part), bytes: part }
    const cid = kind === 1 ? blocks.raw(part) : blocks.file({ data: part })
    return { cid, bytes: part, tsize: blocks.size(cid) }
  })
  const links = parts.map(({ cid, bytes, tsize }) => ({ cid, size: bytes.length, tsize }))
  return { cid: blocks.file({ data, links }), bytes: data + parts.map(({ bytes }) => bytes).join('') }
}

test('any hand-made file is walked and read to the same bytes, in any order of arrival', async () => {
  const property = fc.asyncProperty(
    shape,
    fc.nat(),
    fc.nat(40),
    fc.nat(40),
    async (spec, seed, first, length) => {
      const blocks = new Blocks()
      const { cid, bytes } = made(blocks, spec)
      const result = await walked(cid, { fetchNode: blocks.fetch })
      assert.deepEqual(rebuilt(result, blocks), { '': `file ${bytes}` })
      assert.deepEqual(await walked(cid, { fetchNode: shuffled(blocks, seed) }), result)
      const range = { first, last: first + length }
      const read = await Array.fromAsync(
        readFile(cid, { getBlock: shuffled(blocks, seed), range, readAhead: (seed % 4) + 1 }),
      )
      assert.equal(Buffer.concat(read).toString('latin1'), bytes.slice(first, first + length + 1))
    },
  )
  await fc.assert(property, { numRuns: 300 })
})

test('trickle DAGs, with raw and with wrapped leaves', async () => {
  const property = fc.asyncProperty(
    fc.uint8Array({ minLength: 1, maxLength: 600 }),
    fc.boolean(),
    async (bytes, rawLeaves) => {
      const blocks = new Blocks()
      const store = {
        put: async (cid: CID, block: unknown) => blocks.put(cid, block as Uint8Array).then(() => cid),
      }
      const layout = trickle({ maxChildrenPerNode: 3, layerRepeat: 2 })
      const { cid } = await importBytes(bytes, store, {
        rawLeaves,
        layout,
        chunker: fixedSize({ chunkSize: 7 }),
      })
      const result = await walked(cid, { fetchNode: blocks.fetch })
      assert.deepEqual(rebuilt(result, blocks), { '': `file ${Buffer.from(bytes).toString('latin1')}` })
      assert.equal(
        result.events.some(({ type }) => type === 'inline'),
        !rawLeaves && bytes.length <= 7,
      )
    },
  )
  await fc.assert(property, { numRuns: 100 })
})

test('UnixFS data is written as the ipfs-unixfs package does, and read back', () => {
  const property = fc.property(
    fc.constantFrom('file', 'raw', 'directory', 'symlink', 'hamt-sharded-directory'),
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    // the package writes sizes from 2 GiB to 4 GiB wrong; eight of these stay below
    fc.array(fc.nat(2 ** 28 - 100), { maxLength: 7 }),
    fc.option(fc.integer({ min: 1, max: 4096 }), { nil: undefined }),
    (type, data, blockSizes, fanout) => {
      const shard = fanout === undefined ? undefined : { fanout: BigInt(fanout), hashType: 0x22n }
      const theirs = new UnixFS({ type, data, blockSizes: blockSizes.map(BigInt), ...shard })
      const fileSize = type === 'file' || type === 'raw' ? Number(theirs.fileSize()) : undefined
      const fields = {
        type,
        data,
        blockSizes,
        fileSize,
        fanout,
        hashType: fanout === undefined ? undefined : 0x22,
      } as const
      const bytes = encodeUnixfs(fields)
      assert.deepEqual(bytes, Uint8Array.from(theirs.marshal()))
      assert.deepEqual(decodeUnixfs(bytes), fields)
    },
  )
  fc.assert(property, { numRuns: 300 })
})

test('UnixFS sizes of every width are read back', () => {
  const fields = (size: number) =>
    ({
      type: 'file',
      data: new Uint8Array(0),
      fileSize: size,
      blockSizes: [size],
      fanout: undefined,
      hashType: undefined,
    }) as const
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(53), (wide, bits) => {
      const size = Math.floor(wide / 2 ** bits)
      assert.deepEqual(decodeUnixfs(encodeUnixfs(fields(size))), fields(size))
    }),
  )
})

test('no bytes make the decoder do anything but answer or throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        assert.ok(decodeUnixfs(bytes).data.length <= bytes.length)
      } catch (thrown) {
        assert.ok(
          thrown instanceof Error && !(thrown instanceof RangeError) && !(thrown instanceof TypeError),
        )
      }
    }),
    { numRuns: 2000 },
  )
})
