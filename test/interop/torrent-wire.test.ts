/**
 * The pure parts of BitTorrent's wire against a libtorrent that seeds: handshake, metadata (BEP 9), piece layers and blocks'
 * hashes (BEP 52), by a plain socket on loopback.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { peerKey } from '../../src/core/types.ts'
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
  decodeMetadataMessage,
  encodeMetadataMessage,
} from '../../src/exchange/peer-wire/metadata-messages.ts'
import {
  decodeTorrentGreeting,
  encodeTorrentGreeting,
} from '../../src/exchange/peer-wire/torrent-greeting.ts'
import { blockRequest, leadsTo } from '../../src/torrent/hash-requests.ts'
import { type InfoHashes, type TorrentInfo, wireHashes } from '../../src/torrent/info.ts'
import { LayerFetch } from '../../src/torrent/layer-fetch.ts'
import { hashAt, rootLayer } from '../../src/torrent/merkle.ts'
import { MetadataFetch } from '../../src/torrent/metadata-fetch.ts'
import { readMetainfo } from '../../src/torrent/metainfo.ts'
import { readInfo } from '../../src/torrent/read-info.ts'
import { noise } from '../unit/torrent-trees.ts'
import { installed } from './installed.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const PEER = peerKey('libtorrent')
const OUR_METADATA_ID = 1

const PIECE_BYTES = 65_536
/** More pieces than one request's 512 hashes, and the last one shorter. */
const BIG = 700 * PIECE_BYTES + 20_000

const modules = await installed('libtorrent')
const work = await mkdtemp(join(tmpdir(), 'share-interop-'))
const env = { ...process.env, PYTHONPATH: modules }

/** What a libtorrent says, message by message. */
class Conversation {
  readonly #socket
  readonly #received: AsyncIterator<Buffer>
  readonly #decoder = new FrameDecoder()
  readonly #waiting: Message[] = []

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#received = this.#socket[Symbol.asyncIterator]()
  }

  async greet(hashes: InfoHashes): Promise<void> {
    const [infoHash = new Uint8Array(0), other = infoHash] = wireHashes(hashes)
    const flags = new Set(['extended', 'fast', ...(hashes.v2 ? (['v2'] as const) : [])] as const)
    this.#socket.write(
      encodeBittorrentHandshake({ flags, infoHash, peerId: Buffer.from('-SH0100-interop-test') }),
    )
    const reader = new HandshakeReader()
    let rest: Uint8Array | undefined
    while (rest === undefined) rest = reader.push(await this.#chunk())
    // a hybrid's is answered by its hash of v2
    assert.deepEqual(Buffer.from(reader.handshake?.infoHash ?? ''), Buffer.from(other))
    assert.ok(reader.handshake?.flags.has('extended') && reader.handshake.flags.has('fast'))
    this.#take(rest)
    const extensions = new Map([['ut_metadata', OUR_METADATA_ID]])
    const greeting = {
      extensions,
      version: 'interop',
      requests: 10,
      port: undefined,
      metadataSize: undefined,
      uploadOnly: false,
      yourIp: undefined,
    }
    this.send({ type: 'extended', id: 0, payload: encodeTorrentGreeting(greeting) })
  }

  send(message: KnownMessage): void {
    for (const part of encodeMessage(message)) this.#socket.write(part)
  }

  /** The next message of a type; others are passed over. */
  async next<Type extends Message['type']>(type: Type): Promise<Extract<Message, { type: Type }>> {
    for (;;) {
      const message = this.#waiting.shift()
      if (message === undefined) this.#take(await this.#chunk())
      else if (message.type === type) return message as Extract<Message, { type: Type }>
    }
  }

  end(): void {
    this.#socket.destroy()
  }

  async #chunk(): Promise<Buffer> {
    const { value, done } = await this.#received.next()
    assert.ok(done !== true, 'libtorrent hung up')
    return value
  }

  #take(chunk: Uint8Array): void {
    for (const frame of this.#decoder.push(chunk))
      this.#waiting.push(frame instanceof Uint8Array ? decodeMessage(Buffer.from(frame)) : frame)
  }
}

