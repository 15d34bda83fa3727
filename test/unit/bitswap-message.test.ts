import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import {
  blockPrefix,
  decodeMessage,
  decodePrefix,
  encodeBareBlocks,
  encodeMessage,
  MalformedMessage,
  type Message,
} from '../../src/exchange/bitswap/message.ts'

/** Bytes of hex, blanks between for the eye. */
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'))
const hex = (parts: readonly Uint8Array[]): string => Buffer.concat(parts).toString('hex')
const flat = (text: string): string => text.replaceAll(/\s/g, '')

/** CIDv1, raw, identity, two bytes `aa bb`: six bytes in all. */
const SHORT = CID.createV1(0x55, Digest.create(0, bytes('aabb')))
const SHORT_HEX = '01 55 00 02 aabb'

/** CIDv1, raw, sha2-256 of 32 times 07: 36 bytes. */
const LONG = CID.createV1(0x55, Digest.create(0x12, new Uint8Array(32).fill(7)))
const LONG_HEX = `01 55 12 20 ${'07'.repeat(32)}`

/** CIDv0 of the same digest: 34 bytes. */
const V0 = CID.createV0(Digest.create(0x12, new Uint8Array(32).fill(7)))
const V0_HEX = `12 20 ${'07'.repeat(32)}`

const EMPTY: Message = { wants: [], full: false, blocks: [], presences: [] }
const RAW_PREFIX = bytes('01 55 12 20')

const want = { cid: SHORT, kind: 'block', cancel: false, sendDontHave: false } as const

const messages: [name: string, message: Message, wire: string][] = [
  ['nothing: the wantlist field is there all the same', EMPTY, '0a 00'],
  [
    'a block want',
    { ...EMPTY, wants: [want] },
    // wantlist, 12 bytes: entry, 10 bytes: CID, 6 bytes; priority 1
    `0a 0c  0a 0a  0a 06 ${SHORT_HEX}  10 01`,
  ],
  [
    'a question that is to be answered with no, too, in a full list',
    { ...EMPTY, wants: [{ ...want, kind: 'have', sendDontHave: true }], full: true },
    `0a 12  0a 0e  0a 06 ${SHORT_HEX}  10 01  20 01  28 01  10 01`,
  ],
  [
    'a cancel',
    { ...EMPTY, wants: [{ ...want, cancel: true }] },
    `0a 0e  0a 0c  0a 06 ${SHORT_HEX}  10 01  18 01`,
  ],
  ['a want for a CIDv0', { ...EMPTY, wants: [{ ...want, cid: V0 }] }, `0a 28  0a 26  0a 22 ${V0_HEX}  10 01`],
  [
    'yes and no',
    {
      ...EMPTY,
      presences: [
        { cid: LONG, has: true },
        { cid: SHORT, has: false },
      ],
    },
    `0a 00  22 26 0a 24 ${LONG_HEX}  22 0a 0a 06 ${SHORT_HEX} 10 01`,
  ],
  [
    'a block',
    { ...EMPTY, blocks: [{ prefix: RAW_PREFIX, data: bytes('c0ffee') }] },
    '0a 00  1a 0b  0a 04 01551220  12 03 c0ffee',
  ],
  [
    'an empty block',
    { ...EMPTY, blocks: [{ prefix: RAW_PREFIX, data: bytes('') }] },
    '0a 00  1a 08  0a 04 01551220  12 00',
  ],
]

