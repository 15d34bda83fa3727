/**
 * A liar: a peer that has a file and sends wrong bytes for every other piece. `node liar.ts PATH bitswap|share` listens
 * on loopback, prints its address, and ends when its stdin does. By Bitswap it says HAVE to every question; by the
 * share wire it says that it has all, and offers it. The transport and the codecs are the program's own; what it does
 * with them is not.
 */
import { identify } from '@libp2p/identify'
import type { PeerId, Stream } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { importPath } from '../../src/content/import.ts'
import { walkManifest } from '../../src/content/walk.ts'
import { Bitfield } from '../../src/core/bitfield.ts'
import { blockKey } from '../../src/core/cid.ts'
import { decodeFrames, frameLength } from '../../src/exchange/bitswap/framing.ts'
import {
  blockPrefix,
  decodeMessage,
  encodeMessage,
  type Message,
  type WantEntry,
} from '../../src/exchange/bitswap/message.ts'
import { Connection } from '../../src/exchange/peer-wire/connection.ts'
import type { WireEvent } from '../../src/exchange/peer-wire/events.ts'
import { PEER_WIRE } from '../../src/exchange/peer-wire/peer-wire.ts'

const BITSWAP = '/ipfs/bitswap/1.2.0'

/** What it says of itself in an offer: faster than anybody. */
const TERMS = { rate: 100e6, start: 0 }

const blocks = new Map<string, Uint8Array>()
let leaves = 0

const [path = '', wire = ''] = process.argv.slice(2)
const { root } = await importPath(path, {
  sink: {
    putNode: async (cid, block) => void blocks.set(blockKey(cid), block.slice()),
    putLeaf: async (cid, block) =>
      void blocks.set(blockKey(cid), leaves++ % 2 === 0 ? block.slice() : wrong(block)),
  },
})
const { manifest, events } = walkManifest(root, {
  fetchNode: async (cid) => blocks.get(blockKey(cid)) ?? new Uint8Array(0),
})
for await (const _ of events);
const { pieces } = manifest

const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [tls()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping() },
})
await libp2p.handle(BITSWAP, (stream, connection) => answer(stream, connection.remotePeer))
if (wire === 'share') await libp2p.handle(PEER_WIRE, (stream) => trade(stream))
console.log(String(libp2p.getMultiaddrs()[0]))
process.stdin.on('end', () => process.exit(0)).resume()

/** Answers on a stream of its own, as Bitswap does. */
async function answer(stream: Stream, peer: PeerId): Promise<void> {
  const out = await libp2p.dialProtocol(peer, BITSWAP)
  for await (const frame of decodeFrames(() => {})(stream)) {
    for (const want of decodeMessage(frame).wants) if (!want.cancel) await send(out, reply(want))
  }
}

function reply({ cid, kind }: WantEntry): Message {
  const data = blocks.get(blockKey(cid))
  const nothing = { wants: [], full: false, blocks: [], presences: [] }
  if (kind === 'have' || data === undefined) return { ...nothing, presences: [{ cid, has: true }] }
  return { ...nothing, blocks: [{ prefix: blockPrefix(cid), data }] }
}

async function send(out: Stream, message: Message): Promise<void> {
  const parts = encodeMessage(message)
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0)
  for (const part of [frameLength(length), ...parts]) if (!out.send(part)) await out.onDrain()
}

async function trade(stream: Stream): Promise<void> {
  const connection = new Connection({ version: 'liar', requests: 250 })
  for await (const chunk of stream) {
    for (const event of connection.receive(chunk.subarray())) lie(connection, event)
    for (let out = connection.next(); out !== undefined; out = connection.next()) {
      for (const part of out.parts) if (!stream.send(part)) await stream.onDrain()
    }
  }
}

function lie(connection: Connection, event: WireEvent): void {
  const { sending } = connection
  if (event.type === 'greeted') {
    connection.introduce(event.root, { sizes: pieces.blockSizes, have: Bitfield.full(pieces.length) })
  } else if (event.type === 'listed') {
    sending?.unchoke()
    for (let piece = 0; piece < pieces.length; piece++) sending?.offer(piece, TERMS)
  } else if (event.type === 'requested') {
    const { index, begin, length } = event
    const block = blocks.get(blockKey(pieces.cid(index))) ?? new Uint8Array(length)
    sending?.answer(index, begin, block.subarray(begin, begin + length))
  }
}

function wrong(block: Uint8Array): Uint8Array {
  const bytes = block.slice()
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return bytes
}
