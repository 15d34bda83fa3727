import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  decodeExtension,
  EXTENSION_IDS,
  type ExtensionMessage,
  encodeExtension,
} from '../../src/exchange/peer-wire/extensions.ts'
import { decodeHandshake, encodeHandshake } from '../../src/exchange/peer-wire/handshake.ts'
import { MAX_PEERS } from '../../src/exchange/peer-wire/peer-news.ts'
import { bytes, toHex } from './peer-wire-bytes.ts'

describe('share extensions', () => {
  const PEER = {
    id: bytes('0024 0801'),
    addresses: [bytes('04 7f000001 06 1f90'), bytes('04 0a000001 06 1f90')],
  }
  const TABLE: readonly [string, ExtensionMessage][] = [
    // kind, bytes a second, milliseconds, index
    [
      '01 00be6e00 00000014 00000007',
      { name: 'share_offer', index: 7, eager: false, rate: 12_480_000, start: 20 },
    ],
    [
      '02 00be6e00 00000000 00000007',
      { name: 'share_offer', index: 7, eager: true, rate: 12_480_000, start: 0 },
    ],
    [
      '00 00be6e00 00000014',
      { name: 'share_offer', index: undefined, eager: false, rate: 12_480_000, start: 20 },
    ],
    ['00000007', { name: 'share_decline', index: 7 }],
    ['', { name: 'share_decline', index: undefined }],
    // milliseconds, index
    ['000000fa 00000007', { name: 'share_busy', index: 7, milliseconds: 250 }],
    ['000000fa', { name: 'share_busy', index: undefined, milliseconds: 250 }],
    // withdrawn, index
    ['00 00000007', { name: 'share_expect', index: 7, withdrawn: false }],
    ['01 00000007', { name: 'share_expect', index: 7, withdrawn: true }],
    ['00040000', { name: 'share_ack', bytes: 262_144 }],
    [
      "'d5:addedld1:al8:' 047f000001061f90 '8:' 040a000001061f90 'e2:id4:' 00240801 'ee7:droppedl1:' 05 'ee'",
      { name: 'share_pex', added: [PEER], dropped: [bytes('05')] },
    ],
  ]
  for (const [text, message] of TABLE) {
    it(`${message.name} is ${text.slice(0, 40) || 'empty'}`, () => {
      assert.equal(toHex(encodeExtension(message)), toHex(bytes(text)))
      assert.deepEqual(decodeExtension(EXTENSION_IDS[message.name], bytes(text)), message)
    })
  }

  const WRONG: readonly [keyof typeof EXTENSION_IDS, string][] = [
    ['share_offer', ''],
    ['share_offer', '03 00000001 00000000 00000007'],
    ['share_offer', '00 00000001 00000000 00000007'],
    ['share_offer', '01 00000001 00000000'],
    ['share_offer', '01 00000001 00000000 00000007 00'],
    ['share_decline', '000007'],
    ['share_decline', '00000007 00'],
    ['share_busy', ''],
    ['share_busy', '000000fa 0000'],
    ['share_expect', '00000007'],
    ['share_expect', '02 00000007'],
    ['share_ack', ''],
    ['share_ack', '0000000000040000'],
    ['share_pex', "'le'"],
    ['share_pex', "'l-3:ae'"],
    ['share_pex', ''],
  ]
  for (const [name, text] of WRONG) {
    it(`refuses ${text || 'nothing'} as ${name}`, () => {
      assert.throws(() => decodeExtension(EXTENSION_IDS[name], bytes(text)), {
        code: 'malformed',
        blame: 'peer',
      })
    })
  }

  it('knows no other ids', () => {
    for (const id of [0, 7, 255]) assert.equal(decodeExtension(id, bytes("'x'")), undefined)
  })

  it('tells estimates that fit', () => {
    const written = (rate: number, start: number) =>
      toHex(encodeExtension({ name: 'share_offer', index: undefined, eager: false, rate, start }))
    assert.equal(written(1.6, 0.4), toHex(bytes('00 00000002 00000000')))
    assert.equal(written(2 ** 40, -5), toHex(bytes('00 ffffffff 00000000')))
    assert.equal(written(Number.POSITIVE_INFINITY, 2 ** 32), toHex(bytes('00 ffffffff ffffffff')))
  })

  it('leaves out what is no peer', () => {
    const read = (text: string) => decodeExtension(EXTENSION_IDS.share_pex, bytes(text))
    const nobody = { name: 'share_pex', added: [], dropped: [] }
    assert.deepEqual(read("'de'"), nobody)
    assert.deepEqual(read("'d5:added1:xe'"), nobody)
    assert.deepEqual(read("'d5:addedli1e1:xded2:idi1eed2:id0:eee'"), nobody)
    assert.deepEqual(read(`'d7:droppedli1e0:65:' ${'00'.repeat(65)} 'ee'`), nobody)
    assert.deepEqual(read("'d5:addedld1:ali1e0:1:' 09 'e2:id1:' 05 'eee'"), {
      ...nobody,
      added: [{ id: bytes('05'), addresses: [bytes('09')] }],
    })
  })

  it('takes no more peers and addresses than it says', () => {
    const peer = { id: bytes('05'), addresses: Array(20).fill(bytes('09')) }
    const told = encodeExtension({
      name: 'share_pex',
      added: Array(80).fill(peer),
      dropped: Array(80).fill(peer.id),
    })
    const news = decodeExtension(EXTENSION_IDS.share_pex, told)
    assert.ok(news?.name === 'share_pex')
    assert.deepEqual([news.added.length, news.dropped.length], [MAX_PEERS, MAX_PEERS])
    assert.equal(news.added[0]?.addresses.length, 8)
  })
})

