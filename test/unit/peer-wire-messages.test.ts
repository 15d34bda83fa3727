import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeMessage, encodeMessage, type KnownMessage } from '../../src/exchange/peer-wire/messages.ts'
import { bytes, joined, toHex } from './peer-wire-bytes.ts'

const ROOT = new Uint8Array(32).fill(0xaa)
const HASH = new Uint8Array(32).fill(0xbb)
const ROOT_HEX = 'aa'.repeat(32)
const HASH_HEX = 'bb'.repeat(32)

// length, id, payload; the numbers are those of BEP 3, 5, 6, 10 and 52
const TABLE: readonly [string, KnownMessage][] = [
  ['00000000', { type: 'keep-alive' }],
  ['00000001 00', { type: 'choke' }],
  ['00000001 01', { type: 'unchoke' }],
  ['00000001 02', { type: 'interested' }],
  ['00000001 03', { type: 'not-interested' }],
  ['00000005 04 0000002a', { type: 'have', index: 42 }],
  ['00000005 04 ffffffff', { type: 'have', index: 0xffff_ffff }],
  ['00000003 05 a080', { type: 'bitfield', bits: bytes('a080') }],
  ['00000001 05', { type: 'bitfield', bits: bytes('') }],
  ['0000000d 06 00000001 00004000 00004000', { type: 'request', index: 1, begin: 16384, length: 16384 }],
  ['0000000c 07 00000001 00004000 616263', { type: 'piece', index: 1, begin: 16384, data: bytes("'abc'") }],
  ['00000009 07 00000001 80000000', { type: 'piece', index: 1, begin: 0x8000_0000, data: bytes('') }],
  ['0000000d 08 00000001 00004000 00004000', { type: 'cancel', index: 1, begin: 16384, length: 16384 }],
  ['00000003 09 1ae1', { type: 'port', port: 6881 }],
  ['00000005 0d 00000007', { type: 'suggest', index: 7 }],
  ['00000001 0e', { type: 'have-all' }],
  ['00000001 0f', { type: 'have-none' }],
  ['0000000d 10 00000001 00000000 00100000', { type: 'reject', index: 1, begin: 0, length: 1 << 20 }],
  ['00000005 11 00000007', { type: 'allowed-fast', index: 7 }],
  ["00000004 14 00 'de'", { type: 'extended', id: 0, payload: bytes("'de'") }],
  ['00000002 14 05', { type: 'extended', id: 5, payload: bytes('') }],
  [
    // the request that libtorrent makes for a file of six pieces
    `00000031 15 ${ROOT_HEX} 00000006 00000000 00000008 00000002`,
    { type: 'hash-request', root: ROOT, baseLayer: 6, index: 0, length: 8, proofLayers: 2 },
  ],
  [
    `00000071 16 ${ROOT_HEX} 00000000 00000002 00000002 00000001 ${HASH_HEX} ${ROOT_HEX}`,
    {
      type: 'hashes',
      root: ROOT,
      baseLayer: 0,
      index: 2,
      length: 2,
      proofLayers: 1,
      hashes: joined([HASH, ROOT]),
    },
  ],
  [
    `00000031 17 ${ROOT_HEX} 00000000 00000000 00000002 00000000`,
    { type: 'hash-reject', root: ROOT, baseLayer: 0, index: 0, length: 2, proofLayers: 0 },
  ],
]

describe('peer wire messages', () => {
  it('keep their bytes, but for data, when those of the frame are used for another', () => {
    const kept = TABLE.filter(([, { type }]) => type !== 'piece').map(([hex, message]) => {
      // a Buffer's own `slice` would be a view
      const frame = Buffer.from(bytes(hex).subarray(4))
      const decoded = decodeMessage(frame)
      frame.fill(0xee)
      return { decoded, message }
    })
    for (const { decoded, message } of kept) assert.deepEqual(decoded, message)
  })

  for (const [hex, message] of TABLE) {
    it(`${message.type} is ${hex.slice(0, 60)}`, () => {
      assert.equal(toHex(joined(encodeMessage(message))), toHex(bytes(hex)))
      assert.deepEqual(decodeMessage(bytes(hex).subarray(4)), message)
    })
  }

  it('keeps ids that it does not know', () => {
    for (const id of [10, 11, 12, 18, 19, 24, 42, 255]) {
      assert.deepEqual(decodeMessage(Uint8Array.of(id)), { type: 'unknown', id })
      assert.deepEqual(decodeMessage(Uint8Array.of(id, 1, 2, 3)), { type: 'unknown', id })
    }
  })

  // payload lengths that are wrong for an id
  const WRONG: readonly [string, number, readonly number[]][] = [
    ['choke', 0, [1, 4]],
    ['unchoke', 1, [1]],
    ['interested', 2, [1]],
    ['not-interested', 3, [1]],
    ['have', 4, [0, 3, 5]],
    ['request', 6, [0, 11, 13]],
    ['piece', 7, [0, 7]],
    ['cancel', 8, [0, 11, 13]],
    ['port', 9, [0, 1, 3]],
    ['suggest', 13, [0, 3, 5]],
    ['have-all', 14, [1]],
    ['have-none', 15, [1]],
    ['reject', 16, [0, 11, 13]],
    ['allowed-fast', 17, [0, 3, 5]],
    ['extended', 20, [0]],
    ['hash-request', 21, [0, 47, 49]],
    ['hashes', 22, [0, 47, 48, 79, 81]],
    ['hash-reject', 23, [0, 47, 49]],
  ]
  for (const [type, id, lengths] of WRONG) {
    it(`refuses ${type} of a wrong length`, () => {
      for (const length of lengths) {
        const frame = new Uint8Array(1 + length)
        frame[0] = id
        assert.throws(() => decodeMessage(frame), { name: 'WireViolation', code: 'malformed', blame: 'peer' })
      }
    })
  }

  it('copies no data, in or out', () => {
    const data = new Uint8Array(100)
    const [, sent] = encodeMessage({ type: 'piece', index: 0, begin: 0, data })
    assert.equal(sent, data)
    const frame = bytes('07 00000000 00000000 616263')
    const received = decodeMessage(frame)
    assert.equal(received.type === 'piece' && received.data.buffer, frame.buffer)
  })

  it('refuses to write numbers that do not fit', () => {
    for (const index of [-1, 2 ** 32, 1.5, Number.NaN])
      assert.throws(() => encodeMessage({ type: 'have', index }), RangeError)
  })
})
