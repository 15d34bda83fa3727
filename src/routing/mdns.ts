/** Peers on the same network segment, by multicast DNS, dialled as they are found: libp2p itself only notes them. */
import type { Connection, PeerDiscovery, PeerId, PeerInfo, PeerStore } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'

type MdnsComponents = Parameters<ReturnType<typeof mdns>>[0]

interface DialComponents {
  readonly peerStore: PeerStore
  readonly connectionManager: { openConnection(peer: PeerId): Promise<Connection> }
}

/** For libp2p's `peerDiscovery`. */
export function dialingMdns(): (components: MdnsComponents & DialComponents) => PeerDiscovery {
  return (components) => {
    const discovery = mdns()(components)
    const meet = async ({ id, multiaddrs }: PeerInfo): Promise<void> => {
      try {
        await components.peerStore.merge(id, { multiaddrs })
        await components.connectionManager.openConnection(id)
      } catch {
        // it answers again within seconds if it is there
      }
    }
    discovery.addEventListener('peer', (event) => void meet(event.detail))
    return discovery
  }
}
