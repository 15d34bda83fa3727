/** BitTorrent peers that break the rules: the port goes on serving others, and what liars send is never kept. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { DaemonInfo } from '../../src/daemon/api.ts'
import {
  encodeBittorrentHandshake,
  HandshakeReader,
} from '../../src/exchange/peer-wire/bittorrent-handshake.ts'
import { FrameDecoder } from '../../src/exchange/peer-wire/framing.ts'
import {
  decodeMessage,
  encodeMessage,
  type KnownMessage,
  type Message,
} from '../../src/exchange/peer-wire/messages.ts'
import {
  encodeMetadataMessage,
  METADATA_BLOCK_BYTES,
} from '../../src/exchange/peer-wire/metadata-messages.ts'
import { encodeTorrentGreeting } from '../../src/exchange/peer-wire/torrent-greeting.ts'
import { formatMagnet, parseMagnet } from '../../src/torrent/magnet.ts'
import { readMetainfo } from '../../src/torrent/metainfo.ts'
import { noise } from '../unit/torrent-trees.ts'
import { Homes, until } from './homes.ts'

const K = 16 << 10
const flags = new Set(['extended', 'fast', 'v2'] as const)

/** A connection by hand. */
class Raw {
  readonly socket: Socket
  readonly #received: Buffer[] = []
  ended = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.#received.push(chunk))
    socket.on('close', () => {
      this.ended = true
    })
    socket.on('error', () => {})
  }

  static async to(t: TestContext, port: number, infoHash: Uint8Array, name: string): Promise<Raw> {
    const socket = connect(port, '127.0.0.1')
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    socket.write(
      encodeBittorrentHandshake({ flags, infoHash, peerId: Buffer.from(name.padEnd(20, '-').slice(0, 20)) }),
    )
    return new Raw(socket)
  }

  say(...messages: KnownMessage[]): void {
    for (const message of messages) for (const part of encodeMessage(message)) this.socket.write(part)
  }

  /** All messages so far, blocks put together. */
  get messages(): Message[] {
    const reader = new HandshakeReader()
    const rest = reader.push(Buffer.concat(this.#received))
    if (rest === undefined) return []
    const messages: Message[] = []
    for (const frame of new FrameDecoder().push(rest))
      messages.push(frame instanceof Uint8Array ? decodeMessage(frame) : frame)
    return messages
  }
}

test('whoever breaks the rules is hung up on; others are served on', async (t) => {
  const homes = await Homes.open(t)
  const home = await homes.add('seeder', { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' })
  const content = noise(3_000_000, 1)
  await writeFile(homes.path('file'), content)
  const cid = await home.share('add', '-q', homes.path('file'))
  const { v1, peers } = parseMagnet(await home.share('link', cid))
  const { torrentPort: port } = await home.json<DaemonInfo>('daemon', 'status')
  assert.ok(port && v1)
  assert.deepEqual(peers, [`127.0.0.1:${port}`])

  const length = (bytes: number): Buffer => {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(bytes)
    head[4] = 20
    return head
  }
  const hashes = { root: new Uint8Array(32), baseLayer: 0, index: 0, length: 2, proofLayers: 0 }
  const rulesBroken: [string, (raw: Raw) => void][] = [
    ['an oversized length', ({ socket }) => socket.write(length(2 ** 32 - 1))],
    ['a piece that there is not', (raw) => raw.say({ type: 'have', index: 3 })],
    ['a bitfield of another length', (raw) => raw.say({ type: 'bitfield', bits: new Uint8Array(9) })],
    ['bytes past the end', (raw) => raw.say({ type: 'request', index: 0, begin: 1 << 20, length: K })],
    ['a block of a megabyte', (raw) => raw.say({ type: 'request', index: 0, begin: 0, length: 1 << 20 })],
    [
      'hashes that nobody asked for',
      (raw) => raw.say({ type: 'hashes', ...hashes, hashes: new Uint8Array(64) }),
    ],
    [
      'metadata that nobody asked for',
      (raw) => {
        const data = { type: 'data', block: 0, size: 5, data: Buffer.from('hello') } as const
        raw.say({ type: 'extended', id: 1, payload: Buffer.concat(encodeMetadataMessage(data)) })
      },
    ],
    ['no bencode', (raw) => raw.say({ type: 'extended', id: 0, payload: Buffer.from('l-3:ae') })],
    [
      'megabytes that nobody asked for',
      (raw) => {
        for (let at = 0; at < 300; at++)
          raw.say({ type: 'piece', index: 0, begin: 0, data: new Uint8Array(K) })
      },
    ],
  ]
  for (const [what, breaks] of rulesBroken) {
    const raw = await Raw.to(t, port, v1, what)
    breaks(raw)
    await until(`${what} ends the connection`, () => raw.ended)
  }
  for (const [what, bytes] of [
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    [
      'an unknown torrent',
      encodeBittorrentHandshake({ flags, infoHash: new Uint8Array(20), peerId: new Uint8Array(20) }),
    ],
  ] as const) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(bytes)
    const raw = new Raw(socket)
    await until(`${what} ends the connection`, () => raw.ended)
  }

  const good = await Raw.to(t, port, v1, 'good')
  good.say({ type: 'interested' })
  await until('it is unchoked', () => good.messages.some(({ type }) => type === 'unchoke'))
  good.say({ type: 'request', index: 1, begin: 5, length: K })
  const answered = (): number => blocksOf(good).reduce((sum, { data }) => sum + data.length, 0)
  await until('the block is there', () => answered() === K)
  const [first] = blocksOf(good)
  assert.equal(first?.begin, 5)
  const from = (1 << 20) + 5
  assert.deepEqual(
    Buffer.concat(blocksOf(good).map(({ data }) => data)),
    Buffer.from(content.subarray(from, from + K)),
  )
})

function blocksOf(raw: Raw): Extract<Message, { type: 'piece' }>[] {
  return raw.messages.flatMap((message) => (message.type === 'piece' ? [message] : []))
}

test('a peer that sends other bytes is banned by its address, and the download comes from others', async (t) => {
  const { homes, leecher, content, cid, magnet, peer } = await besides(t, 'lies', '1MB')
  await leecher.share('get', magnet, '-o', homes.path('got'))
  assert.deepEqual(await readFile(homes.path('got')), Buffer.from(content))
  const { banned } = await leecher.status(cid)
  assert.deepEqual(
    banned.map(({ id }) => id),
    [peer],
  )
  assert.match(banned[0]?.reason ?? '', /wrong bytes/)
})

test('a peer that has all and never unchokes costs nothing but its place', async (t) => {
  // slow enough that its silence is noticed, which the node's own peers are asked about
  const { homes, leecher, content, cid, magnet, peer } = await besides(t, 'chokes', '250KB')
  const got = leecher.share('get', magnet, '-o', homes.path('got'))
  await until('it is asked for pieces', async () =>
    (await leecher.shares()).some(({ peers }) =>
      peers.some(({ id, interested }) => id === peer && interested),
    ),
  )
  await got
  assert.deepEqual(await readFile(homes.path('got')), Buffer.from(content))
  assert.deepEqual((await leecher.status(cid)).banned, [])
})

/** A file that a `share` seeder gives at this rate, and a link to it that names a bad seed besides. */
async function besides(t: TestContext, kind: 'lies' | 'chokes', up: string) {
  const homes = await Homes.open(t)
  const [seeder, leecher] = [await homes.add('seeder', { 'limits.up': up }), await homes.add('leecher')]
  const content = noise(4_000_000, 2)
  await writeFile(homes.path('file'), content)
  const cid = await seeder.share('add', '-q', homes.path('file'))
  const link = parseMagnet(await seeder.share('link', cid))
  await seeder.share('torrent', cid, '-o', homes.path('file.torrent'))
  const { infoBytes } = readMetainfo(await readFile(homes.path('file.torrent')))
  const peer = `127.0.0.1:${await seedWith(t, Buffer.from(infoBytes), kind)}`
  return { homes, leecher, content, cid, magnet: formatMagnet({ ...link, peers: [peer] }), peer }
}

/** Has everything, gives the metadata as it is, and zeros for all blocks, or nothing. */
async function seedWith(t: TestContext, info: Uint8Array, kind: 'lies' | 'chokes'): Promise<number> {
  const server = createServer((socket) => {
    const reader = new HandshakeReader()
    const frames = new FrameDecoder()
    const say = (message: KnownMessage): void => {
      for (const part of encodeMessage(message)) socket.write(part)
    }
    const take = (bytes: Uint8Array): void => {
      for (const frame of frames.push(bytes)) {
        const message = frame instanceof Uint8Array ? decodeMessage(frame) : frame
        if (message.type === 'request')
          say({
            type: 'piece',
            index: message.index,
            begin: message.begin,
            data: new Uint8Array(message.length),
          })
        if (message.type !== 'extended' || message.id !== 9) continue
        const block = Number(/5:piecei(\d+)e/.exec(Buffer.from(message.payload).toString())?.[1])
        const data = info.subarray(block * METADATA_BLOCK_BYTES, (block + 1) * METADATA_BLOCK_BYTES)
        const answer = encodeMetadataMessage({ type: 'data', block, size: info.length, data })
        say({ type: 'extended', id: 1, payload: Buffer.concat(answer) })
      }
    }
    let shaken = false
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      if (shaken) {
        take(chunk)
        return
      }
      const rest = reader.push(chunk)
      const { handshake } = reader
      if (rest === undefined || handshake === undefined) return
      shaken = true
      const { infoHash } = handshake
      socket.write(encodeBittorrentHandshake({ flags, infoHash, peerId: Buffer.from('a liar'.padEnd(20)) }))
      const payload = encodeTorrentGreeting({
        extensions: new Map([['ut_metadata', 9]]),
        version: 'liar',
        requests: 100,
        port: undefined,
        metadataSize: info.length,
        uploadOnly: true,
        yourIp: undefined,
      })
      say({ type: 'extended', id: 0, payload })
      say({ type: 'have-all' })
      if (kind === 'lies') say({ type: 'unchoke' })
      take(rest)
    })
    t.after(() => socket.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return address.port
}
