/** One announce to a tracker that is honest, lies, hangs, sends too much, or sends us elsewhere; over HTTP and UDP, on loopback. */
import assert from 'node:assert/strict'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Reach } from '../../src/core/ip-reach.ts'
import type { AnnounceRequest } from '../../src/torrent/announce.ts'
import type { Answered } from '../../src/torrent/discovery/http-announce.ts'
import { TrackerClient } from '../../src/torrent/discovery/tracker-client.ts'
import { addressesOf, type Resolve } from '../../src/torrent/discovery/tracker-hosts.ts'
import { SYSTEM_CLOCK, TestClock } from './torrent-clock.ts'

const REQUEST: AnnounceRequest = {
  infoHash: Uint8Array.from({ length: 20 }, (_, at) => at * 13),
  peerId: Buffer.from('-SH0100-abcdefghijkl'),
  port: 6881,
  uploaded: 1,
  downloaded: 2,
  left: 3,
  event: 'started',
  wanted: 50,
  key: 5,
  trackerId: undefined,
}

const GOOD = 'd8:intervali900e5:peers6:\x7f\0\0\x01\x1a\xe1e'

interface Asking {
  readonly nearest?: Reach
  readonly resolve?: Resolve
  readonly signal?: AbortSignal
  readonly clock?: TestClock
}

function ask(tracker: string, asking: Asking = {}): Promise<Answered> {
  const { nearest = 'machine', resolve = noName, clock = SYSTEM_CLOCK, signal } = asking
  const client = new TrackerClient({ clock, resolve, userAgent: 'share/test' })
  return client.announce(tracker, REQUEST, { nearest, signal: signal ?? new AbortController().signal })
}

const noName: Resolve = (host) => Promise.reject(new Error(`who is ${host}`))

async function httpTracker(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function udpTracker(
  t: TestContext,
  answer: (packet: Buffer, reply: (bytes: Uint8Array) => void, socket: Socket, from: RemoteInfo) => void,
): Promise<string> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  t.after(() => socket.close())
  socket.on('message', (packet, from) =>
    answer(packet, (bytes) => socket.send(bytes, from.port, from.address), socket, from),
  )
  return `udp://127.0.0.1:${socket.address().port}/announce?k=1`
}

