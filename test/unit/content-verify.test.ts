import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { decodeUnixfs, encodeUnixfs } from '../../src/content/unixfs-data.ts'
import { leafWrapping, unwrapLeaf, verifyBlock } from '../../src/content/verify.ts'
import { DAG_PB, RAW } from '../../src/core/cid.ts'
import { Blocks, identity, nodeBytes, TYPE, unixfsBytes } from './content-dags.ts'

describe('a block is verified', () => {
  const hello = Buffer.from('hello')
  const right = new Blocks().raw(hello)

  for (const [what, cid, block, verdict] of [
    ['right', right, hello, true],
    ['one bit off', right, Buffer.from('hellp'), false],
    ['cut off', right, hello.subarray(0, 4), false],
    [
      'under CIDv0',
      new Blocks().file({ data: hello }).toV0(),
      nodeBytes({ type: TYPE.file, data: hello, fileSize: 5 }),
      true,
    ],
    ['identity', identity(RAW, hello), hello, true],
    ['identity, other bytes', identity(RAW, hello), Buffer.from('hellp'), false],
    [
      'a truncated hash',
      CID.createV1(RAW, Digest.create(0x12, right.multihash.digest.subarray(0, 8))),
      hello,
      false,
    ],
    ['an unknown hash', CID.createV1(RAW, Digest.create(0x13, right.multihash.digest)), hello, false],
  ] as const) {
    test(what, () => assert.equal(verifyBlock(cid, block), verdict))
  }
})

describe('a leaf is unwrapped', () => {
  const payload = Buffer.from('payload')
  const cid = new Blocks().raw('x')
  const file = { type: TYPE.file, data: payload, fileSize: 7 }

  for (const [what, codec, block, expected] of [
    ['raw', RAW, payload, 'payload'],
    ['raw of another length', RAW, payload.subarray(1), undefined],
    ['dag-pb', DAG_PB, nodeBytes(file), 'payload'],
    ['dag-pb of type raw', DAG_PB, nodeBytes({ ...file, type: TYPE.raw }), 'payload'],
    ['dag-pb without a file size', DAG_PB, nodeBytes({ type: TYPE.file, data: payload }), 'payload'],
    ['dag-pb that declares another size', DAG_PB, nodeBytes({ ...file, fileSize: 8 }), undefined],
    [
      'dag-pb of another length',
      DAG_PB,
      nodeBytes({ type: TYPE.file, data: payload.subarray(1) }),
      undefined,
    ],
    ['dag-pb with links', DAG_PB, nodeBytes({ ...file, blockSizes: [0] }, [{ cid }]), undefined],
    ['a directory', DAG_PB, nodeBytes({ ...file, type: TYPE.directory }), undefined],
    ['no protobuf', DAG_PB, Buffer.from('garbage'), undefined],
    ['an unknown codec', 0x71, payload, undefined],
  ] as const) {
    test(what, () => {
      const unwrapped = unwrapLeaf(codec, block, payload.length)
      assert.equal(unwrapped && Buffer.from(unwrapped).toString(), expected)
    })
  }

  test('as a view: its prefix and suffix give the block back', () => {
    const block = nodeBytes(file)
    const view = unwrapLeaf(DAG_PB, block, payload.length)
    assert.ok(view)
    const { prefix, suffix } = leafWrapping(block, view)
    assert.deepEqual([prefix, suffix], [6, 2])
    assert.equal(view.buffer, block.buffer)
    assert.throws(() => leafWrapping(block, view.slice()), RangeError)
  })
})

describe('UnixFS data', () => {
  test('gives every field', () => {
    const fields = {
      type: TYPE.shard,
      data: Buffer.from('d'),
      fileSize: 2 ** 52,
      blockSizes: [1, 300],
      hashType: 0x22,
      fanout: 256,
    }
    assert.deepEqual(decodeUnixfs(unixfsBytes(fields)), { ...fields, type: 'hamt-sharded-directory' })
  })

  test('takes packed block sizes, and skips what it does not know', () => {
    const packed = Buffer.from([0x08, 2, 0x22, 3, 1, 0xac, 2])
    const unknown = Buffer.from([
      0x38, 0xa4, 3, 0x42, 2, 8, 1, 0x4d, 0, 0, 0, 0, 0x51, 0, 0, 0, 0, 0, 0, 0, 0,
    ])
    assert.deepEqual(decodeUnixfs(Buffer.concat([packed, unknown])).blockSizes, [1, 300])
  })

  for (const [size, varint] of [
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [2 ** 31 - 1, 'ffffffff07'],
    [2 ** 31, '8080808008'],
    [2 ** 32 - 1, 'ffffffff0f'],
    [2 ** 32, '8080808010'],
    [2 ** 50, '8080808080808002'],
  ] as const) {
    test(`writes the size ${size} as ${varint}`, () => {
      const bytes = encodeUnixfs({ type: 'file', fileSize: size, blockSizes: [size] })
      assert.equal(Buffer.from(bytes).toString('hex'), `080218${varint}20${varint}`)
      assert.deepEqual(decodeUnixfs(bytes).blockSizes, [size])
    })
  }

  for (const [what, bytes] of [
    ['nothing', []],
    ['an unknown type', [8, 6]],
    ['a number cut off', [8]],
    ['a length past the end', [8, 2, 0x12, 5, 1]],
    ['a length of 2^63', [8, 2, 0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a number that does not end', [8, 2, 0x18, ...Array.from({ length: 11 }, () => 0xff)]],
    ['a group', [8, 2, 0x3b]],
  ] as const) {
    test(`refuses ${what}`, () => assert.throws(() => decodeUnixfs(Uint8Array.from(bytes)), Error))
  }
})
