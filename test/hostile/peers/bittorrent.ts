/** A BitTorrent client that is none, over TCP. */
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  encodeBittorrentHandshake,
  HandshakeReader,
} from '../../../src/exchange/peer-wire/bittorrent-handshake.ts'
import { FrameDecoder } from '../../../src/exchange/peer-wire/framing.ts'
import {
  decodeMessage,
  encodeMessage,
  type KnownMessage,
  type Message,
} from '../../../src/exchange/peer-wire/messages.ts'
import {
  encodeMetadataMessage,
  METADATA_BLOCK_BYTES,
} from '../../../src/exchange/peer-wire/metadata-messages.ts'
import { encodeTorrentGreeting } from '../../../src/exchange/peer-wire/torrent-greeting.ts'
import { formatMagnet, parseMagnet } from '../../../src/torrent/magnet.ts'
import { type Content, wrong } from './content.ts'
import { type HostilePeer, SLOW_MS, type Verdict, type Wire } from './mischief.ts'

/** How much of anything is too much. */
const FLOOD = 100_000

const BLOCK = 16 << 10

/** What it calls messages of extensions. */
const METADATA = 9
const PEX = 10

/** What our side calls them, in the order of its greeting. */
const OURS = { metadata: 1, pex: 2 }

type Requested = Extract<Message, { type: 'request' }>

interface Scene {
  readonly socket: Socket
  readonly content: Content
}

interface Mischief {
  readonly verdict: Verdict
  /** Instead of answering a request as one should. */
  request?(scene: Scene, requested: Requested): Promise<void>
  /** Once both have said who they are and what they have. */
  met?(scene: Scene): Promise<void>
  /** Instead of the answer to a handshake. */
  opened?(scene: Scene): Promise<void>
  /** Of the info dictionary, when it is asked for. */
  metadata?(info: Uint8Array): Uint8Array
  readonly chokes?: boolean
}

