/**
 * The libp2p node: its ways in, TLS or Noise, yamux, both DHTs, multicast DNS. Its defaults are those of a browser-sized
 * peer; what is changed here, and why, stands beside each limit. With `listen` on loopback, no bootstrap peers and
 * no multicast DNS, nothing leaves the machine: addresses are only ever learnt from peers that were dialled or that
 * dialled in.
 */
import { identify, identifyPush } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { DelegatedRouting } from '../routing/delegated.ts'
import { type DhtServices, dhtServices } from '../routing/dht.ts'
import { dialingMdns } from '../routing/mdns.ts'
import type { Config } from './config.ts'
import { openLibp2pDatastore } from './libp2p-datastore.ts'
import { listenError } from './listen-error.ts'
import { Neighbours } from './neighbours.ts'
import { publicInterfaces } from './public-interfaces.ts'
import { socketTls } from './socket-tls.ts'
import { thriftyPeerStore } from './thrifty-peer-store.ts'
import { thriftyYamux } from './thrifty-yamux.ts'
import { ADDRESS_DIAL_MS, AddressOrder, DIAL_MS } from './ways-in/address-order.ts'
import { leadsHere } from './ways-in/own-door.ts'
import { usefulAddresses } from './ways-in/relay-listener.ts'
import type { RelayDoor } from './ways-in/relay-server.ts'
import { staggeredDials } from './ways-in/staggered-dials.ts'
import { Vouched } from './ways-in/vouched.ts'
import { type WaysIn, waysIn } from './ways-in/ways-in.ts'

export interface Libp2pOptions {
  readonly home: string
  readonly config: Config
  readonly privateKey: PrivateKey
  /** Name and version of this program, told to every peer. */
  readonly userAgent: string
  /** Asked where a peer is whose addresses nobody told. */
  readonly delegated: DelegatedRouting
  /** Asked on every dial and every handshake, with the peer id as text. */
  isBanned(peerId: string): boolean
  /** Registers protocols before the first connection, so that the first identify names them. */
  register?(libp2p: ShareLibp2p): Promise<void>
}

export type ShareLibp2p = Libp2p & { readonly services: DhtServices }

/** A node, what its ways in know, and whom it met. */
export interface ReachableNode {
  readonly libp2p: ShareLibp2p
  readonly ways: WaysIn
  readonly neighbours: Neighbours
}

const MIB = 1024 * 1024

const MUXER = {
  // each protocol may have 1,024 streams a connection (kubo opens one a Bitswap message), and there are several
  maxInboundStreams: 4096,
  maxOutboundStreams: 4096,
  streamOptions: {
    // a paused stream may hold a whole window (16 MiB at most) and is reset when it holds more than this
    maxReadBufferLength: 17 * MIB,
    // an idle Bitswap stream is kept open; a dead peer is noticed by the connection monitor, not by silence
    inactivityTimeout: 24 * 3_600_000,
  },
} as const

// Pings queue behind data on a slow uplink: 16 MiB of it take 13 s at 10 Mbit/s, and a ping that is late counts as
// a dead peer. The interval is the longer one, so that two pings never overlap.
const MONITOR = { pingInterval: 45_000, pingTimeout: { minTimeout: 40_000, maxTimeout: 40_000 } } as const

// the connection monitor and both DHTs ping, perhaps at once, and a ping that is refused closes the connection
const PING = { maxInboundStreams: 16, maxOutboundStreams: 16 } as const

// many nodes behind one address (a test swarm, an office's NAT) are one host: libp2p allows that 5 a second
const INBOUND_PER_HOST = 250
const MAX_PENDING_INBOUND = 100

// a provider record holds for 48 hours, but is of use only while the provider's addresses are remembered
const PEER_AGE = 50 * 3_600_000

/** Starts a node. Its `stop()` also closes its datastore. @throws ShareError CONFLICT, BAD_CONFIG, ALREADY_RUNNING */
export async function createLibp2pNode(options: Libp2pOptions): Promise<ReachableNode> {
  const { home, config, privateKey, userAgent } = options
  const datastore = await openLibp2pDatastore(home)
  try {
    const ways = await waysIn(config)
    const order = new AddressOrder()
    const vouched = new Vouched()
    const vouch = (addresses: readonly Multiaddr[]): void => vouched.vouch(addresses)
    options.delegated.onNeighbours = vouch
    const libp2p = await createLibp2p({
      start: false,
      privateKey,
      datastore,
      nodeInfo: { userAgent },
      addresses: { listen: ways.listen, announce: [...config.announce], announceFilter: usefulAddresses },
      transports: ways.transports,
      connectionEncrypters: [socketTls(), noise()],
      streamMuxers: [thriftyYamux(MUXER)],
      connectionGater: gater(options, ways.door, vouched),
      connectionManager: {
        maxConnections: config['peers.max'],
        inboundConnectionThreshold: INBOUND_PER_HOST,
        maxIncomingPendingConnections: MAX_PENDING_INBOUND,
        addressSorter: order.compare,
        addressDialTimeout: ADDRESS_DIAL_MS,
        dialTimeout: DIAL_MS,
      },
      connectionMonitor: MONITOR,
      peerStore: { maxAddressAge: PEER_AGE, maxPeerAge: PEER_AGE },
      services: {
        identify: identify(),
        identifyPush: identifyPush(),
        ping: ping(PING),
        publicInterfaces,
        thriftyPeerStore,
        staggeredDials,
        ...(config['discovery.mdns'] ? { mdns: dialingMdns(vouch) } : {}),
        delegatedPeerRouting: () => options.delegated.service(),
        ...dhtServices(config.dht, vouch),
        ...ways.services,
      },
    })
    // before the start: peers that are met during it are as good as later ones
    const neighbours = new Neighbours(libp2p)
    order.watch(libp2p)
    vouched.watch(libp2p)
    ways.reachability.attach(libp2p)
    ways.door?.attach(libp2p)
    await options.register?.(libp2p)
    await libp2p.start()
    await libp2p.services.mdns?.open()
    return { libp2p, ways, neighbours }
  } catch (thrown) {
    await datastore.close()
    throw listenError(thrown)
  }
}

/** Refuses banned peers in both directions, and calls to itself and to what strangers name of private networks. */
function gater(
  { isBanned, config }: Libp2pOptions,
  door: RelayDoor | undefined,
  vouched: Vouched,
): ConnectionGater {
  return {
    denyInboundRelayReservation: (peer) => door?.refusesPlace(peer) ?? true,
    denyOutboundRelayedConnection: (peer) => door?.refusesPair(peer) ?? true,
    denyDialPeer: (peer) => isBanned(peer.toString()),
    denyDialMultiaddr: (address) => !vouched.admits(address) || leadsHere(address, config.listen),
    denyInboundEncryptedConnection: (peer) => isBanned(peer.toString()),
    denyOutboundEncryptedConnection: (peer) => isBanned(peer.toString()),
  }
}