async function metadata(wire: Conversation, expected: TorrentInfo['hashes']): Promise<Uint8Array> {
  const greeting = decodeTorrentGreeting((await wire.next('extended')).payload)
  const id = greeting.extensions.get('ut_metadata') ?? 0
  assert.ok(id > 0 && greeting.metadataSize !== undefined)
  const fetch = new MetadataFetch(expected)
  fetch.joined(PEER, greeting.metadataSize)
  while (fetch.whole === undefined) {
    for (const block of fetch.next(PEER)) {
      const payload = Buffer.concat(encodeMetadataMessage({ type: 'request', block }))
      wire.send({ type: 'extended', id, payload })
    }
    const answer = await wire.next('extended')
    const message = answer.id === OUR_METADATA_ID ? decodeMetadataMessage(answer.payload) : undefined
    if (message === undefined) continue
    assert.equal(message.type, 'data')
    if (message.type !== 'data') break
    assert.match(fetch.received(PEER, message.block, message.size, message.data), /kept|complete/)
  }
  return fetch.whole ?? new Uint8Array(0)
}

async function layers(
  wire: Conversation,
  { files, pieceLength }: TorrentInfo,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const longer = files.flatMap(({ root, size }) =>
    root !== undefined && size > pieceLength ? [{ root, size }] : [],
  )
  const fetch = new LayerFetch(longer, pieceLength)
  while (!fetch.complete) {
    for (const span of fetch.next(PEER)) wire.send({ type: 'hash-request', ...span })
    const { hashes, ...span } = await wire.next('hashes')
    assert.match(fetch.received(PEER, span, hashes), /kept|complete/)
  }
  return fetch.layers
}

/** The blocks of one piece, proved by the piece's hash; and a range of blocks, proved up to the root. */
async function blocks(wire: Conversation, root: Uint8Array, layer: Uint8Array): Promise<void> {
  const piece = 3
  const inPiece = blockRequest(root, piece, PIECE_BYTES)
  const toRoot = { ...inPiece, index: 8, length: 8, proofLayers: rootLayer(BIG) - 1 }
  for (const [span, top] of [
    [inPiece, hashAt(layer, piece)],
    [toRoot, root],
  ] as const) {
    wire.send({ type: 'hash-request', ...span })
    const { hashes } = await wire.next('hashes')
    assert.equal(Buffer.compare(leadsTo(span, hashes) ?? new Uint8Array(0), top), 0)
  }
}

async function converse(t: TestContext, version: 'v1' | 'v2' | 'hybrid'): Promise<void> {
  const torrent = join(work, `tree.${version}.torrent`)
  const make = spawn(
    'python3',
    [here('libtorrent_make.py'), join(work, 'tree'), String(PIECE_BYTES), version],
    { env },
  )
  await writeFile(torrent, Buffer.concat(await make.stdout.toArray()))
  const seeder = spawn('python3', [here('libtorrent_seed.py'), torrent, work], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  try {
    const [port] = await once(seeder.stdout, 'data')
    const made = readMetainfo(await readFile(torrent))
    const { hashes } = made.info
    const wire = new Conversation(Number(String(port)))
    await wire.greet(hashes)
    const info = readInfo(await metadata(wire, hashes))
    assert.deepEqual(info, made.info)
    if (version !== 'v1') {
      const fetched = await layers(wire, info)
      assert.deepEqual(plain(fetched), plain(made.layers))
      const root = info.files.find(({ size }) => size === BIG)?.root ?? new Uint8Array(32)
      await blocks(wire, root, fetched.get(Buffer.from(root).toString('hex')) ?? new Uint8Array(0))
    }
    wire.end()
    seeder.stdin.end()
    const sent = JSON.parse(String((await once(seeder.stdout, 'data'))[0]))
    t.diagnostic(`libtorrent ${sent.version} sent ${sent.everything} bytes`)
    assert.ok(sent.everything > 0)
  } finally {
    seeder.stdin.end()
  }
}

const plain = (layers: ReadonlyMap<string, Uint8Array>): string[] =>
  [...layers].map(([root, layer]) => `${root} ${Buffer.from(layer).toString('hex')}`).sort()

before(async () => {
  await mkdir(join(work, 'tree'))
  await writeFile(join(work, 'tree/big'), noise(BIG, 1))
  await writeFile(join(work, 'tree/six'), noise(6 * PIECE_BYTES, 2))
  await writeFile(join(work, 'tree/small'), noise(5, 3))
})

after(() => rm(work, { recursive: true, force: true }))

for (const version of ['v1', 'v2', 'hybrid'] as const)
  test(`a torrent of ${version}: metadata${version === 'v1' ? '' : ', piece layers, hashes of blocks'}`, (t) =>
    converse(t, version))
