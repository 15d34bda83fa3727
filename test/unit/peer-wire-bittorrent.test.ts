/** What BitTorrent clients say over TCP and `share` nodes among themselves do not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { millis } from '../../src/core/types.ts'
import {
  encodeBittorrentHandshake,
  HandshakeReader,
} from '../../src/exchange/peer-wire/bittorrent-handshake.ts'
import {
  decodeMetadataMessage,
  encodeMetadataMessage,
  type MetadataMessage,
} from '../../src/exchange/peer-wire/metadata-messages.ts'
import {
  decodeTorrentGreeting,
  encodeTorrentGreeting,
} from '../../src/exchange/peer-wire/torrent-greeting.ts'
import type { PexPeer } from '../../src/exchange/peer-wire/torrent-pex.ts'
import { decodePex, encodePex, PexListener, PexTeller } from '../../src/exchange/peer-wire/torrent-pex.ts'
import { WireViolation } from '../../src/exchange/peer-wire/violation.ts'
import { bytes, joined, toHex } from './peer-wire-bytes.ts'

const HASH = new Uint8Array(20).fill(0xaa)
const PEER = new Uint8Array(20).fill(0xbb)
const NAME = "13 'BitTorrent protocol'"
const malformed = (message: RegExp) => ({ name: 'WireViolation', code: 'malformed', message })

describe('the handshake', () => {
  it('is 68 bytes: name, flags, info hash, peer', () => {
    const flags = new Set(['extended', 'fast', 'dht', 'v2'] as const)
    const sent = encodeBittorrentHandshake({ flags, infoHash: HASH, peerId: PEER })
    assert.equal(toHex(sent), toHex(bytes(`${NAME} 0000000000100015 ${'aa'.repeat(20)} ${'bb'.repeat(20)}`)))
    assert.throws(
      () => encodeBittorrentHandshake({ flags, infoHash: new Uint8Array(32), peerId: PEER }),
      RangeError,
    )
  })

  it('is read as it comes, the info hash first; what follows is given back', () => {
    const stream = joined([
      encodeBittorrentHandshake({ flags: new Set(['fast']), infoHash: HASH, peerId: PEER }),
      bytes('00000000'),
    ])
    for (const size of [1, 7, 48, 68, 72]) {
      const reader = new HandshakeReader()
      let rest: Uint8Array | undefined
      let at = 0
      for (; rest === undefined; at += size) {
        assert.equal(reader.infoHash !== undefined, at >= 48)
        rest = reader.push(stream.subarray(at, at + size))
      }
      assert.deepEqual(reader.handshake, { flags: new Set(['fast']), infoHash: HASH, peerId: PEER })
      assert.equal(toHex(rest), toHex(stream.subarray(68, at)))
    }
  })

  it('has unknown flags that are passed over', () => {
    const reader = new HandshakeReader()
    reader.push(bytes(`${NAME} ffffffffffffffff ${'aa'.repeat(20)} ${'bb'.repeat(20)}`))
    assert.deepEqual(reader.handshake?.flags, new Set(['extended', 'dht', 'fast', 'v2']))
  })

  it('of another protocol ends at its first byte that differs', () => {
    for (const begin of ['16030100', "'GET / HTTP/1.1'", "13 'BitTorrent protocoL'", '14']) {
      assert.throws(() => new HandshakeReader().push(bytes(begin)), malformed(/not the BitTorrent protocol/))
    }
    new HandshakeReader().push(bytes("13 'BitTorrent'"))
  })
})

describe('the extended handshake', () => {
  it('is a dictionary of what the sender has', () => {
    const sent = {
      extensions: new Map([
        ['ut_pex', 2],
        ['ut_metadata', 1],
      ]),
      version: 'share/0.1.0',
      requests: 500,
      port: 6881,
      metadataSize: 31_235,
      uploadOnly: true,
      yourIp: bytes('c0000201'),
    }
    const written = encodeTorrentGreeting(sent)
    assert.equal(
      Buffer.from(written).toString('latin1'),
      'd1:md11:ut_metadatai1e6:ut_pexi2ee13:metadata_sizei31235e1:pi6881e4:reqqi500e11:upload_onlyi1e1:v11:share/0.1.06:yourip4:\xc0\x00\x02\x01e',
    )
    assert.deepEqual(
      { ...decodeTorrentGreeting(written), yourIp: [192, 0, 2, 1] },
      { ...sent, yourIp: [192, 0, 2, 1] },
    )
  })

  it('counts what is of another kind as absent', () => {
    const { extensions, ...read } = decodeTorrentGreeting(
      Buffer.from('d13:metadata_sizei-1e1:pi70000e4:reqq1:x6:yourip3:abce'),
    )
    assert.equal(extensions.size, 0)
    assert.deepEqual(read, {
      version: undefined,
      requests: 250,
      port: undefined,
      metadataSize: undefined,
      uploadOnly: false,
      yourIp: undefined,
    })
  })
})

describe('ut_metadata', () => {
  const TABLE: readonly [string, MetadataMessage][] = [
    ['d8:msg_typei0e5:piecei0ee', { type: 'request', block: 0 }],
    ['d8:msg_typei2e5:piecei7ee', { type: 'reject', block: 7 }],
    [
      'd8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx',
      { type: 'data', block: 0, size: 34_256, data: bytes("'xxxxxxxx'") },
    ],
  ]
  for (const [text, message] of TABLE)
    it(`${message.type} is ${text.slice(0, 40)}`, () => {
      assert.equal(Buffer.from(joined(encodeMetadataMessage(message))).toString(), text)
      const read = decodeMetadataMessage(Buffer.from(text))
      assert.deepEqual(readable(read), readable(message))
    })

  it('of another type is passed over', () => {
    assert.equal(decodeMetadataMessage(Buffer.from('d8:msg_typei3e5:piecei0ee')), undefined)
    assert.equal(decodeMetadataMessage(Buffer.from('d5:piecei0ee')), undefined)
  })

  for (const [text, message] of [
    ['', /ut_metadata/],
    ['l-3:ae', /ut_metadata/],
    ['li1ee', /no dictionary/],
    ['d8:msg_typei0ee', /no block/],
    ['d8:msg_typei0e5:piecei-1ee', /no block/],
    ['d8:msg_typei0e5:piecei4294967296ee', /no block/],
    ['d8:msg_typei1e5:piecei0eex', /no size/],
    ['d8:msg_typei1e5:piecei0e10:total_sizei0eex', /no size/],
    ['d8:msg_typei1e5:piecei0e10:total_sizei5ee', /a block of 0 bytes/],
    [`d8:msg_typei1e5:piecei0e10:total_sizei99999ee${'x'.repeat(16_385)}`, /a block of 16385 bytes/],
    [`d1:x2000:${'x'.repeat(2000)}e`, /longer than what is there/],
    [`d1:xl${'le'.repeat(100)}ee`, /more than 32 values/],
  ] as const)
    it(`is a violation: ${text.slice(0, 40)}`, () => {
      assert.throws(() => decodeMetadataMessage(Buffer.from(text)), malformed(message))
    })
})

function readable(message: MetadataMessage | undefined): unknown {
  return message?.type === 'data' ? { ...message, data: toHex(message.data) } : message
}

const peer = (number: number, seed = false): PexPeer => ({
  host: `192.0.2.${number}`,
  port: 6881,
  seed,
  reachable: false,
})

describe('ut_pex', () => {
  it('is compact addresses with flags', () => {
    const news = {
      added: [peer(1, true), { host: '2001:db8::1', port: 1, seed: false, reachable: true }],
      dropped: [{ host: '192.0.2.9', port: 2 }],
    }
    const sent = encodePex(news)
    assert.equal(
      toHex(sent),
      toHex(
        bytes(
          "'d5:added6:' c00002011ae1 '7:added.f1:' 02 '6:added618:' 20010db8000000000000000000000001 0001" +
            "'8:added6.f1:' 10 '7:dropped6:' c00002090002 '8:dropped60:e'",
        ),
      ),
    )
    assert.deepEqual(decodePex(sent), news)
  })

  it('keeps flags with their peers, and no more than fifty', () => {
    const payload = joined([bytes("'d5:added12:' c00002010000 c00002021ae1 '7:added.f2:' 0002 'e'")])
    assert.deepEqual(decodePex(payload), { added: [peer(2, true)], dropped: [] })
    const many = Array.from({ length: 200 }, (_, at) => peer(at + 1))
    assert.equal(decodePex(encodePex({ added: many, dropped: many })).added.length, 50)
    const longer = joined([
      bytes("'d5:added1200:'"),
      new Uint8Array(1200).fill(1),
      bytes("'7:dropped1200:'"),
      new Uint8Array(1200).fill(1),
      bytes("'e'"),
    ])
    assert.deepEqual([decodePex(longer).added.length, decodePex(longer).dropped.length], [50, 50])
  })

  it('that is no dictionary is a violation', () => {
    for (const text of ['', 'i1e', 'l-3:ae', `d5:added40000:${'x'.repeat(40_000)}e`])
      assert.throws(() => decodePex(Buffer.from(text)), WireViolation)
  })

  it('tells what changed, a minute apart', () => {
    const teller = new PexTeller(millis(5))
    const [a, b, c] = [peer(1), peer(2), peer(3)]
    assert.deepEqual(teller.news([a, b], millis(5)), { added: [a, b], dropped: [] })
    assert.equal(teller.news([a, c], millis(60_004)), undefined)
    const news = teller.news([a, c], millis(60_005))
    assert.deepEqual([news?.added, news?.dropped.map(({ host }) => host)], [[c], [b.host]])
    assert.equal(teller.news([a, c], millis(200_000)), undefined)
    assert.deepEqual(teller.news([a, b, c], millis(200_001))?.added, [b])
  })

  it('tells of more than fifty in turns', () => {
    const many = Array.from({ length: 120 }, (_, at) => peer(at + 1))
    const teller = new PexTeller(millis(0))
    const told = [0, 60_000, 120_000, 180_000].map((now) => teller.news(many, millis(now))?.added.length)
    assert.deepEqual(told, [50, 50, 20, undefined])
  })

  it('is heard twice a minute at most', () => {
    const listener = new PexListener()
    const heard = [0, 1, 2, 59_999, 60_000, 60_001, 120_001].map((now) => listener.hear(millis(now)))
    assert.deepEqual(heard, [true, true, false, false, true, true, true])
  })
})
