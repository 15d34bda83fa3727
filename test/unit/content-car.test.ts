import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as dagCbor from '@ipld/dag-cbor'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { type CarBlock, readCar } from '../../src/content/car-reader.ts'
import { writeCar } from '../../src/content/car-writer.ts'
import { dagBlocks } from '../../src/content/dag-blocks.ts'
import { linksOf } from '../../src/content/dag-links.ts'
import { sha256 } from '../../src/content/verify.ts'
import { DAG_CBOR, RAW, SHA2_256 } from '../../src/core/cid.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { Blocks, identity } from './content-dags.ts'

const raw = (text: string): CarBlock => {
  const block = Buffer.from(text)
  return { cid: CID.createV1(RAW, Digest.create(SHA2_256, sha256(block))), block }
}

const A = raw('a')
const B = raw('bb')
const ABSENT = raw('somewhere else').cid

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}

/** Cut into chunks of so many bytes. */
async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function car(roots: readonly CID[], blocks: readonly CarBlock[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeCar(roots, each(blocks))))
}

async function read(bytes: Uint8Array, size = 7): Promise<{ roots: string[]; blocks: string[] }> {
  const { roots, blocks } = await readCar(chunked(bytes, size))
  const texts = await Array.fromAsync(
    blocks,
    ({ cid, block }) => `${cid} ${Buffer.from(block).toString('latin1')}`,
  )
  return { roots: roots.map(String), blocks: texts }
}

/** Version 2 around version 1: the pragma, the fixed header, padding, the data, an index that nobody reads. */
function version2(inner: Uint8Array, size = inner.length): Buffer {
  const fixed = Buffer.alloc(40)
  fixed.writeBigUInt64LE(64n, 16)
  fixed.writeBigUInt64LE(BigInt(size), 24)
  fixed.writeBigUInt64LE(BigInt(64 + size), 32)
  const pragma = Buffer.from('0aa16776657273696f6e02', 'hex')
  return Buffer.concat([pragma, fixed, Buffer.alloc(13), inner, Buffer.from('an index')])
}

const section = (bytes: Uint8Array): Buffer => Buffer.concat([Buffer.from([bytes.length]), bytes])

