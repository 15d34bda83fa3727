/** Connected peers that speak Bitswap: those that can be asked what they have. */
import type { IdentifyResult, Libp2p, PeerId } from '@libp2p/interface'
import { type PeerKey, peerKey } from '../core/types.ts'
import { BITSWAP_100, BITSWAP_110, BITSWAP_120 } from '../exchange/bitswap/peer-link.ts'
import { bestConnection } from '../exchange/open-stream.ts'
import type { ConnectedPeer } from './types.ts'

const BITSWAP = new Set([BITSWAP_100, BITSWAP_110, BITSWAP_120])

export class Neighbours {
  readonly #libp2p: Libp2p
  readonly #peers = new Set<PeerKey>()
  readonly #listeners = new Set<(peer: PeerKey) => void>()
  readonly #onIdentify = (event: CustomEvent<IdentifyResult>): void => {
    const { peerId, protocols } = event.detail
    if (protocols.some((protocol) => BITSWAP.has(protocol))) this.#add(peerKey(peerId.toString()))
  }
  readonly #onDisconnect = (event: CustomEvent<PeerId>): void => {
    this.#peers.delete(peerKey(event.detail.toString()))
  }

  constructor(libp2p: Libp2p) {
    this.#libp2p = libp2p
    libp2p.addEventListener('peer:identify', this.#onIdentify)
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
  }

  stop(): void {
    this.#libp2p.removeEventListener('peer:identify', this.#onIdentify)
    this.#libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
  }

  /** Those connected now, and from here on each new one; returns how to stop listening. */
  watch(listener: (peer: PeerKey) => void): () => void {
    this.#listeners.add(listener)
    for (const peer of this.#peers) listener(peer)
    return () => this.#listeners.delete(listener)
  }

  /** Everyone connected, whatever they speak. */
  connected(): ConnectedPeer[] {
    return this.#libp2p.getPeers().flatMap((peer) => {
      const best = bestConnection(this.#libp2p.getConnections(peer))
      if (best === undefined) return []
      return { id: peer.toString(), address: best.remoteAddr.toString(), direction: best.direction }
    })
  }

  #add(peer: PeerKey): void {
    if (this.#peers.has(peer)) return
    this.#peers.add(peer)
    for (const listener of this.#listeners) listener(peer)
  }
}
