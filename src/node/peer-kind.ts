/** What a peer is can be seen in its key: a URL, a BitTorrent client's host and port, or a libp2p peer id. */
import type { PeerKey } from '../core/types.ts'

/** A trustless gateway or a web seed, by its URL. */
export function isGateway(peer: PeerKey): boolean {
  return /^https?:/.test(peer)
}

/** Where a BitTorrent client is the peer: its key is an address. */
export function isTorrentPeer(peer: PeerKey): boolean {
  return peer.includes(':') && !isGateway(peer)
}

/** A libp2p node; the others have no peer id, and libp2p throws when it is asked of them. */
export function isNode(peer: PeerKey): boolean {
  return !peer.includes(':')
}
