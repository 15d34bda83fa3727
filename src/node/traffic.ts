/** Bytes moved per root and peer since the node started, and how fast. */
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import { RateMeter } from '../swarm/rate.ts'
import type { Rates } from './types.ts'

interface Meters {
  readonly up: RateMeter
  readonly down: RateMeter
}

export interface PeerTraffic {
  readonly peer: PeerKey
  readonly uploaded: number
  readonly downloaded: number
  readonly rates: Rates
}

export class Traffic {
  readonly #now: () => Millis
  readonly #roots = new Map<RootKey, Map<PeerKey, Meters>>()

  constructor(now: () => Millis) {
    this.#now = now
  }

  uploaded(root: RootKey, peer: PeerKey, bytes: number): void {
    this.#meters(root, peer).up.add(bytes, this.#now())
  }

  downloaded(root: RootKey, peer: PeerKey, bytes: number): void {
    this.#meters(root, peer).down.add(bytes, this.#now())
  }

  forget(root: RootKey): void {
    this.#roots.delete(root)
  }

  peers(root: RootKey): PeerTraffic[] {
    const now = this.#now()
    return [...(this.#roots.get(root) ?? [])].map(([peer, { up, down }]) => ({
      peer,
      uploaded: up.total,
      downloaded: down.total,
      rates: { up: Math.round(up.rate(now)), down: Math.round(down.rate(now)) },
    }))
  }

  #meters(root: RootKey, peer: PeerKey): Meters {
    const peers = this.#roots.get(root) ?? new Map<PeerKey, Meters>()
    this.#roots.set(root, peers)
    const meters = peers.get(peer) ?? { up: new RateMeter(), down: new RateMeter() }
    peers.set(peer, meters)
    return meters
  }
}