const MISCHIEFS: Readonly<Record<string, Mischief>> = {
  'wrong bytes': {
    verdict: 'banned',
    request: async (scene, requested) => give(scene, requested, wrong(bytesOf(scene, requested))),
  },
  'right, then wrong': {
    verdict: 'banned',
    request: async (scene, requested) => {
      const bytes = bytesOf(scene, requested)
      return give(scene, requested, requested.begin < 2 * BLOCK ? bytes : wrong(bytes))
    },
  },
  'another piece': {
    verdict: 'banned',
    request: async (scene, requested) => {
      const index = (requested.index + 1) % (scene.content.pieces.length - 1)
      return give(scene, requested, bytesOf(scene, { ...requested, index }))
    },
  },
  'pieces that nobody asked for': {
    verdict: 'banned',
    request: (scene) =>
      flood(scene, 400, (at) => ({ type: 'piece', index: at % 4, begin: 0, data: Buffer.alloc(BLOCK) })),
  },
  'pieces before anything is known': {
    verdict: 'shut out',
    met: ({ socket }) => say(socket, { type: 'piece', index: 0, begin: 0, data: Buffer.alloc(BLOCK) }),
  },
  duplicates: {
    verdict: 'banned',
    request: async (scene, requested) => {
      const data = bytesOf(scene, requested)
      await flood(scene, 400, () => ({ type: 'piece', index: requested.index, begin: requested.begin, data }))
    },
  },
  'a message of 2 GiB': {
    verdict: 'shut out',
    met: ({ socket }) => write(socket, Buffer.from('7fffffff07', 'hex')),
  },
  'a message of 4 GiB': {
    verdict: 'shut out',
    met: ({ socket }) => write(socket, Buffer.from('ffffffff14', 'hex')),
  },
  'a message cut short': {
    verdict: 'suffered',
    met: async ({ socket }) => {
      await write(socket, Buffer.from('0000400907', 'hex'))
      socket.end()
    },
  },
  'a byte a second': {
    verdict: 'suffered',
    met: ({ socket }) => trickle(socket, Buffer.from('0000400907', 'hex')),
  },
  'silence at once': { verdict: 'suffered', opened: async () => undefined },
  'silence after the handshake': { verdict: 'suffered', met: async () => undefined },
  'no handshake': { verdict: 'suffered', opened: ({ socket }) => write(socket, Buffer.alloc(68, 0x47)) },
  'another info hash': {
    verdict: 'suffered',
    opened: ({ socket }) => write(socket, handshake(new Uint8Array(20))),
  },
  'a choke without an end': { verdict: 'suffered', chokes: true, met: async () => undefined },
  'have all, without having': {
    verdict: 'suffered',
    request: ({ socket }, { index, begin, length }) => say(socket, { type: 'reject', index, begin, length }),
  },
  'choked and unchoked without an end': {
    verdict: 'suffered',
    met: (scene) => flood(scene, FLOOD, (at) => ({ type: at % 2 === 0 ? 'choke' : 'unchoke' })),
  },
  'a second list': {
    verdict: 'suffered',
    met: ({ socket }) => say(socket, { type: 'have-none' }, { type: 'have-all' }),
  },
  'a list of another length': {
    verdict: 'shut out',
    met: ({ socket }) => say(socket, { type: 'bitfield', bits: new Uint8Array(900) }),
  },
  'a hundred thousand requests': {
    verdict: 'suffered',
    met: (scene) =>
      flood(scene, FLOOD, (at) => ({ type: 'request', index: at % 4, begin: 0, length: BLOCK })),
  },
  'pieces out of bounds': {
    verdict: 'banned',
    request: ({ socket }) => say(socket, { type: 'have', index: 0xffff_fff0 }),
  },
  'a dictionary bomb': {
    verdict: 'shut out',
    met: ({ socket }) => say(socket, { type: 'extended', id: 0, payload: Buffer.from('l'.repeat(60_000)) }),
  },
  'a length that never ends': {
    verdict: 'shut out',
    met: ({ socket }) => say(socket, { type: 'extended', id: 0, payload: Buffer.from('l-3:ae') }),
  },
  'other metadata': { verdict: 'suffered', metadata: (info) => wrong(info) },
  'metadata that nobody asked for': {
    verdict: 'shut out',
    met: ({ socket }) => {
      const data = { type: 'data', block: 70, size: 1_200_000, data: Buffer.alloc(BLOCK) } as const
      const payload = Buffer.concat(encodeMetadataMessage(data))
      return say(socket, { type: 'extended', id: OURS.metadata, payload })
    },
  },
  'hashes that nobody asked for': {
    verdict: 'shut out',
    met: ({ socket }) => {
      const asked = { root: new Uint8Array(32), baseLayer: 0, index: 0, length: 2, proofLayers: 0 }
      return say(socket, { type: 'hashes', ...asked, hashes: new Uint8Array(64) })
    },
  },
  'a flood of peers': {
    verdict: 'suffered',
    met: (scene) => flood(scene, 2_000, (at) => ({ type: 'extended', id: OURS.pex, payload: manyPeers(at) })),
  },
  'a flood of greetings': {
    verdict: 'suffered',
    met: (scene) => flood(scene, FLOOD, () => ({ type: 'extended', id: 0, payload: Buffer.from('d1:mdee') })),
  },
  'a flood of haves': {
    verdict: 'suffered',
    met: (scene) => flood(scene, FLOOD, (at) => ({ type: 'have', index: at % 4 })),
  },
  'a flood of unknown messages': {
    verdict: 'suffered',
    met: async ({ socket }) => {
      for (let sent = 0; sent < 10; sent++)
        await write(socket, Buffer.alloc(5 * 10_000, Buffer.from('00000001c8', 'hex')))
    },
  },
}

export const bittorrent: Wire = {
  name: 'BitTorrent',
  mischiefs: Object.fromEntries(Object.entries(MISCHIEFS).map(([name, { verdict }]) => [name, verdict])),
  start,
}

async function start(content: Content, name: string): Promise<HostilePeer> {
  const mischief = MISCHIEFS[name]
  if (mischief === undefined) throw new Error(`no such mischief: ${name}`)
  const misbehaved = Promise.withResolvers<void>()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    void trade({ socket, content }, mischief, () => misbehaved.resolve()).catch(() => misbehaved.resolve())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it does not listen')
  const id = `127.0.0.1:${address.port}`
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  const link = parseMagnet(content.link)
  return { target: formatMagnet({ ...link, peers: [id] }), id, misbehaved: misbehaved.promise, stop }
}