describe('an HTTP tracker', () => {
  it('is asked for what its URL says, and answers', async (t) => {
    const seen: (string | undefined)[] = []
    const base = await httpTracker(t, ({ url, headers }, response) => {
      seen.push(url, headers['user-agent'], headers.connection)
      response.end(Buffer.from(GOOD, 'latin1'))
    })
    const { answer, reach } = await ask(`${base}/announce?passkey=x`)
    assert.deepEqual(
      [answer.interval, answer.peers, reach],
      [900, [{ host: '127.0.0.1', port: 6881 }], 'machine'],
    )
    assert.match(seen[0] ?? '', /^\/announce\?passkey=x&info_hash=%00%0D%1A%274AN%5B.*&event=started$/)
    assert.deepEqual(seen.slice(1), ['share/test', 'close'])
  })

  it('may pack its answer', async (t) => {
    const base = await httpTracker(t, (_, response) =>
      response.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.from(GOOD, 'latin1'))),
    )
    assert.equal((await ask(base)).answer.interval, 900)
  })

  const cases: readonly [string, RequestListener, string, RegExp][] = [
    ['refuses', (_, response) => response.end('d14:failure reason7:go awaye'), 'refused', /^go away$/],
    [
      'refuses with a status of its own',
      (_, response) => response.writeHead(403).end('d14:failure reason7:go awaye'),
      'refused',
      /^go away$/,
    ],
    ['is none', (_, response) => response.writeHead(404).end('<html>'), 'malformed', /status 404/],
    [
      'says that all is well under a status that is not',
      (_, response) => response.writeHead(500).end(GOOD),
      'malformed',
      /status 500/,
    ],
    ['sends what is no bencode', (_, response) => response.end('l-3:ae'), 'malformed', /malformed/],
    ['sends nothing', (_, response) => response.end(), 'malformed', /malformed/],
    [
      'says more than it sends',
      (_, response) => response.end('d8:intervali900e5:peers600:ae'),
      'malformed',
      /longer than/,
    ],
    [
      'never stops',
      (_, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 'a')));
          if (!response.destroyed) response.once('drain', more)
        }
        more()
      },
      'malformed',
      /more than 262144 bytes/,
    ],
    [
      'sends little that unpacks to much',
      (_, response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.alloc(1 << 25))),
      'malformed',
      /more than 262144 bytes/,
    ],
    [
      'sends what does not unpack',
      (_, response) => response.setHeader('content-encoding', 'gzip').end('nonsense'),
      'silent',
      /header/,
    ],
    [
      'packs in a way that nobody asked for',
      (_, response) => response.setHeader('content-encoding', 'br').end('x'),
      'malformed',
      /encoding/,
    ],
    ['hangs up', ({ socket }) => socket.destroy(), 'silent', /hang up|ECONNRESET/],
    [
      'breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('d8:', () => response.destroy())
      },
      'silent',
      /aborted|terminated|hang up/,
    ],
    [
      'redirects in a circle',
      (_, response) => response.writeHead(302, { location: '/again' }).end(),
      'malformed',
      /4 times/,
    ],
    [
      'redirects to what is no tracker',
      (_, response) => response.writeHead(301, { location: 'file:///etc/passwd' }).end(),
      'malformed',
      /nobody should follow/,
    ],
    [
      'redirects to another protocol',
      (_, response) => response.writeHead(301, { location: 'udp://127.0.0.1:1' }).end(),
      'malformed',
      /nobody should follow/,
    ],
    [
      'redirects to nonsense',
      (_, response) => response.writeHead(301, { location: 'http://[::' }).end(),
      'malformed',
      /nobody should follow/,
    ],
    ['redirects nowhere', (_, response) => response.writeHead(301).end(), 'malformed', /status 301/],
  ]
  for (const [what, conduct, code, message] of cases)
    it(`that ${what} fails with a reason`, async (t) => {
      await assert.rejects(ask(await httpTracker(t, conduct)), { name: 'TrackerError', code, message })
    })

  it('that is not there fails', async () => {
    await assert.rejects(ask('http://127.0.0.1:1/announce'), { code: 'silent', message: /ECONNREFUSED/ })
    await assert.rejects(ask('http://nowhere.example/announce'), {
      code: 'silent',
      message: /no host nowhere/,
    })
  })

  it('may redirect', async (t) => {
    const base = await httpTracker(t, ({ url }, response) => {
      if (url?.startsWith('/new') === true) response.end(Buffer.from(GOOD, 'latin1'))
      else response.writeHead(307, { location: '/new?x' }).end()
    })
    assert.equal((await ask(`${base}/old`)).answer.interval, 900)
  })

  it('that hangs is given up', async (t) => {
    const clock = new TestClock()
    const asked = Promise.withResolvers<void>()
    const base = await httpTracker(t, () => asked.resolve())
    const asking = assert.rejects(ask(base, { clock }), { code: 'silent', message: /30 s/ })
    await asked.promise
    await clock.advance(30_000)
    await asking
  })

  it('is not waited for when the signal says so', async (t) => {
    const stop = new AbortController()
    const base = await httpTracker(t, () => stop.abort(new Error('enough')))
    await assert.rejects(ask(base, { signal: stop.signal }), { message: 'enough' })
  })
})

describe('a URL from a stranger', () => {
  const asked = async (t: TestContext): Promise<{ base: string; requests: string[] }> => {
    const requests: string[] = []
    const base = await httpTracker(t, ({ url = '' }, response) => {
      requests.push(url)
      response.end(Buffer.from(GOOD, 'latin1'))
    })
    return { base, requests }
  }

  it('leads to no service of this machine, by address or by name, over HTTP or UDP', async (t) => {
    const { base, requests } = await asked(t)
    const { port } = new URL(base)
    const resolve: Resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }])
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'localhost',
      'rebind.example',
      '0.0.0.0',
      '[64:ff9b::7f00:1]',
    ])
      for (const scheme of ['http', 'https', 'udp'])
        await assert.rejects(
          ask(`${scheme}://${host}:${port}/announce`, { nearest: 'world', resolve }),
          { code: 'forbidden' },
          `${scheme} ${host}`,
        )
    assert.deepEqual(requests, [])
  })

  it('of a name with several addresses leads to those of the world alone', async () => {
    const resolve: Resolve = () =>
      Promise.resolve([
        { address: '10.0.0.1', family: 4 },
        { address: '198.51.100.7', family: 4 },
        { address: 'fe80::1', family: 6 },
        { address: '2001:db8::7', family: 6 },
      ])
    const allowed = async (nearest: Reach): Promise<string[]> =>
      (await addressesOf('tracker.example', nearest, resolve)).map(({ address }) => address)
    assert.deepEqual(await allowed('world'), ['198.51.100.7', '2001:db8::7'])
    assert.deepEqual(await allowed('site'), ['10.0.0.1', '198.51.100.7', '2001:db8::7'])
    assert.equal(
      (
        await addressesOf('x', 'world', async () =>
          Array.from({ length: 99 }, () => ({ address: '198.51.100.7', family: 4 })),
        )
      ).length,
      8,
    )
  })

  it('is called at the address that was checked, whatever its name says the next time', async (t) => {
    const { base, requests } = await asked(t)
    let times = 0
    const resolve: Resolve = () => {
      times++
      return Promise.resolve([{ address: '127.0.0.1', family: 4 }])
    }
    await ask(base.replace('127.0.0.1', 'tracker.example'), { resolve })
    assert.deepEqual([times, requests.length], [1, 1])
  })
})

