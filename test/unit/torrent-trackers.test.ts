/** Trackers: which is asked next (BEP 12), what is said over HTTP (BEP 3, 23) and UDP (BEP 15); and local discovery (BEP 14). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Prng } from '../../src/core/prng.ts'
import { millis } from '../../src/core/types.ts'
import type { AnnounceRequest } from '../../src/torrent/announce.ts'
import { AnnounceList, checkedTiers, readTiers } from '../../src/torrent/announce-list.ts'
import { announceUrl, decodeAnnounceAnswer } from '../../src/torrent/http-tracker.ts'
import { decodeLocalAnnounce, encodeLocalAnnounce } from '../../src/torrent/local-discovery.ts'
import { mayUse } from '../../src/torrent/sources.ts'
import { UdpCall } from '../../src/torrent/udp-call.ts'
import { decodeUdpAnswer, encodeAnnounce, encodeConnect } from '../../src/torrent/udp-packets.ts'

const url = (name: string): string => `http://${name}.example/announce`
const bytes = (text: string): Uint8Array => Buffer.from(text)
/** Leaves every tier as it is. */
const STILL: Prng = { below: (bound) => bound - 1, unit: () => 0 }

describe('the trackers of a torrent', () => {
  it('are those of the list, else the one', () => {
    const list = [[bytes(url('a')), bytes(url('b'))], [bytes(` ${url('c')} `)]]
    assert.deepEqual(readTiers(bytes(url('x')), list), [[url('a'), url('b')], [url('c')]])
    assert.deepEqual(readTiers(bytes(url('x')), undefined), [[url('x')]])
    assert.deepEqual(readTiers(bytes(url('x')), [[], 5]), [[url('x')]])
    assert.deepEqual(readTiers(undefined, undefined), [])
  })

  it('have no repetitions, no other URLs, and are not too many', () => {
    assert.deepEqual(
      checkedTiers([[url('a'), 'ftp://a.example', url('a')], [url('a')], ['', 'udp://a.example']]),
      [[url('a')]],
    )
    const many = Array.from({ length: 500 }, (_, at) => [url(`t${at}`)])
    assert.equal(checkedTiers(many).length, 200)
  })
})

describe('the next tracker', () => {
  it('is the next of the tier, then the first of the next tier', () => {
    const list = new AnnounceList([['a', 'b'], ['c']], STILL)
    const asked: (string | undefined)[] = []
    for (let turn = 0; turn < 4; turn++) {
      asked.push(list.current)
      list.failed()
    }
    assert.deepEqual(asked, ['a', 'b', 'c', undefined])
    list.restart()
    assert.equal(list.current, 'a')
  })

  it('is the one that answered, from then on', () => {
    const list = new AnnounceList([['a', 'b', 'c'], ['d']], STILL)
    list.failed()
    list.failed()
    list.answered()
    assert.deepEqual([list.current, list.tiers], ['c', [['c', 'a', 'b'], ['d']]])
  })

  it('comes in an order of chance', () => {
    const first: Prng = { below: () => 0, unit: () => 0 }
    assert.deepEqual(new AnnounceList([['a', 'b', 'c']], first).tiers, [['b', 'c', 'a']])
  })
})

const REQUEST: AnnounceRequest = {
  infoHash: Uint8Array.from({ length: 20 }, (_, at) => at * 13),
  peerId: Buffer.from('-SH0100-abcdefghijkl'),
  port: 6881,
  uploaded: 1,
  downloaded: 2 ** 40,
  left: 3,
  event: 'started',
  wanted: 50,
  key: 0xdeadbeef,
  trackerId: undefined,
}

