/**
 * A node that speaks the protocol of the DHTs and lies: it forgets what it is told, and answers every question with peers and
 * providers of its own choice. Source of the messages: libp2p's kad-dht specification.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { frameLength } from '../../../src/exchange/bitswap/framing.ts'

const PROTOCOLS = ['/ipfs/kad/1.0.0', '/ipfs/lan/kad/1.0.0']

/** Numbers of the messages that are answered. */
const GET_PROVIDERS = 3
const FIND_NODE = 4
const PING = 5

/** A peer as the protocol names it. */
export interface Named {
  readonly id: Uint8Array
  readonly addresses: readonly string[]
}

export interface Lies {
  /** Named as closer to whatever is looked for. */
  closer(): readonly Named[]
  /** Named as providers of whatever is looked for. */
  providers(): readonly Named[]
}

export interface KadLiar {
  readonly libp2p: Libp2p
  readonly named: Named
  /** Questions that it was asked. */
  readonly asked: () => number
  stop(): Promise<void>
}

export async function startLiar(privateKey: PrivateKey, listen: string, lies: Lies): Promise<KadLiar> {
  const libp2p = await createLibp2p({
    privateKey,
    addresses: { listen: [listen] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  })
  let asked = 0
  await libp2p.handle(PROTOCOLS, (stream) => {
    void answer(stream, lies, () => asked++).catch(() => stream.abort(new Error('gone')))
  })
  const named = {
    id: libp2p.peerId.toMultihash().bytes,
    addresses: libp2p.getMultiaddrs().map((address) => String(address.decapsulate('/p2p'))),
  }
  return { libp2p, named, asked: () => asked, stop: async () => libp2p.stop() }
}

/** Keys of nodes that are closer to the CID than any of these ids: so many of them. */
export async function keysClosest(
  cid: CID,
  than: readonly Uint8Array[],
  count: number,
): Promise<PrivateKey[]> {
  const target = await placeOf(cid.multihash.bytes)
  const distance = async (id: Uint8Array): Promise<bigint> => (await placeOf(id)) ^ target
  const distances = await Promise.all(than.map(distance))
  const keys: PrivateKey[] = []
  while (keys.length < count) {
    const key = await generateKeyPair('Ed25519')
    const own = await distance(peerIdFromPrivateKey(key).toMultihash().bytes)
    if (distances.every((other) => own < other)) keys.push(key)
  }
  return keys
}

/** Where in the key space something is. */
async function placeOf(bytes: Uint8Array): Promise<bigint> {
  const { digest } = await sha256.digest(bytes)
  return BigInt(`0x${Buffer.from(digest).toString('hex')}`)
}

async function answer(stream: Stream, lies: Lies, count: () => void): Promise<void> {
  let rest = Buffer.alloc(0)
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk.subarray()])
    for (let frame = frameIn(rest); frame !== undefined; frame = frameIn(rest)) {
      rest = rest.subarray(frame.end)
      const reply = replyTo(frame.body, lies)
      if (reply === undefined) continue
      count()
      stream.send(Buffer.concat([frameLength(reply.length), reply]))
    }
  }
}

function replyTo(body: Buffer, lies: Lies): Buffer | undefined {
  // the type comes first, and is left out where it is 0
  const type = body[0] === 8 ? body[1] : 0
  if (type === PING) return body
  if (type !== GET_PROVIDERS && type !== FIND_NODE) return undefined
  const providers = type === GET_PROVIDERS ? lies.providers() : []
  return Buffer.concat([
    Buffer.from([8, type]),
    ...lies.closer().map((peer) => field(8, peerBytes(peer))),
    ...providers.map((peer) => field(9, peerBytes(peer))),
  ])
}

function peerBytes({ id, addresses }: Named): Buffer {
  return Buffer.concat([field(1, id), ...addresses.map((each) => field(2, multiaddr(each).bytes))])
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([frameLength((number << 3) | 2), frameLength(bytes.length), bytes])
}

/** The first whole message, after its length. */
function frameIn(bytes: Buffer): { readonly body: Buffer; readonly end: number } | undefined {
  let length = 0
  for (let at = 0; at < Math.min(bytes.length, 4); at++) {
    const byte = bytes[at] ?? 0
    length |= (byte & 0x7f) << (7 * at)
    if (byte >= 0x80) continue
    const end = at + 1 + length
    return bytes.length < end ? undefined : { body: bytes.subarray(at + 1, end), end }
  }
  return undefined
}
