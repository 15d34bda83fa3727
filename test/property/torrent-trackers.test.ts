import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeBencode } from '../../src/core/bencode.ts'
import { createPrng } from '../../src/core/prng.ts'
import { millis } from '../../src/core/types.ts'
import { type AnnounceRequest, MOST_PEERS, TrackerError } from '../../src/torrent/announce.ts'
import { AnnounceList, checkedTiers, readTiers } from '../../src/torrent/announce-list.ts'
import { announceUrl, decodeAnnounceAnswer } from '../../src/torrent/http-tracker.ts'
import { decodeLocalAnnounce, encodeLocalAnnounce } from '../../src/torrent/local-discovery.ts'
import { UdpCall } from '../../src/torrent/udp-call.ts'
import { decodeUdpAnswer, encodeAnnounce } from '../../src/torrent/udp-packets.ts'
import fc from './seeded.ts'

const bytes20 = fc.uint8Array({ minLength: 20, maxLength: 20 })
const amount = fc.maxSafeNat()
const request: fc.Arbitrary<AnnounceRequest> = fc.record({
  infoHash: bytes20,
  peerId: bytes20,
  port: fc.integer({ min: 1, max: 65_535 }),
  uploaded: amount,
  downloaded: amount,
  left: amount,
  event: fc.constantFrom(undefined, 'started' as const, 'stopped' as const, 'completed' as const),
  wanted: fc.nat({ max: 500 }),
  key: fc.nat({ max: 0xffff_ffff }),
  trackerId: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
})

function trackerErrorOr<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (thrown) {
    assert.ok(thrown instanceof TrackerError, String(thrown))
    return undefined
  }
}

describe('an announce', () => {
  it('over HTTP carries every byte', () => {
    fc.assert(
      fc.property(request, (sent) => {
        const query = announceUrl('http://a.example/announce', sent).split('?')[1] ?? ''
        const fields = new Map(query.split('&').map((field) => field.split('=') as [string, string]))
        const raw = (name: string) =>
          Buffer.from(
            (fields.get(name) ?? '').replaceAll(/%(..)/g, (_, hex) =>
              String.fromCharCode(Number.parseInt(hex, 16)),
            ),
            'latin1',
          )
        assert.deepEqual([...raw('info_hash')], [...sent.infoHash])
        assert.deepEqual([...raw('peer_id')], [...sent.peerId])
        assert.deepEqual([...raw('trackerid')], [...(sent.trackerId ?? [])])
        assert.deepEqual(
          ['uploaded', 'downloaded', 'left', 'port'].map((name) => Number(fields.get(name))),
          [sent.uploaded, sent.downloaded, sent.left, sent.port],
        )
        assert.match(query, /^[\w.~%=&-]+$/)
      }),
    )
  })

  it('over UDP has its fields at their places', () => {
    fc.assert(
      fc.property(
        request,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.nat({ max: 0xffff_ffff }),
        fc.string(),
        (sent, connection, transaction, path) => {
          const packet = Buffer.from(encodeAnnounce(connection, transaction, sent, path))
          assert.deepEqual([packet.readBigUInt64BE(0), packet.readUInt32BE(12)], [connection, transaction])
          assert.deepEqual(
            [56, 64, 72].map((at) => Number(packet.readBigUInt64BE(at))),
            [sent.downloaded, sent.left, sent.uploaded],
          )
          assert.deepEqual(
            [packet.readUInt32BE(88), packet.readUInt32BE(92), packet.readUInt16BE(96)],
            [sent.key, sent.wanted, sent.port],
          )
        },
      ),
    )
  })
})

