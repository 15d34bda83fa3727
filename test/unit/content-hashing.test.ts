/** Chunks hashed four at once, and by other threads. */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Lanes } from '../../src/content/hashing/lanes.ts'
import { CHUNK_BYTES, HashThreads } from '../../src/content/hashing/threads.ts'
import { importPath } from '../../src/content/import.ts'
import { seededBytes, temporary } from './content-trees.ts'

const bytes = (size: number, seed: string): Buffer => Buffer.concat([...seededBytes(size, seed)])

const digestsOf = (content: Uint8Array, chunk = CHUNK_BYTES): string[] =>
  Array.from({ length: Math.ceil(content.length / chunk) }, (_, at) =>
    hash('sha256', content.subarray(at * chunk, (at + 1) * chunk)),
  )

const hex = (digests: Uint8Array): string[] => Buffer.from(digests).toString('hex').match(/.{64}/g) ?? []

describe('four lanes', () => {
  for (const chunk of [64, 128, 4096, CHUNK_BYTES]) {
    test(`make the digests of four chunks of ${chunk} bytes, again and again`, () => {
      const lanes = new Lanes(chunk)
      for (const seed of ['one', 'two']) {
        lanes.chunks.set(bytes(4 * chunk, seed))
        assert.deepEqual(hex(lanes.digests()), digestsOf(lanes.chunks, chunk))
      }
    })
  }

  test('take whole blocks only', () => {
    for (const chunk of [0, 63, 65, -64]) assert.throws(() => new Lanes(chunk), RangeError)
  })
})

describe('the threads that hash', () => {
  const sizes = [1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 7, 8 * CHUNK_BYTES, 37 * CHUNK_BYTES + 5]

  for (const size of sizes) {
    test(`make the digests of ${size} bytes in order`, async (context) => {
      await using threads = new HashThreads()
      const content = bytes(size, 'content')
      const path = join(await temporary(context), 'file')
      await writeFile(path, content)
      await using file = await open(path)
      assert.deepEqual(await all(threads, file.fd, size), digestsOf(content))
    })
  }

  test('tell of a file that is shorter than it was', async (context) => {
    await using threads = new HashThreads()
    const path = join(await temporary(context), 'file')
    await writeFile(path, bytes(20 * CHUNK_BYTES, 'content'))
    await truncate(path, 9 * CHUNK_BYTES)
    await using file = await open(path)
    assert.equal(await all(threads, file.fd, 20 * CHUNK_BYTES), undefined)
  })

  test('pass on what reading throws, with its code', async (context) => {
    await using threads = new HashThreads()
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

async function all(threads: HashThreads, file: number, size: number): Promise<string[] | undefined> {
  const found: string[] = []
  for await (const digests of threads.digests(file, size)) {
    if (digests === undefined) return undefined
    found.push(...hex(digests))
  }
  return found
}
