/**
 * Peers on the same network segment, by multicast DNS, dialled as they are found. Everybody hears every answer to anybody's
 * question, and libp2p writes down what each of them says: with twenty nodes on a segment fifty peers a second. So it is
 * no `peerDiscovery` of libp2p but a service, and only news counts.
 */
import {
  type Connection,
  type PeerId,
  type PeerInfo,
  type PeerStore,
  type Startable,
  start,
  stop,
} from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import type { Multiaddr } from '@multiformats/multiaddr'

type MdnsComponents = Parameters<ReturnType<typeof mdns>>[0]

interface DialComponents {
  readonly peerStore: PeerStore
  readonly connectionManager: {
    getConnections(peer: PeerId): readonly Connection[]
    openConnection(peer: PeerId): Promise<Connection>
  }
}

/** A peer that could not be dialled is tried again when it answers after this, in ms. */
const AGAIN_MS = 5_000

/** Peers remembered; past it all are forgotten, and met again. */
const MOST_REMEMBERED = 1_000

/**
 * Multicast discovery that begins by `open`, once the node listens: two nodes that start together and ask before either has
 * an address to answer with would not meet before the next question, 10 s later.
 */
export interface MulticastDiscovery extends Startable {
  open(): Promise<void>
}

/** For libp2p's `services`. `onNeighbours` is told of the addresses before they are dialled. */
export function dialingMdns(
  onNeighbours: (addresses: readonly Multiaddr[]) => void,
): (components: MdnsComponents & DialComponents) => MulticastDiscovery {
  return (components) => {
    const { peerStore, connectionManager } = components
    const discovery = mdns()(components)
    const met = new Map<string, number>()
    const isNews = (id: PeerId): boolean => {
      if (connectionManager.getConnections(id).length > 0) return false
      const now = performance.now()
      if (now - (met.get(id.toString()) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return false
      if (met.size === MOST_REMEMBERED) met.clear()
      met.set(id.toString(), now)
      return true
    }
    const meet = async ({ id, multiaddrs }: PeerInfo): Promise<void> => {
      onNeighbours(multiaddrs)
      try {
        await peerStore.merge(id, { multiaddrs })
        await connectionManager.openConnection(id)
      } catch {
        // it answers again within seconds if it is there
      }
    }
    discovery.addEventListener('peer', ({ detail }) => {
      if (isNews(detail.id)) void meet(detail)
    })
    // without the mark by which libp2p knows a discovery
    return { start: () => undefined, open: () => start(discovery), stop: () => stop(discovery) }
  }
}