describe('an announce over HTTP', () => {
  it('is a URL with the bytes escaped; the query that is there stays', () => {
    // bytes that are letters or digits stand for themselves
    const expected =
      'info_hash=%00%0D%1A%274AN%5Bhu%82%8F%9C%A9%B6%C3%D0%DD%EA%F7&peer_id=-SH0100-abcdefghijkl&port=6881&uploaded=1' +
      '&downloaded=1099511627776&left=3&compact=1&numwant=50&key=deadbeef&event=started'
    assert.equal(announceUrl('http://a.example/announce', REQUEST), `http://a.example/announce?${expected}`)
    assert.equal(
      announceUrl('http://a.example/x?passkey=1#y', REQUEST),
      `http://a.example/x?passkey=1&${expected}`,
    )
    const between = announceUrl('http://a.example/', {
      ...REQUEST,
      event: undefined,
      trackerId: bytes('a b'),
    })
    assert.ok(!between.includes('event=') && between.endsWith('&trackerid=a%20b'))
  })

  const answer = (text: string) => decodeAnnounceAnswer(Buffer.from(text, 'latin1'))

  it('is answered by peers in the compact form, or as a list, of either family', () => {
    const compact = answer(
      'd8:completei5e10:incompletei7e8:intervali900e5:peers12:\x7f\0\0\x01\x1a\xe1\xc0\0\x02\x01\0\x006:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50e',
    )
    assert.deepEqual(compact.peers, [
      { host: '127.0.0.1', port: 6881 },
      { host: '2001:db8::1', port: 80 },
    ])
    assert.deepEqual(
      [compact.interval, compact.minInterval, compact.seeders, compact.leechers],
      [900, 900, 5, 7],
    )
    const listed = answer(
      'd8:intervali900e12:min intervali300e5:peersld2:ip9:192.0.2.14:porti1eed2:ip11:example.org4:porti1eed4:porti1eei5ed2:ip3:::14:porti2eeee',
    )
    assert.deepEqual(
      [listed.peers, listed.minInterval],
      [
        [
          { host: '192.0.2.1', port: 1 },
          { host: '::1', port: 2 },
        ],
        300,
      ],
    )
  })

  it('has intervals that can be kept to', () => {
    for (const [text, seconds] of [
      ['de', 1800],
      ['d8:intervali0ee', 1800],
      ['d8:intervali-5ee', 1800],
      ['d8:intervali1ee', 60],
      ['d8:intervali99999999999ee', 86_400],
    ] as const)
      assert.equal(answer(text).interval, seconds, text)
  })

  it("tells the tracker's own words, made safe to print", () => {
    assert.throws(() => answer('d14:failure reason12:go\x1b[31maway!e'), {
      name: 'TrackerError',
      code: 'refused',
      message: 'go\ufffd[31maway!',
    })
    assert.equal(answer('d15:warning message3:olde').warning, 'old')
    assert.equal(answer('d10:tracker id2:xye').trackerId?.length, 2)
  })

  it('that makes no sense is an error', () => {
    for (const text of ['', '<html>', 'l-3:ae', 'i1e', `d5:peers${'9'.repeat(300_000)}`])
      assert.throws(() => answer(text), { name: 'TrackerError', code: 'malformed' })
  })
})

const hex = (packet: Uint8Array | undefined): string => Buffer.from(packet ?? '').toString('hex')

