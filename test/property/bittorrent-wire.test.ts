import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sha256 } from '../../src/content/verify.ts'
import { endpoint, packEndpoints, unpackEndpoints } from '../../src/core/endpoint.ts'
import { peerKey } from '../../src/core/types.ts'
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
import { decodePex, encodePex } from '../../src/exchange/peer-wire/torrent-pex.ts'
import { WireViolation } from '../../src/exchange/peer-wire/violation.ts'
import {
  answerTo,
  leadsTo,
  MOST_HASHES,
  piecesNeeded,
  requestProblem,
} from '../../src/torrent/hash-requests.ts'
import { BLOCK_BYTES, layersAbove, pieceHash, pieceLayer, rootOfPieces } from '../../src/torrent/merkle.ts'
import { MetadataFetch, metadataBlock } from '../../src/torrent/metadata-fetch.ts'
import { joined, toHex } from '../unit/peer-wire-bytes.ts'
import fc from './seeded.ts'

/** With the prototype that objects have which are compared with it. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true })

const bytes20 = fc.uint8Array({ minLength: 20, maxLength: 20 })
const port = fc.integer({ min: 1, max: 65_535 })
const host4 = fc
  .ipV4()
  .filter((host) => endpoint(host, 1)?.host === host && !/^(22[4-9]|2[3-5].|0\.0\.0\.0)/.test(host))
const host6 = fc
  .ipV6()
  .map((host) => endpoint(host, 1)?.host ?? '')
  .filter((host) => host.includes(':'))
const address = (host: fc.Arbitrary<string>) => record({ host, port })
const addresses = fc.array(fc.oneof(address(host4), address(host6)), { maxLength: 20 })

/** Only violations come out of a codec. */
function violationOr(read: () => unknown): void {
  try {
    read()
  } catch (thrown) {
    assert.ok(thrown instanceof WireViolation, String(thrown))
  }
}

/** Bytes that look like the messages more often than random ones do. */
const almost = fc
  .array(
    fc.constantFrom(
      'd',
      'e',
      'l',
      'i',
      '0',
      '1',
      '9',
      '-',
      ':',
      '8:msg_type',
      '5:piece',
      '10:total_size',
      'i0e',
      'i1e',
      'i4294967296e',
      '5:added',
      '7:added.f',
      '6:added6',
      '7:dropped',
      '6:abcdef',
      '1:m',
      '13:metadata_size',
      '1:p',
    ),
    { maxLength: 20 },
  )
  .map((parts) => Buffer.from(parts.join('')))
const garbage = fc.oneof(fc.uint8Array({ maxLength: 100 }), almost)

describe('compact addresses', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(addresses, (list) => {
        for (const family of [4, 6] as const) {
          const fitting = list.filter(({ host }) => host.includes(':') === (family === 6))
          assert.deepEqual(unpackEndpoints(packEndpoints(list, family), family, 100), fitting)
        }
      }),
    )
  })

  it('of any bytes are no more than asked for', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom(4 as const, 6 as const),
        fc.nat({ max: 5 }),
        (packed, family, most) => {
          const found = unpackEndpoints(packed, family, most)
          assert.ok(found.length <= most)
          for (const each of found) assert.deepEqual(endpoint(each.host, each.port), each)
        },
      ),
    )
  })
})