describe('the answer of a tracker', () => {
  it('is read or refused with one error, with no more peers than are taken', () => {
    const value = fc.oneof(
      fc.integer(),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(
        fc.dictionary(
          fc.constantFrom('ip', 'port', 'peer id'),
          fc.oneof(fc.integer(), fc.constantFrom('192.0.2.1', '::1', 'x')),
          { noNullPrototype: true },
        ),
      ),
    )
    const keys = [
      'interval',
      'min interval',
      'peers',
      'peers6',
      'complete',
      'incomplete',
      'failure reason',
      'warning message',
      'tracker id',
    ]
    const body = fc.oneof(
      fc
        .dictionary(fc.constantFrom(...keys), value, { noNullPrototype: true })
        .map((answer) => encodeBencode(answer)),
      fc.uint8Array({ maxLength: 100 }),
    )
    fc.assert(
      fc.property(body, (bytes) => {
        const answer = trackerErrorOr(() => decodeAnnounceAnswer(bytes))
        if (answer === undefined) return
        assert.ok(answer.peers.length <= MOST_PEERS && answer.interval >= 60 && answer.interval <= 86_400)
      }),
      { numRuns: 1000 },
    )
  })

  it('over UDP is read or refused with one error', () => {
    const packet = fc
      .tuple(fc.constantFrom(0, 1, 2, 3, 0xffff_ffff), fc.uint8Array({ maxLength: 4000 }))
      .map(([action, rest]) => {
        const head = Buffer.alloc(4)
        head.writeUInt32BE(action)
        return Buffer.concat([head, rest])
      })
    fc.assert(
      fc.property(
        fc.oneof(packet, fc.uint8Array()),
        fc.constantFrom(4 as const, 6 as const),
        (bytes, family) => {
          const answer = trackerErrorOr(() => decodeUdpAnswer(bytes, family))
          if (answer?.type === 'announced') assert.ok(answer.peers.length <= MOST_PEERS)
        },
      ),
    )
  })

  it('ends a call, or the call gives up: whatever comes when', () => {
    const happening = fc.oneof(
      fc.record({ wait: fc.nat({ max: 100_000 }), packet: fc.constant(undefined) }),
      fc.record({ wait: fc.nat({ max: 1000 }), packet: fc.uint8Array({ maxLength: 40 }) }),
      fc.record({
        wait: fc.nat({ max: 70_000 }),
        packet: fc.constantFrom('connect' as const, 'announce' as const, 'error' as const),
      }),
    )
    fc.assert(
      fc.property(request, fc.nat(), fc.array(happening, { maxLength: 20 }), (sent, seed, happenings) => {
        const call = new UdpCall({ family: 4, path: '' }, sent, createPrng(seed), millis(0))
        let now = 0
        let packets = 0
        let last = Buffer.alloc(16)
        const take = (step: ReturnType<UdpCall['tick']>): void => {
          if (step?.type === 'send') {
            packets++
            last = Buffer.from(step.packet)
          } else if (step !== undefined) assert.equal(call.due, undefined)
        }
        take(call.tick(millis(now)))
        for (const { wait, packet } of happenings) {
          now += wait
          take(call.tick(millis(now)))
          if (packet === undefined) continue
          const action = packet === 'connect' ? 0 : packet === 'announce' ? 1 : 3
          const answer =
            typeof packet === 'string'
              ? Buffer.concat([Buffer.from([0, 0, 0, action]), last.subarray(12, 16), Buffer.alloc(12)])
              : packet
          take(call.received(answer, millis(now)))
        }
        for (let due = call.due; due !== undefined; due = call.due) take(call.tick(due))
        assert.ok(packets <= 5 * 22)
        assert.equal(call.tick(millis(2 ** 40)), undefined)
      }),
    )
  })
})

describe('the trackers of a torrent', () => {
  it('are all asked in a round, tier by tier, whatever order chance gives', () => {
    const name = fc.constantFrom(...'abcdefgh').map((letter) => `http://${letter}.example/`)
    fc.assert(
      fc.property(
        fc.array(fc.array(name, { maxLength: 4 }), { maxLength: 4 }),
        fc.nat(),
        fc.nat({ max: 10 }),
        (drawn, seed, answers) => {
          const tiers = checkedTiers(drawn)
          const list = new AnnounceList(tiers, createPrng(seed))
          for (let at = 0; at < answers && list.current !== undefined; at++) list.failed()
          if (list.current === undefined) list.restart()
          else {
            const answered = list.current
            list.answered()
            assert.ok(list.tiers.some(([first]) => first === answered))
          }
          const asked: string[] = []
          for (let url = list.current; url !== undefined; url = list.current) {
            asked.push(url)
            list.failed()
          }
          assert.deepEqual(
            tiers.map((tier) => [...tier].sort()),
            tiers.map((tier) => asked.splice(0, tier.length).sort()),
          )
        },
      ),
    )
  })

  it('are read from anything', () => {
    const value = fc.oneof(
      fc.integer(),
      fc.uint8Array(),
      fc.array(fc.oneof(fc.integer(), fc.uint8Array(), fc.array(fc.uint8Array()))),
    )
    fc.assert(fc.property(value, value, (announce, list) => void readTiers(announce, list)))
  })
})

describe('local discovery', () => {
  it('is read back as it was written', () => {
    const announce = fc.record(
      {
        port: fc.integer({ min: 1, max: 65_535 }),
        infoHashes: fc.array(bytes20, { minLength: 1, maxLength: 20 }),
        cookie: fc.option(fc.stringMatching(/^[a-z0-9]{1,10}$/), { nil: undefined }),
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(announce, fc.constantFrom(4 as const, 6 as const), (sent, family) => {
        const packet = encodeLocalAnnounce(family, sent)
        assert.ok(packet.length <= 1400)
        const read = decodeLocalAnnounce(packet)
        const plain = (hashes: readonly Uint8Array[]) => hashes.map((hash) => [...hash])
        assert.deepEqual(
          { ...read, infoHashes: plain(read?.infoHashes ?? []) },
          { ...sent, infoHashes: plain(sent.infoHashes) },
        )
      }),
    )
  })

  it('takes anything', () => {
    const line = fc.constantFrom(
      'BT-SEARCH * HTTP/1.1',
      'Port: 1',
      'Port:',
      `Infohash: ${'a'.repeat(40)}`,
      ':',
      '',
      'cookie: x',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.array(line).map((lines) => Buffer.from(lines.join('\r\n'))),
        ),
        (packet) => void decodeLocalAnnounce(packet),
      ),
    )
  })
})