describe('the packets of trackers over UDP', () => {
  it('are those of BEP 15', () => {
    assert.equal(hex(encodeConnect(0x01020304)), '0000041727101980' + '00000000' + '01020304')
    const announce = encodeAnnounce(0x1122334455667788n, 0x01020304, REQUEST)
    const fields = [
      '1122334455667788',
      '00000001',
      '01020304',
      hex(REQUEST.infoHash),
      hex(REQUEST.peerId),
      '0000010000000000',
      '0000000000000003',
      '0000000000000001',
      '00000002',
      '00000000',
      'deadbeef',
      '00000032',
      '1ae1',
    ]
    assert.equal(hex(announce), fields.join(''))
    assert.equal(announce.length, 98)
  })

  it('carry the path of the URL behind, in parts (BEP 41)', () => {
    const path = `/announce?${'x'.repeat(300)}`
    const options = encodeAnnounce(0n, 0, REQUEST, path).subarray(98)
    assert.deepEqual([options[0], options[1], options[257], options[258]], [2, 255, 2, 55])
    assert.equal(Buffer.concat([options.subarray(2, 257), options.subarray(259)]).toString(), path)
    assert.equal(encodeAnnounce(0n, 0, REQUEST, '/').length, 98)
  })

  it('are read: an id, peers of the family of the address, an error', () => {
    const read = (text: string, family: 4 | 6 = 4) =>
      decodeUdpAnswer(Buffer.from(text.replaceAll(' ', ''), 'hex'), family)
    assert.deepEqual(read('00000000 00000007 1122334455667788'), {
      type: 'connected',
      transaction: 7,
      connection: 0x1122334455667788n,
    })
    const head = { type: 'announced', transaction: 7, interval: 1800, leechers: 2, seeders: 3 }
    const answer = '00000001 00000007 00000708 00000002 00000003'
    assert.deepEqual(read(`${answer} c00002011ae1 c00002`), {
      ...head,
      peers: [{ host: '192.0.2.1', port: 6881 }],
    })
    assert.deepEqual(read(`${answer} 20010db8000000000000000000000001 0050`, 6), {
      ...head,
      peers: [{ host: '2001:db8::1', port: 80 }],
    })
    assert.deepEqual(read('00000003 00000007 6e6f1b'), { type: 'error', transaction: 7, message: 'no\ufffd' })
    for (const short of [
      '',
      '00000000',
      '00000000 00000007 11',
      '00000001 00000007 00000708 00000002',
      '00000002 00000007',
      'ffffffff 00000007',
    ])
      assert.throws(() => read(short), { name: 'TrackerError', code: 'malformed' })
  })
})

describe('a call over UDP', () => {
  const tracker = { family: 4 as const, path: '/announce' }
  /** Numbers one after the other. */
  function counting(): Prng {
    let next = 0
    return { below: () => ++next, unit: () => 0 }
  }
  const connected = (transaction: number) =>
    Buffer.from(`00000000${transaction.toString(16).padStart(8, '0')}1122334455667788`, 'hex')
  const announced = (transaction: number) =>
    Buffer.from(
      `00000001${transaction.toString(16).padStart(8, '0')}000007080000000200000003c00002011ae1`,
      'hex',
    )

  it('connects, announces, and gives the peers', () => {
    const call = new UdpCall(tracker, REQUEST, counting(), millis(0))
    assert.deepEqual(call.tick(millis(0)), { type: 'send', packet: encodeConnect(1) })
    assert.equal(call.tick(millis(1)), undefined)
    const announce = encodeAnnounce(0x1122334455667788n, 2, REQUEST, '/announce')
    assert.deepEqual(call.received(connected(1), millis(10)), { type: 'send', packet: announce })
    const over = call.received(announced(2), millis(20))
    assert.ok(over?.type === 'done')
    assert.deepEqual(
      [over.answer.peers, over.answer.interval, call.due],
      [[{ host: '192.0.2.1', port: 6881 }], 1800, undefined],
    )
  })

  it('asks again, later each time, and gives up', () => {
    const call = new UdpCall(tracker, REQUEST, counting(), millis(0))
    const times: (number | undefined)[] = []
    for (let step = call.tick(millis(0)); step?.type === 'send'; step = call.tick(call.due ?? millis(0)))
      times.push(call.due)
    assert.deepEqual(times, [15_000, 45_000, 105_000, 225_000, 465_000])
    assert.equal(call.due, undefined)
    assert.equal(call.received(connected(5), millis(465_001)), undefined)
  })

  it('connects anew when the id is older than a minute', () => {
    const call = new UdpCall(tracker, REQUEST, counting(), millis(0))
    call.tick(millis(0))
    call.received(connected(1), millis(0))
    const again = [call.tick(millis(15_000)), call.tick(millis(45_000)), call.tick(millis(105_000))]
    assert.deepEqual(
      again.map((step) => (step?.type === 'send' ? step.packet.length : step)),
      [98 + 11, 98 + 11, 16],
    )
  })

  it('passes over packets that answer nothing of ours', () => {
    const call = new UdpCall(tracker, REQUEST, counting(), millis(0))
    assert.equal(call.received(connected(0), millis(0)), undefined)
    call.tick(millis(0))
    for (const packet of [connected(2), announced(1), Buffer.from('garbage'), Buffer.alloc(0)])
      assert.equal(call.received(packet, millis(1)), undefined)
    call.received(connected(1), millis(2))
    // a second one, late
    assert.equal(call.received(connected(2), millis(3)), undefined)
    assert.equal(call.received(announced(2), millis(4))?.type, 'done')
  })

  it('is over when the tracker says no', () => {
    const call = new UdpCall(tracker, REQUEST, counting(), millis(0))
    call.tick(millis(0))
    const step = call.received(Buffer.from('00000003000000016e6f', 'hex'), millis(1))
    assert.ok(step?.type === 'failed')
    assert.deepEqual([step.error.code, step.error.message], ['refused', 'no'])
  })
})