describe('a CAR file', () => {
  test('is what the specification says', async () => {
    const cid = Buffer.from(A.cid.bytes).toString('hex')
    const roots = `65726f6f747381d82a582500${cid}`
    const version = '6776657273696f6e01'
    assert.equal((await car([A.cid], [A])).toString('hex'), `3aa2${roots}${version}25${cid}61`)
    assert.equal((await car([], [])).toString('hex'), `11a265726f6f747380${version}`)
  })

  test('says what was written into it, however it is cut into chunks, in both versions', async () => {
    const content = fc
      .uint8Array({ maxLength: 300 })
      .map((bytes) => raw(Buffer.from(bytes).toString('latin1')))
    const property = fc.asyncProperty(
      fc.array(content, { maxLength: 5 }),
      fc.array(content, { maxLength: 8 }),
      fc.integer({ min: 1, max: 400 }),
      async (roots, blocks, size) => {
        const bytes = await car(
          roots.map(({ cid }) => cid),
          blocks,
        )
        const written = {
          roots: roots.map(({ cid }) => cid.toString()),
          blocks: blocks.map(({ cid, block }) => `${cid} ${Buffer.from(block).toString('latin1')}`),
        }
        assert.deepEqual(await read(bytes, size), written)
        assert.deepEqual(await read(version2(bytes), size), written)
      },
    )
    await fc.assert(property, { numRuns: 200 })
  })

  test('that is wrong is refused, and says where', async () => {
    const good = await car([A.cid], [A, B])
    const start = (await car([A.cid], [])).length
    const sha512 = CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64)))
    const table: [string, Uint8Array, ErrorCode, RegExp][] = [
      ['nothing', Buffer.alloc(0), 'BAD_CONTENT', /cut off/],
      ['a text', Buffer.from('hello, this is no CAR file at all'), 'BAD_CONTENT', /cut off/],
      ['a header without end', Buffer.alloc(20, 0xff), 'BAD_CONTENT', /no length at byte 0/],
      ['a huge header', Buffer.from('ffffffff0f', 'hex'), 'BAD_CONTENT', /header claims 4294967295 bytes/],
      ['an empty header', Buffer.from([0]), 'BAD_CONTENT', /header claims 0 bytes/],
      ['version 3', section(dagCbor.encode({ version: 3, roots: [] })), 'BAD_CONTENT', /no known version/],
      ['a list', section(dagCbor.encode([1])), 'BAD_CONTENT', /no map/],
      ['roots that are none', section(dagCbor.encode({ version: 1, roots: ['x'] })), 'BAD_CONTENT', /no CID/],
      ['deep nesting', section(Buffer.alloc(100, 0x81)), 'BAD_CONTENT', /not DAG-CBOR/],
      ['cut off in a block', good.subarray(0, -1), 'BAD_CONTENT', /cut off/],
      ['cut off in a length', Buffer.concat([good, Buffer.from([0x80])]), 'BAD_CONTENT', /cut off/],
      ['an empty section', Buffer.concat([good, Buffer.from([0])]), 'BAD_CONTENT', /claims 0 bytes/],
      [
        'a huge section',
        Buffer.concat([good, Buffer.from('ffffffffffff7f', 'hex')]),
        'BAD_CONTENT',
        /claims 562949953421311 bytes/,
      ],
      ['no CID', Buffer.concat([good, Buffer.from([2, 7, 7])]), 'BAD_CONTENT', /does not begin with a CID/],
      [
        'other bytes than the CID names',
        await car([A.cid], [A, { cid: B.cid, block: A.block }]),
        'VERIFICATION_FAILED',
        new RegExp(`at byte ${start + 38} .*${B.cid}`),
      ],
      [
        'a hash that is not known',
        await car([], [{ cid: sha512, block: A.block }]),
        'UNSUPPORTED',
        /hash function 0x13/,
      ],
      [
        'a false identity',
        await car([], [{ cid: identity(RAW, 'a'), block: B.block }]),
        'VERIFICATION_FAILED',
        /other bytes/,
      ],
      ['version 2, cut off', version2(good, good.length + 100), 'BAD_CONTENT', /cut off/],
      ['version 2 that ends in a section', version2(good, good.length - 1), 'BAD_CONTENT', /cut off/],
      ['version 2 in version 2', version2(version2(good)), 'BAD_CONTENT', /not of version 1/],
    ]
    for (const [name, bytes, code, message] of table) {
      await assert.rejects(read(bytes), { code, message }, name)
    }
  })

  test('whatever comes in, the answer is blocks or an error that says so', async () => {
    const good = await car([A.cid], [A, B, A, B])
    const changed = fc
      .tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }))
      .map(([at, value]) => good.with(at, value))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), async (bytes) => {
        const outcome = await read(bytes).catch((error: unknown) => error)
        if (!(outcome instanceof Error)) return
        assert.ok('code' in outcome, outcome.stack)
        assert.match(String(outcome.code), /^(BAD_CONTENT|VERIFICATION_FAILED|UNSUPPORTED)$/)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the blocks of a DAG', () => {
  const order = async (blocks: Blocks, root: CID, duplicates = false): Promise<string[]> => {
    const below = ({ cid }: { cid: CID }, block: Uint8Array) =>
      linksOf(cid, block).map((link) => ({ cid: link }))
    const found = dagBlocks([{ cid: root }], { getBlock: blocks.fetch, below, duplicates })
    return (await Array.fromAsync(found)).map(({ cid }) => cid.toString())
  }

  test('come parents first, each once or as often as it stands there', async () => {
    const blocks = new Blocks()
    const [x, y] = [blocks.raw('x'), blocks.raw('y')]
    const inner = blocks.directory({ x, y })
    const root = blocks.directory({ a: inner, b: x, c: inner, d: y })
    const names = (cids: readonly CID[]): string[] => cids.map(String)
    assert.deepEqual(await order(blocks, root), names([root, inner, x, y]))
    assert.deepEqual(await order(blocks, root, true), names([root, inner, x, y, x, inner, x, y, y]))
  })

  test('of other codecs are followed as well, and those of unknown ones named', async () => {
    const blocks = new Blocks()
    const [x, y] = [blocks.raw('x'), blocks.raw('y')]
    const document = dagCbor.encode({ a: [{ b: y }], c: x })
    const root = CID.createV1(DAG_CBOR, Digest.create(SHA2_256, sha256(document)))
    await blocks.put(root, document)
    assert.deepEqual(await order(blocks, root), [root, y, x].map(String))
    const json = CID.createV1(0x0129, ABSENT.multihash)
    await blocks.put(json, Buffer.from('{}'))
    await assert.rejects(order(blocks, json), { code: 'UNSUPPORTED', message: /codec 0x129/ })
  })

  test('of a node that is no node are an error', async () => {
    const blocks = new Blocks()
    const bad = CID.createV1(0x70, ABSENT.multihash)
    await blocks.put(bad, Buffer.from('not a node'))
    await assert.rejects(order(blocks, bad), { code: 'BAD_CONTENT' })
  })
})
