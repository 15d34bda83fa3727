/**
 * The two Kademlia DHTs, as kubo runs them: one protocol for public addresses, one for those of the local network.
 * They share a code path and nothing else: each has its own routing table, records and mode.
 *
 * Queries never wait inside kad-dht (`allowQueryWithZeroPeers`): by default the first one waits, without limit, for
 * a peer and then for a lookup of our own id. Instead callers wait with `whenPeers`, and `meetNeighbours` looks up
 * our own id when the first peer appears, which is how a newcomer and those around it learn of each other.
 */
import type { PeerId, PeerInfo } from '@libp2p/interface'
import {
  type KadDHT,
  kadDHT,
  removePrivateAddressesMapper,
  removePublicAddressesMapper,
} from '@libp2p/kad-dht'
import type { Multiaddr } from '@multiformats/multiaddr'
import { tellingNews } from './heard.ts'
import { lanOnly } from './lan-only.ts'

/** Part in the DHTs: `auto` serves the local one and asks the public one, serving it too once publicly dialable. */
export type DhtMode = 'auto' | 'server' | 'client' | 'off'

export interface Dht {
  readonly name: 'public' | 'lan'
  readonly kad: Pick<KadDHT, 'provide' | 'cancelReprovide' | 'findProviders' | 'getClosestPeers'>
  readonly table: Table
}

/** A DHT's routing table: kad-dht has it as a property of the service and leaves its events out of the types. */
interface Table extends EventTarget {
  /** Peers in it. */
  readonly size: number
  /** How many peers a record goes to. */
  readonly kBucketSize: number
}

/** The libp2p services that hold the DHTs; both absent when the mode is `off`. */
export interface DhtServices {
  readonly publicDht?: KadDHT
  readonly lanDht?: KadDHT
}

/**
 * Records are renewed 18 hours after they were made: others drop them after 48, their addresses after 24. In the six
 * hours between, ten thousand lookups of half a minute each come to an end, sixteen at a time.
 */
const REPROVIDE = { validity: 48 * 3_600_000, threshold: 30 * 3_600_000, concurrency: 16 }

type KadFactory = ReturnType<typeof kadDHT>

/** How long our own id is looked up for, in ms; it is a courtesy, and nothing waits for it. */
const MEET_LIMIT = 30_000

/**
 * Service factories for libp2p's `services`. Two DHTs in one node need separate datastore prefixes. `onNeighbours` is told of the
 * addresses that neighbours named in the local one.
 */
export function dhtServices(
  mode: DhtMode,
  onNeighbours: (addresses: readonly Multiaddr[]) => void,
): { publicDht?: KadFactory; lanDht?: KadFactory } {
  if (mode === 'off') return {}
  const common = { allowQueryWithZeroPeers: true, reprovide: REPROVIDE }
  return {
    publicDht: (components) => {
      const create = kadDHT({
        ...common,
        protocol: '/ipfs/kad/1.0.0',
        datastorePrefix: '/dht',
        peerInfoMapper: removePrivateAddressesMapper,
        // left open, kad-dht serves while this node has a public address and only asks while it has none
        ...(mode === 'auto' ? {} : { clientMode: mode === 'client' }),
      })
      return tellingNews(create(components), components)
    },
    lanDht: (components) => {
      const create = kadDHT({
        ...common,
        protocol: '/ipfs/lan/kad/1.0.0',
        datastorePrefix: '/dht-lan',
        logPrefix: 'libp2p:kad-dht-lan',
        metricsPrefix: 'libp2p_kad_dht_lan',
        peerInfoMapper: removePublicAddressesMapper,
        clientMode: mode === 'client',
      })
      const kad = create(lanOnly(components))
      networkOf(kad).addEventListener('peer', (event) => {
        if (event instanceof CustomEvent) onNeighbours((event.detail as PeerInfo).multiaddrs)
      })
      return tellingNews(kad, components)
    },
  }
}

/** Where a DHT tells of everybody that it hears of: as its table, left out of the types. */
function networkOf(kad: KadDHT): EventTarget {
  if ('network' in kad && kad.network instanceof EventTarget) return kad.network
  throw new TypeError('this version of @libp2p/kad-dht has no network to listen to')
}

export function dhtsOf(services: DhtServices): Dht[] {
  const { publicDht, lanDht } = services
  const dhts: Dht[] = []
  if (lanDht !== undefined) dhts.push({ name: 'lan', kad: lanDht, table: tableOf(lanDht) })
  if (publicDht !== undefined) dhts.push({ name: 'public', kad: publicDht, table: tableOf(publicDht) })
  return dhts
}

function tableOf(kad: KadDHT): Table {
  if ('routingTable' in kad && isTable(kad.routingTable)) return kad.routingTable
  throw new TypeError('this version of @libp2p/kad-dht has no routing table to watch')
}

function isTable(value: unknown): value is Table {
  return value instanceof EventTarget && 'size' in value && 'kBucketSize' in value
}

export function hasPeers(dht: Dht): boolean {
  return dht.table.size > 0
}

/** Fewer peers than one record goes to: every newcomer belongs among those that hold our records. */
export function isSmall(dht: Dht): boolean {
  return dht.table.size <= dht.table.kBucketSize
}

/** Calls back for every peer that enters the routing table; returns how to stop. */
export function onPeer(dht: Dht, listener: () => void): () => void {
  dht.table.addEventListener('peer:add', listener)
  return () => dht.table.removeEventListener('peer:add', listener)
}

/** Resolves once one of them knows a peer, after `limit` ms, or when the signal fires. */
export function whenPeers(dhts: readonly Dht[], limit: number, signal: AbortSignal): Promise<void> {
  if (dhts.length === 0 || dhts.some(hasPeers) || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer)
      for (const stop of listening) stop()
      signal.removeEventListener('abort', settle)
      resolve()
    }
    const timer = setTimeout(settle, limit)
    const listening = dhts.map((dht) => onPeer(dht, settle))
    signal.addEventListener('abort', settle)
  })
}

/** Looks up our own id each time the routing table gets its first peer; returns how to stop. */
export function meetNeighbours(dht: Dht, self: PeerId, signal: AbortSignal): () => void {
  const meet = async (): Promise<void> => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(MEET_LIMIT)])
    try {
      for await (const _ of dht.kad.getClosestPeers(self.toMultihash().bytes, { signal: limited }));
    } catch {
      // the next peer, or kad-dht's own refresh every five minutes, does it again
    }
  }
  const stop = onPeer(dht, () => {
    if (dht.table.size === 1) void meet()
  })
  if (hasPeers(dht)) void meet()
  return stop
}
