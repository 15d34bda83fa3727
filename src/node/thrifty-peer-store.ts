/**
 * The peer store, which is told of the protocols of a peer only what it does not know. libp2p tells it the protocol of each stream, and it
 * reads the peer from the disk, decodes, merges, encodes and writes it each time; kubo opens a stream for each Bitswap message.
 */
import type { Libp2pEvents, Peer, PeerStore, TypedEventTarget } from '@libp2p/interface'
import { keepNewest } from '../core/keep-newest.ts'

/** What is known is told again after this long, in ms: what the store has of a peer is dated by when it was told last. */
const KNOWN_FOR = 600_000

/** Peers; more than a node has connections. */
const MOST_KNOWN = 1_024

interface Known {
  readonly peer: Peer
  readonly since: number
}

interface StoreComponents {
  readonly peerStore: Pick<PeerStore, 'merge'>
  readonly events: TypedEventTarget<Libp2pEvents>
}

/** For libp2p's `services`: changes the store that all of libp2p has. */
export function thriftyPeerStore({ peerStore, events }: StoreComponents, now = Date.now): object {
  const merge = peerStore.merge.bind(peerStore)
  const known = new Map<string, Known>()
  // whatever changes there, by whomever, is looked at anew
  events.addEventListener('peer:update', ({ detail }) => known.delete(detail.peer.id.toString()))
  peerStore.merge = async (id, data, options) => {
    const key = id.toString()
    const had = known.get(key)
    if (had !== undefined && now() - had.since < KNOWN_FOR && !hasNews(data, had.peer)) return had.peer
    const peer = await merge(id, data, options)
    known.delete(key)
    known.set(key, { peer, since: now() })
    keepNewest(known, MOST_KNOWN)
    return peer
  }
  return {}
}

/** Only protocols are told again and again; whether all else is new is the store's to find out, and to be told nothing makes it look. */
function hasNews(
  { protocols, ...rest }: Parameters<PeerStore['merge']>[1],
  { protocols: spoken }: Peer,
): boolean {
  if (protocols === undefined || Object.keys(rest).length > 0) return true
  return !protocols.every((protocol) => spoken.includes(protocol))
}