describe('the extended handshake', () => {
  const ROOT = bytes(`01551220 ${'ab'.repeat(32)}`)

  it('is a dictionary with the root, and the number of pieces once that is known', () => {
    const first = {
      root: ROOT,
      version: 'share/1',
      requests: 64,
      pieces: undefined,
      seed: false,
      extensions: { share_offer: 1, share_ack: 5 },
    }
    const m = "'d1:md9:share_acki5e11:share_offeri1ee"
    const root = `4:reqqi64e4:root36:' 01551220 ${'ab'.repeat(32)} '`
    assert.equal(toHex(encodeHandshake(first)), toHex(bytes(`${m}${root}1:v7:share/1e'`)))
    const second = { ...first, pieces: 12, seed: true }
    assert.equal(toHex(encodeHandshake(second)), toHex(bytes(`${m}1:ni12e${root}4:seedi1e1:v7:share/1e'`)))
  })

  it('is read back', () => {
    const fields = {
      root: ROOT,
      version: 'share/1',
      requests: 64,
      pieces: 0,
      seed: true,
      extensions: { a: 1, b: 255 },
    }
    const { dictionary, extensions, ...read } = decodeHandshake(encodeHandshake(fields))
    assert.deepEqual({ ...read, extensions: Object.fromEntries(extensions) }, fields)
    assert.deepEqual(Object.keys(dictionary), ['m', 'n', 'reqq', 'root', 'seed', 'v'])
  })

  it('is read from a BitTorrent client, with keys that we do not know', () => {
    // the example of BEP 10
    const read = decodeHandshake(
      bytes("'d1:md11:LT_metadatai1e6:' c2b5 '_PEXi2ee1:pi6881e1:v13:' c2b5 'Torrent 1.2e'"),
    )
    assert.equal(read.version, 'µTorrent 1.2')
    assert.deepEqual(
      [...read.extensions],
      [
        ['LT_metadata', 1],
        ['µ_PEX', 2],
      ],
    )
    assert.equal(read.dictionary.p, 6881)
    assert.equal(read.root, undefined)
  })

  it('counts values of another kind as absent', () => {
    const read = decodeHandshake(bytes("'d1:mli1ee1:n1:x4:reqqi-5e4:rooti1e4:seedi2e1:vlee'"))
    const { dictionary: _, ...fields } = read
    assert.deepEqual(fields, {
      root: undefined,
      version: undefined,
      requests: 250,
      pieces: undefined,
      seed: false,
      extensions: new Map(),
    })
    const ids = decodeHandshake(bytes("'d1:md1:ai256e1:bi-1e1:c1:x1:di0eee'")).extensions
    assert.deepEqual([...ids], [['d', 0]])
  })

  for (const [text, what] of [
    ["'le'", 'a list'],
    ["''", 'nothing'],
    ["'l-3:ae'", 'the six bytes'],
    ["'de' 00", 'more after the dictionary'],
    ["'d1:ni-1ee'", 'a negative number of pieces'],
    ["'d1:ni4294967296ee'", 'more pieces than 32 bits count'],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(() => decodeHandshake(bytes(text)), {
        name: 'WireViolation',
        code: 'malformed',
        blame: 'peer',
      })
    })
  }

  it('has 64 KiB at most', () => {
    const filler = (length: number) => bytes(`'d1:x${length}:' ${'00'.repeat(length)} 'e'`)
    assert.doesNotThrow(() => decodeHandshake(filler((64 << 10) - 11)))
    assert.throws(() => decodeHandshake(filler((64 << 10) - 10)), { code: 'malformed' })
  })
})
