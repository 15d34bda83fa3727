/**
 * A liar: a Bitswap peer that has a file, says HAVE to every question, and sends wrong bytes for every other piece.
 * `node liar.ts PATH` listens on loopback, prints its address, and ends when its stdin does. The transport and the
 * message codec are the program's own; what it does with them is not.
 */
import { identify } from '@libp2p/identify'
import type { PeerId, Stream } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { importPath } from '../../src/content/import.ts'
import { blockKey } from '../../src/core/cid.ts'
import { decodeFrames, frameLength } from '../../src/exchange/bitswap/framing.ts'
import {
  blockPrefix,
  decodeMessage,
  encodeMessage,
  type Message,
  type WantEntry,
} from '../../src/exchange/bitswap/message.ts'

const PROTOCOL = '/ipfs/bitswap/1.2.0'

const blocks = new Map<string, Uint8Array>()
let pieces = 0

const [path = ''] = process.argv.slice(2)
await importPath(path, {
  sink: {
    putNode: async (cid, block) => void blocks.set(blockKey(cid), block.slice()),
    putLeaf: async (cid, block) =>
      void blocks.set(blockKey(cid), pieces++ % 2 === 0 ? block.slice() : wrong(block)),
  },
})

const libp2p = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  transports: [tcp()],
  connectionEncrypters: [tls()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping() },
})
await libp2p.handle(PROTOCOL, (stream, connection) => answer(stream, connection.remotePeer))
console.log(String(libp2p.getMultiaddrs()[0]))
process.stdin.on('end', () => process.exit(0)).resume()

/** Answers on a stream of its own, as Bitswap does. */
async function answer(stream: Stream, peer: PeerId): Promise<void> {
  const out = await libp2p.dialProtocol(peer, PROTOCOL)
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

function wrong(block: Uint8Array): Uint8Array {
  const bytes = block.slice()
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return bytes
}