describe('local discovery', () => {
  const ours = {
    port: 6881,
    infoHashes: [new Uint8Array(20).fill(0xab), new Uint8Array(20).fill(0x01)],
    cookie: 'c1',
  }

  it('is the text of BEP 14', () => {
    const text = [
      'BT-SEARCH * HTTP/1.1',
      'Host: 239.192.152.143:6771',
      'Port: 6881',
      `Infohash: ${'ab'.repeat(20)}`,
      `Infohash: ${'01'.repeat(20)}`,
      'cookie: c1',
      '',
      '',
      '',
    ].join('\r\n')
    assert.equal(Buffer.from(encodeLocalAnnounce(4, ours)).toString(), text)
    assert.match(Buffer.from(encodeLocalAnnounce(6, ours)).toString(), /^Host: \[ff15::efc0:988f\]:6771\r$/m)
    const read = decodeLocalAnnounce(Buffer.from(text))
    assert.deepEqual(
      [read?.port, read?.cookie, read?.infoHashes.map(hex)],
      [6881, 'c1', ours.infoHashes.map(hex)],
    )
    assert.throws(
      () => encodeLocalAnnounce(4, { ...ours, infoHashes: Array(21).fill(ours.infoHashes[0]) }),
      RangeError,
    )
  })

  it('that is no announce is passed over', () => {
    const hash = `Infohash: ${'ab'.repeat(20)}\r\n`
    for (const text of [
      '',
      'M-SEARCH * HTTP/1.1\r\n',
      `GET / HTTP/1.1\r\nPort: 1\r\n${hash}`,
      `BT-SEARCH * HTTP/1.1\r\nPort: 0\r\n${hash}`,
      `BT-SEARCH * HTTP/1.1\r\nPort: 70000\r\n${hash}`,
      `BT-SEARCH * HTTP/1.1\r\nPort: -1\r\n${hash}`,
      `BT-SEARCH * HTTP/1.1\r\n${hash}`,
      'BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n',
      'BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: abc\r\n',
      `BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n${hash.repeat(60)}`,
    ])
      assert.equal(decodeLocalAnnounce(Buffer.from(text)), undefined, text.slice(0, 50))
  })
})

describe('where peers may come from', () => {
  const SOURCES = ['tracker', 'named', 'incoming', 'dht', 'pex', 'lsd'] as const
  it('is anywhere, but for private torrents', () => {
    const allowed = (info: { isPrivate: boolean } | undefined) =>
      SOURCES.filter((source) => mayUse(source, info))
    assert.deepEqual(allowed({ isPrivate: false }), SOURCES)
    assert.deepEqual(allowed(undefined), SOURCES)
    assert.deepEqual(allowed({ isPrivate: true }), ['tracker', 'named', 'incoming'])
  })
})
