/** Chunks hashed four at once, and by other threads. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { CHUNK_BYTES, chunkOf, FileHasher, type KnownDigests } from '../../src/content/hashing/files.ts'
import { Lanes } from '../../src/content/hashing/lanes.ts'
import { PieceHasher } from '../../src/content/hashing/pieces.ts'
import { SHA1 } from '../../src/content/hashing/sha1-code.ts'
import { importPath } from '../../src/content/import.ts'
import { seededBytes, temporary } from './content-trees.ts'

const bytes = (size: number, seed: string): Buffer => Buffer.concat([...seededBytes(size, seed)])

const digestsOf = (content: Uint8Array, chunk = CHUNK_BYTES): string[] =>
  Array.from({ length: Math.ceil(content.length / chunk) }, (_, at) =>
    hash('sha256', content.subarray(at * chunk, (at + 1) * chunk)),
  )

const hex = (digests: Uint8Array): string[] => Buffer.from(digests).toString('hex').match(/.{64}/g) ?? []

describe('four lanes', () => {
  const lanes = new Lanes()

  for (const length of [64, 128, 4096, 65_536, 65_600, CHUNK_BYTES]) {
    test(`make the digests of four messages of ${length} bytes, again and again`, () => {
      for (const seed of ['one', 'two']) {
        const messages = bytes(4 * length, seed)
        const digests = lanes.digests(length, (lane, at, into) => {
          into.set(messages.subarray(lane * length + at).subarray(0, into.length))
          return true
        })
        assert.deepEqual(hex(digests ?? Buffer.alloc(0)), digestsOf(messages, length))
      }
    })
  }

  test('make none where a message ends too soon', () => {
    const digests = lanes.digests(CHUNK_BYTES, (lane, at) => lane < 3 || at < 65_536)
    assert.equal(digests, undefined)
  })

  test('take whole blocks only', () => {
    for (const length of [1, 63, 65]) assert.throws(() => lanes.digests(length, () => true), RangeError)
  })
})

describe('four lanes of SHA-1', () => {
  const lanes = new Lanes(SHA1)

  for (const length of [64, 16_384, 65_600, CHUNK_BYTES]) {
    test(`make the digests of four messages of ${length} bytes, again and again`, () => {
      for (const seed of ['one', 'two']) {
        const messages = bytes(4 * length, seed)
        const four = [0, 1, 2, 3].map((at) => messages.subarray(at * length, (at + 1) * length))
        const expected = four.map((message) => hash('sha1', message, 'buffer'))
        assert.deepEqual(lanes.digestsOf(four), expected)
        assert.deepEqual(lanes.digestsOf(four.slice(0, 3)), expected.slice(0, 3))
      }
    })
  }
})

describe('the threads that hash', () => {
  const sizes = [1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 7, 8 * CHUNK_BYTES, 37 * CHUNK_BYTES + 5]

  for (const size of sizes) {
    test(`make the digests of ${size} bytes in order`, async (context) => {
      await using threads = new FileHasher()
      const content = bytes(size, 'content')
      const path = join(await temporary(context), 'file')
      await writeFile(path, content)
      await using file = await open(path)
      assert.deepEqual(await all(threads, file.fd, size), digestsOf(content))
    })
  }

  test('read what is not known alone, and put it in its place', async (context) => {
    await using threads = new FileHasher(1)
    const size = 21 * CHUNK_BYTES + 5
    const content = bytes(size, 'content')
    const path = join(await temporary(context), 'file')
    await writeFile(path, content)
    await using file = await open(path)
    const digests = digestsOf(content).map((digest) => Buffer.from(digest, 'hex'))
    const known = (chunk: number): Uint8Array | undefined => (chunk % 3 === 1 ? undefined : digests[chunk])
    assert.deepEqual(await all(threads, file.fd, size, known), digestsOf(content))
    const nothing = -1
    assert.deepEqual(await all(threads, nothing, size, (chunk) => digests[chunk]), digestsOf(content))
  })

  test('hash any chunks in the order in which they are named', async (context) => {
    await using threads = new FileHasher(1)
    const content = bytes(6 * CHUNK_BYTES + 9, 'content')
    const path = join(await temporary(context), 'file')
    await writeFile(path, content)
    await using file = await open(path)
    const order = [6, 0, 3, 1, 5]
    const chunks = order.map((chunk) => chunkOf(content.length, chunk))
    const digests = await threads.hash({ file: file.fd, chunks })
    assert.deepEqual(
      hex(digests ?? Buffer.alloc(0)),
      order.map((chunk) => digestsOf(content)[chunk]),
    )
  })

  test('tell of a file that is shorter than it was', async (context) => {
    await using threads = new FileHasher()
    const path = join(await temporary(context), 'file')
    await writeFile(path, bytes(20 * CHUNK_BYTES, 'content'))
    await truncate(path, 9 * CHUNK_BYTES)
    await using file = await open(path)
    assert.equal(await all(threads, file.fd, 20 * CHUNK_BYTES), undefined)
  })

  test('pass on what reading throws, with its code', async (context) => {
    await using threads = new FileHasher()
    await using file = await open(await temporary(context))
    await assert.rejects(all(threads, file.fd, CHUNK_BYTES), { code: 'EISDIR' })
  })

  test('end with an import, however that ends', async (context) => {
    const path = join(await temporary(context), 'file')
    await writeFile(path, bytes(40 * CHUNK_BYTES, 'content'))
    const stopped = new AbortController()
    const importing = importPath(path, {
      sink: { putNode: async () => {} },
      signal: stopped.signal,
      onProgress: () => stopped.abort(),
    })
    await assert.rejects(importing, { code: 'INTERRUPTED' })
    // threads that lived on would keep this process from ending
  })
})

describe('the thread that hashes pieces', () => {
  /** A piece in a larger buffer of its own. */
  const pieceOf = (size: number, seed: string): Uint8Array<ArrayBuffer> => {
    const piece = new Uint8Array(new ArrayBuffer(2 * CHUNK_BYTES), 0, size)
    piece.set(bytes(size, seed))
    return piece
  }

  async function assertHashed(hasher: PieceHasher, size: number, seed: string): Promise<void> {
    const { piece, digest } = await hasher.hash(pieceOf(size, seed))
    assert.deepEqual(piece, pieceOf(size, seed))
    assert.equal(Buffer.from(digest).toString('hex'), hash('sha256', piece))
  }

  test('gives each piece back with its own digest, however many come at once and of whatever size', async () => {
    const hasher = new PieceHasher()
    const many = Array<number>(9).fill(CHUNK_BYTES)
    const sizes = [...many, 1, CHUNK_BYTES - 1, 300_000, ...many, 2 * CHUNK_BYTES]
    await Promise.all(sizes.map((size, at) => assertHashed(hasher, size, `piece ${at}`)))
  })

  test('takes further pieces when all are done', async () => {
    const hasher = new PieceHasher()
    for (const seed of ['one', 'two', 'three']) await assertHashed(hasher, CHUNK_BYTES, seed)
  })
})

async function all(
  threads: FileHasher,
  file: number,
  size: number,
  known?: KnownDigests,
): Promise<string[] | undefined> {
  const found: string[] = []
  for await (const digests of threads.digests(file, size, known)) {
    if (digests === undefined) return undefined
    found.push(...hex(digests))
  }
  return found
}
