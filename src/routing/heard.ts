/**
 * Of the peers that a DHT hears of, libp2p is told the news alone. Every answer to a lookup names the twenty peers nearest to a key,
 * and libp2p reads, merges and writes each of them to the disk, also when it knows all of it: four hundred times for one record.
 */
import { hash } from 'node:crypto'
import {
  type PeerDiscoveryEvents,
  type PeerId,
  type PeerInfo,
  type PeerStore,
  peerDiscoverySymbol,
  TypedEventEmitter,
} from '@libp2p/interface'
import type { KadDHT } from '@libp2p/kad-dht'
import { keepNewest } from '../core/keep-newest.ts'

/** What is heard again after this long is told again, in ms: libp2p remembers it for days, if nothing went wrong. */
const TOLD_FOR = 600_000

/** Peers that are remembered with their addresses, by a hash each; the first to be told are the first to be forgotten. */
const MOST_TOLD = 16_384

export class Heard {
  /** When it was told, oldest first. */
  readonly #told = new Map<string, number>()

  /** Whether this has to be told now; then it counts as told. */
  isNews(peer: PeerInfo, now: number): boolean {
    const key = keyOf(peer)
    const told = this.#told.get(key)
    if (told !== undefined && now - told < TOLD_FOR) return false
    this.#told.delete(key)
    this.#told.set(key, now)
    keepNewest(this.#told, MOST_TOLD)
    return true
  }
}

export interface TellingComponents {
  readonly peerId: PeerId
  readonly peerStore: Pick<PeerStore, 'merge'>
}

/**
 * The same DHT, as one that tells libp2p news alone. libp2p dates an address when it first hears of it, and once that is too long ago
 * does not know it any more, though it is told again; so it drops what is too old before it is told.
 */
export function tellingNews(kad: KadDHT, { peerId, peerStore }: TellingComponents): KadDHT {
  const all = discoveryOf(kad)
  const news = new TypedEventEmitter<PeerDiscoveryEvents>()
  const heard = new Heard()
  all.addEventListener('peer', (event) => {
    if (!(event instanceof CustomEvent)) return
    const detail = event.detail as PeerInfo
    if (peerId.equals(detail.id) || !heard.isNews(detail, performance.now())) return
    peerStore
      .merge(detail.id, {})
      .catch(() => {})
      .finally(() => news.safeDispatchEvent('peer', { detail }))
  })
  return Object.defineProperty(kad, peerDiscoverySymbol, { value: news })
}

/** Where kad-dht tells libp2p of everybody that it hears of: left out of its types. */
function discoveryOf(kad: KadDHT): EventTarget {
  const discovery: unknown = Reflect.get(kad, peerDiscoverySymbol)
  if (discovery instanceof EventTarget) return discovery
  throw new TypeError('this version of @libp2p/kad-dht tells libp2p of no peers')
}

function keyOf({ id, multiaddrs }: PeerInfo): string {
  return hash(
    'sha256',
    Buffer.concat([id.toMultihash().bytes, ...multiaddrs.map(({ bytes }) => bytes)]),
    'base64',
  )
}