async function trade(scene: Scene, mischief: Mischief, done: () => void): Promise<void> {
  const { socket } = scene
  const reader = new HandshakeReader()
  const frames = new FrameDecoder()
  let shaken = false
  let requests = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    const isNew = !shaken
    const rest: Uint8Array | undefined = shaken ? chunk : reader.push(chunk)
    shaken = rest !== undefined
    if (rest === undefined) continue
    if (isNew) {
      if (mischief.opened === undefined) await meet(scene, reader.handshake?.infoHash, mischief)
      await mischief.opened?.(scene)
      await mischief.met?.(scene)
      if (mischief.opened ?? mischief.met) done()
    }
    if (mischief.opened !== undefined) continue
    for (const frame of frames.push(rest)) {
      const message = frame instanceof Uint8Array ? decodeMessage(frame) : frame
      if (message.type === 'extended' && message.id === METADATA) {
        await giveMetadata(scene, message.payload, mischief)
        if (mischief.metadata !== undefined) done()
      }
      if (message.type !== 'request') continue
      if (mischief.request === undefined) await give(scene, message, bytesOf(scene, message))
      else await mischief.request(scene, message)
      if (++requests > 2) done()
    }
  }
  done()
}

/** Says what a seed says. */
async function meet(
  { socket, content }: Scene,
  infoHash: Uint8Array | undefined,
  mischief: Mischief,
): Promise<void> {
  if (infoHash === undefined) return
  await write(socket, handshake(infoHash))
  const payload = encodeTorrentGreeting({
    extensions: new Map([
      ['ut_metadata', METADATA],
      ['ut_pex', PEX],
    ]),
    version: 'hostile',
    requests: 250,
    port: undefined,
    metadataSize: content.info.length,
    uploadOnly: true,
    yourIp: undefined,
  })
  await say(socket, { type: 'extended', id: 0, payload }, { type: 'have-all' })
  if (mischief.chokes !== true) await say(socket, { type: 'unchoke' })
}

async function giveMetadata(
  { socket, content }: Scene,
  asked: Uint8Array,
  mischief: Mischief,
): Promise<void> {
  const info = mischief.metadata?.(content.info) ?? content.info
  const block = Number(/5:piecei(\d+)e/.exec(Buffer.from(asked).toString())?.[1])
  const data = info.subarray(block * METADATA_BLOCK_BYTES, (block + 1) * METADATA_BLOCK_BYTES)
  const answer = encodeMetadataMessage({ type: 'data', block, size: info.length, data })
  await say(socket, { type: 'extended', id: OURS.metadata, payload: Buffer.concat(answer) })
}

function handshake(infoHash: Uint8Array): Uint8Array {
  const flags = new Set(['extended', 'fast', 'v2'] as const)
  return encodeBittorrentHandshake({ flags, infoHash, peerId: Buffer.from('-XX0000-'.padEnd(20, 'x')) })
}

/** Its pieces are the leaves of the file. */
function bytesOf({ content }: Scene, { index, begin, length }: Requested): Uint8Array {
  const block = content.block(content.pieces.cid(index)) ?? new Uint8Array(0)
  return block.subarray(begin, begin + length)
}

function give({ socket }: Scene, { index, begin }: Requested, data: Uint8Array): Promise<void> {
  return say(socket, { type: 'piece', index, begin, data })
}

/** A message of peer exchange with fifty addresses of machines that nobody should be sent to. */
function manyPeers(round: number): Uint8Array {
  const added = Buffer.alloc(6 * 50)
  for (let at = 0; at < 50; at++) added.set([10, round >> 8, round & 255, at, 0, 22], at * 6)
  return Buffer.concat([Buffer.from(`d5:added${added.length}:`), added, Buffer.from('e')])
}

async function say(socket: Socket, ...messages: KnownMessage[]): Promise<void> {
  for (const message of messages) await write(socket, Buffer.concat(encodeMessage(message)))
}

async function flood({ socket }: Scene, count: number, message: (at: number) => KnownMessage): Promise<void> {
  const PER_WRITE = 100
  for (let at = 0; at < count && !socket.destroyed; at += PER_WRITE) {
    const some = Array.from({ length: Math.min(PER_WRITE, count - at) }, (_, one) =>
      encodeMessage(message(at + one)),
    )
    await write(socket, Buffer.concat(some.flat()))
  }
}

/** Resolves when the other side has room for more, or is gone. */
async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed || socket.write(bytes)) return
  await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined)
}

async function trickle(socket: Socket, start: Uint8Array): Promise<void> {
  await write(socket, start)
  void (async () => {
    while (!socket.destroyed) {
      await write(socket, Uint8Array.of(7))
      await sleep(SLOW_MS, undefined, { ref: false })
    }
  })()
}