describe('the handshake of BitTorrent', () => {
  const handshake = record({
    flags: fc
      .uniqueArray(fc.constantFrom('extended' as const, 'fast' as const, 'dht' as const, 'v2' as const))
      .map((flags) => new Set(flags)),
    infoHash: bytes20,
    peerId: bytes20,
  })

  it('is read back however the stream is cut', () => {
    fc.assert(
      fc.property(
        handshake,
        fc.uint8Array({ maxLength: 20 }),
        fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1 }),
        (sent, behind, sizes) => {
          const stream = joined([encodeBittorrentHandshake(sent), behind])
          const reader = new HandshakeReader()
          let at = 0
          let rest: Uint8Array | undefined
          for (let turn = 0; rest === undefined; turn++) {
            const size = sizes[turn % sizes.length] ?? 1
            rest = reader.push(stream.subarray(at, at + size))
            at = Math.min(stream.length, at + size)
          }
          const read = reader.handshake
          assert.deepEqual([...(read?.flags ?? [])].sort(), [...sent.flags].sort())
          assert.deepEqual(
            [toHex(read?.infoHash ?? bytesOf()), toHex(read?.peerId ?? bytesOf())],
            [toHex(sent.infoHash), toHex(sent.peerId)],
          )
          assert.equal(toHex(rest) + toHex(stream.subarray(at)), toHex(behind))
        },
      ),
    )
  })

  it('of garbage is a violation', () => {
    fc.assert(
      fc.property(fc.array(garbage), (chunks) =>
        violationOr(() => {
          const reader = new HandshakeReader()
          for (const chunk of chunks) if (reader.push(chunk) !== undefined) break
        }),
      ),
    )
  })
})

const bytesOf = (): Uint8Array => new Uint8Array(0)