describe('a Bitswap message', () => {
  for (const [name, message, wire] of messages) {
    it(`is written and read as documented: ${name}`, () => {
      assert.equal(hex(encodeMessage(message)), flat(wire))
      assert.deepEqual(decodeMessage(bytes(wire)), message)
    })
  }

  it('may be empty', () => {
    assert.deepEqual(decodeMessage(bytes('')), EMPTY)
  })

  it('does not copy a block', () => {
    const data = new Uint8Array(1000)
    const parts = encodeMessage({ ...EMPTY, blocks: [{ prefix: RAW_PREFIX, data }] })
    assert.ok(parts.includes(data))
    const frame = Buffer.concat(parts)
    assert.equal(decodeMessage(frame).blocks[0]?.data.buffer, frame.buffer)
  })

  it('lets its CIDs outlive the frame', () => {
    const frame = Buffer.from(bytes(`0a 2c 0a 2a 0a 24 ${LONG_HEX} 10 01 18 00  22 26 0a 24 ${LONG_HEX}`))
    const { wants, presences } = decodeMessage(frame)
    for (const cid of [wants[0]?.cid, presences[0]?.cid])
      assert.equal(
        cid?.multihash.digest.buffer.byteLength,
        36,
        'a CID that is kept keeps 36 bytes, not its message',
      )
  })

  const oddities: [name: string, wire: string, expected: Message][] = [
    [
      'a negative priority, which is a varint of ten bytes',
      `0a 15  0a 13  0a 06 ${SHORT_HEX}  10 ff ff ff ff ff ff ff ff ff 01`,
      { ...EMPTY, wants: [want] },
    ],
    [
      'bare blocks of 1.0.0',
      '12 03 c0ffee 12 00',
      {
        ...EMPTY,
        blocks: [
          { prefix: bytes('00 70 12 20'), data: bytes('c0ffee') },
          { prefix: bytes('00 70 12 20'), data: bytes('') },
        ],
      },
    ],
    ['pending bytes', '28 80 01', EMPTY],
    ['fields nobody knows, of every kind', '78 01  7a 02 ffff  79 0102030405060708  7d 01020304', EMPTY],
    [
      'an unknown field inside a want',
      `0a 0e  0a 0c  0a 06 ${SHORT_HEX}  10 01  78 05`,
      { ...EMPTY, wants: [want] },
    ],
    [
      'two wantlist fields, which add up',
      `0a 0a 0a 08 0a 06 ${SHORT_HEX} 0a 0a 0a 08 0a 06 ${SHORT_HEX}`,
      {
        ...EMPTY,
        wants: [want, want],
      },
    ],
    [
      'a want type from the future, which is a block',
      `0a 0c 0a 0a 0a 06 ${SHORT_HEX} 20 07`,
      {
        ...EMPTY,
        wants: [want],
      },
    ],
    ['a full that is false', '0a 02 10 00', EMPTY],
    ['a length in more bytes than needed', '0a 80 00', EMPTY],
  ]
  for (const [name, wire, expected] of oddities) {
    it(`is understood with ${name}`, () => assert.deepEqual(decodeMessage(bytes(wire)), expected))
  }

  const identity = (length: number): string => {
    const digest = Buffer.alloc(length, 1)
    const cid = CID.createV1(0x55, Digest.create(0, digest)).bytes
    const part = (key: string, value: Uint8Array): Buffer => {
      const size = value.length < 128 ? [value.length] : [(value.length % 128) | 128, value.length >> 7]
      return Buffer.concat([bytes(key), Uint8Array.from(size), value])
    }
    return part('0a', part('0a', part('0a', cid))).toString('hex')
  }

  it('may name identity CIDs, up to 128 bytes of digest', () => {
    const [entry] = decodeMessage(bytes(identity(128))).wants
    assert.equal(entry?.cid.multihash.digest.length, 128)
  })

  const malformed: [name: string, wire: string][] = [
    ['a field without a value', '0a'],
    ['a field longer than the message', '0a 05 0a 00'],
    ['a length of 2^63', '0a ff ff ff ff ff ff ff ff 7f'],
    ['a length of more than ten bytes', '0a ff ff ff ff ff ff ff ff ff ff ff 01'],
    ['a key without an end', '80'],
    ['a fixed field cut off', '79 01020304'],
    ['a short fixed field cut off', '7d 0102'],
    ['a group, which protobuf has given up', '0b'],
    ['a want without a CID', '0a 04 0a 02 10 01'],
    ['a want with an empty CID', '0a 04 0a 02 0a 00'],
    ['a CID cut off', `0a 09 0a 07 0a 05 0155000 2aa`],
    ['a CID with something behind it', `0a 0b 0a 09 0a 07 ${SHORT_HEX} 00`],
    ['an identity CID of half a megabyte', identity(9_000)],
    ['an identity CID a byte too long for any use', identity(200)],
    ['a presence without a CID', '22 02 10 01'],
    ['a presence that is a number', '20 01'],
  ]
  for (const [name, wire] of malformed) {
    it(`is refused with ${name}`, () => assert.throws(() => decodeMessage(bytes(wire)), MalformedMessage))
  }

  it('is refused with more blocks, wants or presences than fit a sensible one', () => {
    const many = (field: string): Uint8Array => bytes(field.repeat(70_000))
    assert.throws(() => decodeMessage(many('1200')), MalformedMessage)
    assert.throws(() => decodeMessage(many(`220a0a06${flat(SHORT_HEX)}1001`)), MalformedMessage)
    assert.throws(() => decodeMessage(many(`0a0a0a080a06${flat(SHORT_HEX)}`)), MalformedMessage)
  })
})

describe('a block prefix', () => {
  it('is the CID without its digest', () => {
    assert.equal(hex([blockPrefix(LONG)]), '01551220')
    assert.equal(hex([blockPrefix(V0)]), '00701220')
    assert.equal(hex([blockPrefix(CID.createV1(0x0129, LONG.multihash))]), '01a9021220')
  })

  it('is read back', () => {
    assert.deepEqual(decodePrefix(bytes('01 55 12 20')), { version: 1, codec: 0x55, hash: 0x12, length: 32 })
    assert.deepEqual(decodePrefix(bytes('01 a902 12 20')), {
      version: 1,
      codec: 0x129,
      hash: 0x12,
      length: 32,
    })
  })

  for (const wire of [
    '',
    '01',
    '01 55 12',
    '01 55 12 20 00',
    '01 55 12 a0',
    'ff ff ff ff ff ff ff ff ff ff ff',
  ]) {
    it(`is refused as ${wire || 'nothing'}`, () =>
      assert.throws(() => decodePrefix(bytes(wire)), MalformedMessage))
  }
})

describe('bare blocks', () => {
  it('are written as protocol 1.0.0 has them', () => {
    const blocks = [bytes('c0ffee'), new Uint8Array(200)].map((data) => ({ prefix: RAW_PREFIX, data }))
    assert.equal(hex(encodeBareBlocks(blocks)), flat(`12 03 c0ffee 12 c801 ${'00'.repeat(200)}`))
  })
})
