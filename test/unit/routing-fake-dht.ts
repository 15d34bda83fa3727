/** A DHT that does what a test tells it: which peers are known, who takes records, what lookups answer. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PeerId, PeerInfo } from '@libp2p/interface'
import { EventTypes, MessageType, type QueryEvent } from '@libp2p/kad-dht'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import type { Dht } from '../../src/routing/dht.ts'

export const SOME_CID = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')

export async function createPeer(): Promise<PeerId> {
  return peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
}

/** Where all of them claim to be. */
export const ADDRESS = multiaddr('/ip4/192.0.2.1/tcp/4141')

const PATH = { index: 0, queued: 0, running: 0, total: 0 }

/** A peer's answer, as it came over the wire. */
export function answered(
  from: PeerId,
  messageName: 'ADD_PROVIDER' | 'GET_PROVIDERS',
  providers: PeerInfo[],
): QueryEvent {
  const messageType = MessageType[messageName]
  const type = EventTypes.PEER_RESPONSE
  return { name: 'PEER_RESPONSE', type, from, messageName, messageType, closer: [], providers, path: PATH }
}

/** Providers that a lookup had not seen before. */
export function found(from: PeerId, ...providers: PeerId[]): QueryEvent {
  const infos = providers.map((id) => ({ id, multiaddrs: [ADDRESS, ADDRESS] }))
  return { name: 'PROVIDER', type: EventTypes.PROVIDER, from, providers: infos, path: PATH }
}

type Lookup = (signal: AbortSignal) => AsyncIterable<QueryEvent>

export interface FakeDht extends Dht {
  /** Records stored and lookups made, in order. */
  readonly calls: string[]
  /** Makes a peer enter the routing table. */
  addPeer(): void
  /** What the next lookups answer; nothing at first. */
  lookup: Lookup
  /** Delays every record until it resolves. */
  gate: Promise<void>
}

/** A routing table of `size` peers that takes any record. */
export async function createFakeDht(size: number, lookup: Lookup = async function* () {}): Promise<FakeDht> {
  const taker = await createPeer()
  const table = Object.assign(new EventTarget(), { size, kBucketSize: 20 })
  const calls: string[] = []
  const fake: FakeDht = {
    name: 'lan',
    table,
    calls,
    lookup,
    gate: Promise.resolve(),
    addPeer() {
      table.size++
      table.dispatchEvent(new Event('peer:add'))
    },
    kad: {
      async *provide() {
        calls.push('provide')
        await fake.gate
        if (table.size > 0) yield answered(taker, 'ADD_PROVIDER', [])
      },
      findProviders(_cid, options) {
        calls.push('find')
        return fake.lookup(options?.signal ?? new AbortController().signal)
      },
      async cancelReprovide() {
        calls.push('cancel')
      },
      async *getClosestPeers() {},
    },
  }
  return fake
}