describe('the messages of extensions', () => {
  const message: fc.Arbitrary<MetadataMessage> = fc.oneof(
    record({ type: fc.constantFrom('request' as const, 'reject' as const), block: fc.nat() }),
    record({
      type: fc.constant('data' as const),
      block: fc.nat(),
      size: fc.integer({ min: 1 }),
      data: fc.uint8Array({ minLength: 1 }),
    }),
  )
  it('about metadata are read back', () => {
    fc.assert(
      fc.property(message, (sent) => {
        const read = decodeMetadataMessage(joined(encodeMetadataMessage(sent)))
        const plain = (each: MetadataMessage | undefined) =>
          each?.type === 'data' ? { ...each, data: toHex(each.data) } : each
        assert.deepEqual(plain(read), plain(sent))
      }),
    )
  })

  it('about peers are read back', () => {
    const peers = fc.array(fc.tuple(fc.oneof(address(host4), address(host6)), fc.boolean(), fc.boolean()), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(peers, addresses, (told, dropped) => {
        const added = told.map(([each, seed, reachable]) => ({ ...each, seed, reachable }))
        const byFamily = <T extends { host: string }>(list: T[]) => [
          ...list.filter(({ host }) => !host.includes(':')),
          ...list.filter(({ host }) => host.includes(':')),
        ]
        assert.deepEqual(decodePex(encodePex({ added, dropped })), {
          added: byFamily(added),
          dropped: byFamily(dropped),
        })
      }),
    )
  })

  it('that greet are read back', () => {
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
    const greeting = record({
      extensions: fc
        .array(fc.tuple(fc.constantFrom('ut_pex', 'ut_metadata', 'x'), fc.nat({ max: 255 })))
        .map((each) => new Map(each)),
      version: optional(fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed())),
      requests: fc.integer({ min: 1 }),
      port: optional(port),
      metadataSize: optional(fc.integer({ min: 1 })),
      uploadOnly: fc.boolean(),
      yourIp: fc.constant(undefined),
    })
    fc.assert(
      fc.property(greeting, (sent) => {
        assert.deepEqual(decodeTorrentGreeting(encodeTorrentGreeting(sent)), sent)
      }),
    )
  })

  it('throw nothing but violations at garbage', () => {
    fc.assert(
      fc.property(garbage, (payload) => {
        violationOr(() => decodeMetadataMessage(payload))
        violationOr(() => decodePex(payload))
        violationOr(() => decodeTorrentGreeting(payload))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('hash requests', () => {
  it('that are taken have an answer that leads into the tree; the others are refused by their numbers', () => {
    const layout = record({
      blocks: fc.integer({ min: 1, max: 70 }),
      perPiece: fc.constantFrom(1, 2, 8),
      seed: fc.nat({ max: 255 }),
    })
    const small = fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 8, 16, 32, 64), fc.nat({ max: 0xffff_ffff }))
    fc.assert(
      fc.property(
        layout,
        small,
        small,
        small,
        small,
        ({ blocks, perPiece, seed }, baseLayer, index, length, proofLayers) => {
          const size = blocks * BLOCK_BYTES - 1
          const pieceLength = perPiece * BLOCK_BYTES
          const leaves = joined(Array.from({ length: blocks }, (_, at) => sha256(Uint8Array.of(at, seed))))
          const pieces = Math.ceil(blocks / perPiece)
          const stride = perPiece * 32
          const layer = joined(
            Array.from({ length: pieces }, (_, piece) =>
              pieceHash(leaves.subarray(piece * stride, (piece + 1) * stride), size, pieceLength),
            ),
          )
          const root = rootOfPieces(layer, size, pieceLength)
          const span = { root, baseLayer, index, length, proofLayers }
          if (requestProblem(span, size, pieceLength) !== undefined) return
          assert.ok(length <= MOST_HASHES && (baseLayer === 0 || baseLayer === pieceLayer(pieceLength)))
          const { first, count } = piecesNeeded(span, size, pieceLength)
          const answer = answerTo(span, {
            size,
            pieceLength,
            layer,
            blocks: leaves.subarray(first * stride, (first + count) * stride),
          })
          const uncles = Math.max(0, proofLayers + 1 - layersAbove(length))
          assert.equal(answer.length, (length + uncles) * 32)
          const top = leadsTo(span, answer)
          if (baseLayer + proofLayers + 1 === layersAbove(blocks))
            assert.equal(toHex(top ?? bytesOf()), toHex(root))
        },
      ),
      { numRuns: 3000 },
    )
  })
})

describe('fetching metadata', () => {
  it('ends with the dictionary as long as one honest peer is there, whatever the others do', () => {
    const act = record({
      peer: fc.nat({ max: 3 }),
      what: fc.constantFrom('honest', 'lie', 'reject', 'leave', 'join'),
      wrong: fc.nat(),
    })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60_000 }), fc.array(act, { maxLength: 60 }), (size, acts) => {
        const info = Uint8Array.from({ length: size }, (_, at) => at * 7 + (at >> 8))
        const fetch = new MetadataFetch({ v1: undefined, v2: sha256(info) })
        const open = new Map<string, number[]>()
        const ask = (name: string): void =>
          void open.set(name, [...(open.get(name) ?? []), ...fetch.next(peerKey(name))])
        for (const { peer, what, wrong } of acts) {
          const name = `peer${peer}`
          const id = peerKey(name)
          if (what === 'join') fetch.joined(id, wrong % 5 === 0 ? (wrong % 70_000) + 1 : size)
          if (what === 'leave') {
            fetch.left(id)
            open.delete(name)
          }
          ask(name)
          const block = open.get(name)?.shift()
          if (block === undefined) continue
          const data = metadataBlock(info, block) ?? bytesOf()
          if (what === 'reject') fetch.rejected(id, block)
          else if (what === 'lie')
            fetch.received(
              id,
              block,
              size,
              Uint8Array.from(data, (byte) => byte ^ (wrong & 0xff)),
            )
          else fetch.received(id, block, size, data)
        }
        // now the liars go, and one stays that tells the truth
        for (const name of open.keys()) fetch.left(peerKey(name))
        for (let peer = 0; peer < 4; peer++) fetch.left(peerKey(`peer${peer}`))
        const honest = peerKey('honest')
        fetch.joined(honest, size)
        for (let round = 0; fetch.whole === undefined && round < 40; round++)
          for (const block of fetch.next(honest))
            fetch.received(honest, block, size, metadataBlock(info, block) ?? bytesOf())
        assert.equal(toHex(fetch.whole ?? bytesOf()), toHex(info))
      }),
      { numRuns: 300 },
    )
  })
})