describe('a UDP tracker', () => {
  const connected = (packet: Buffer): Buffer => {
    const reply = Buffer.alloc(16)
    packet.copy(reply, 4, 12, 16)
    reply.writeBigUInt64BE(77n, 8)
    return reply
  }
  const announced = (packet: Buffer, peers: Buffer): Buffer => {
    const reply = Buffer.alloc(20)
    reply.writeUInt32BE(1, 0)
    packet.copy(reply, 4, 12, 16)
    reply.writeUInt32BE(900, 8)
    return Buffer.concat([reply, peers])
  }
  const PEERS = Buffer.from('\x7f\0\0\x01\x1a\xe1', 'latin1')

  it('answers; a part of a peer at the end is nobody', async (t) => {
    const packets: Buffer[] = []
    const tracker = await udpTracker(t, (packet, reply) => {
      packets.push(packet)
      reply(
        packet.length === 16
          ? connected(packet)
          : announced(packet, Buffer.concat([PEERS, PEERS.subarray(0, 5)])),
      )
    })
    const { answer, reach } = await ask(tracker)
    assert.deepEqual(
      [answer.interval, answer.peers, reach],
      [900, [{ host: '127.0.0.1', port: 6881 }], 'machine'],
    )
    assert.equal(packets[1]?.readBigUInt64BE(0), 77n)
    assert.ok(packets[1]?.includes('/announce?k=1'))
  })

  it('refuses', async (t) => {
    const tracker = await udpTracker(t, (packet, reply) => {
      const head = Buffer.alloc(8)
      head.writeUInt32BE(3)
      packet.copy(head, 4, 12, 16)
      reply(Buffer.concat([head, Buffer.from('go away')]))
    })
    await assert.rejects(ask(tracker), { code: 'refused', message: 'go away' })
  })

  it('is not believed under a wrong number, cut off, or from elsewhere', async (t) => {
    const stranger = createSocket('udp4').bind(0, '127.0.0.1')
    await once(stranger, 'listening')
    t.after(() => stranger.close())
    const lie = Buffer.from('\x7f\0\0\x01\0\x01', 'latin1')
    const tracker = await udpTracker(t, (packet, reply, _socket, from) => {
      if (packet.length === 16) return reply(connected(packet))
      const wrong = Buffer.from(packet)
      wrong.writeUInt32BE((packet.readUInt32BE(12) + 1) >>> 0, 12)
      reply(announced(wrong, lie))
      reply(announced(packet, lie).subarray(0, 19))
      reply(Buffer.alloc(0))
      stranger.send(announced(packet, lie), from.port, from.address)
      setTimeout(() => reply(announced(packet, PEERS)), 100)
    })
    assert.deepEqual((await ask(tracker)).answer.peers, [{ host: '127.0.0.1', port: 6881 }])
  })

  it('that is silent is asked again, and given up', async (t) => {
    const clock = new TestClock()
    let packets = 0
    const heard = Promise.withResolvers<void>()
    const tracker = await udpTracker(t, () => {
      packets++
      heard.resolve()
    })
    const asking = assert.rejects(ask(tracker, { clock }), { code: 'silent', message: /60 s/ })
    await heard.promise
    await clock.advance(61_000)
    await asking
    // by the time that the answer was given up the last packet may be on its way
    assert.ok(packets >= 1 && packets <= 3)
  })

  it('that is not there fails at once', async () => {
    await assert.rejects(ask('udp://127.0.0.1:1'), { code: 'silent', message: /ECONNREFUSED/ })
  })

  it('is not waited for when the signal says so', async (t) => {
    const stop = new AbortController()
    const tracker = await udpTracker(t, () => stop.abort(new Error('enough')))
    await assert.rejects(ask(tracker, { signal: stop.signal }), { message: 'enough' })
  })
})
