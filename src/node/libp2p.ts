/**
 * The libp2p node: TCP, TLS or Noise, yamux, both DHTs, multicast DNS. Its defaults are those of a browser-sized
 * peer; what is changed here, and why, stands beside each limit. With `listen` on loopback, no bootstrap peers and
 * no multicast DNS, nothing leaves the machine: addresses are only ever learnt from peers that were dialled or that
 * dialled in.
 */
import { identify, identifyPush } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, PrivateKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import { type DhtServices, dhtServices } from '../routing/dht.ts'
import { dialingMdns } from '../routing/mdns.ts'
import type { Config } from './config.ts'
import { openLibp2pDatastore } from './libp2p-datastore.ts'
import { listenError } from './listen-error.ts'
import { publicInterfaces } from './public-interfaces.ts'
import { socketTls } from './socket-tls.ts'
import { thriftyYamux } from './thrifty-yamux.ts'

export interface Libp2pOptions {
  readonly home: string
  readonly config: Config
  readonly privateKey: PrivateKey
  /** Name and version of this program, told to every peer. */
  readonly userAgent: string
  /** Asked on every dial and every handshake, with the peer id as text. */
  isBanned(peerId: string): boolean
  /** Registers protocols before the first connection, so that the first identify names them. */
  register?(libp2p: ShareLibp2p): Promise<void>
}

export type ShareLibp2p = Libp2p & { readonly services: DhtServices }

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
export async function createLibp2pNode(options: Libp2pOptions): Promise<ShareLibp2p> {
  const { home, config, privateKey, userAgent } = options
  const datastore = await openLibp2pDatastore(home)
  try {
    const libp2p = await createLibp2p({
      start: false,
      privateKey,
      datastore,
      nodeInfo: { userAgent },
      addresses: { listen: [...config.listen], announce: [...config.announce] },
      transports: [tcp()],
      connectionEncrypters: [socketTls(), noise()],
      streamMuxers: [thriftyYamux(MUXER)],
      connectionGater: gater(options),
      connectionManager: {
        maxConnections: config['peers.max'],
        inboundConnectionThreshold: INBOUND_PER_HOST,
        maxIncomingPendingConnections: MAX_PENDING_INBOUND,
      },
      connectionMonitor: MONITOR,
      peerStore: { maxAddressAge: PEER_AGE, maxPeerAge: PEER_AGE },
      peerDiscovery: config['discovery.mdns'] ? [dialingMdns()] : [],
      services: {
        identify: identify(),
        identifyPush: identifyPush(),
        ping: ping(PING),
        publicInterfaces,
        ...dhtServices(config.dht),
      },
    })
    await options.register?.(libp2p)
    await libp2p.start()
    return libp2p
  } catch (thrown) {
    await datastore.close()
    throw listenError(thrown)
  }
}

/** Refuses banned peers in both directions; every address may be dialled, private ones too. */
function gater({ isBanned }: Libp2pOptions): ConnectionGater {
  return {
    denyDialPeer: (peer) => isBanned(peer.toString()),
    denyDialMultiaddr: () => false,
    denyInboundEncryptedConnection: (peer) => isBanned(peer.toString()),
    denyOutboundEncryptedConnection: (peer) => isBanned(peer.toString()),
  }
}
