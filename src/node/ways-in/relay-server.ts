/**
 * Being a relay for others, within limits: it brings two nodes together, which then find a direct way, or carries a
 * transfer for those who find none. It carries only what libp2p peers with a place here say to each other, both of
 * whom prove who they are; there is no way through it to any other machine.
 */

import { isIPv6 } from 'node:net'
import type { CircuitRelayServerInit } from '@libp2p/circuit-relay-v2'
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { hostOf } from './outside-view.ts'

/** What a peer asks a relay by, and the relay the one that it is to be joined with. */
const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const STOP = '/libp2p/circuit/relay/0.2.0/stop'

const MIB = 1024n * 1024n

/** Nodes that can be met here at once, and of one address: a household, an office. */
const MOST_PLACES = 128
const MOST_PLACES_PER_HOST = 16

/** Pairs that are joined at once: in all, and by one peer, and by the peers of one address. */
const MOST_PAIRS = 128
const MOST_PAIRS_PER_PEER = 8
const MOST_PAIRS_PER_HOST = 24

export const RELAY_LIMITS = {
  hopTimeout: 10_000,
  maxInboundHopStreams: MOST_PAIRS_PER_PEER + 4,
  maxOutboundStopStreams: MOST_PAIRS_PER_HOST,
  reservations: {
    maxReservations: MOST_PLACES,
    reservationTtl: 3_600_000,
    // a pair without a direct way moves a large file in parts: it meets again when it is cut off
    defaultDataLimit: 128n * MIB,
    defaultDurationLimit: 30 * 60_000,
  },
} as const satisfies CircuitRelayServerInit

/** What the relay asks before it gives a place or joins a pair. */
export class RelayDoor {
  readonly #places = new Map<string, Set<string>>()
  #libp2p: Libp2p | undefined

  /** The connections it counts. */
  attach(libp2p: Libp2p): void {
    this.#libp2p = libp2p
    libp2p.addEventListener('peer:disconnect', ({ detail }) => this.#left(detail))
  }

  /** Whether the peer is refused a place. */
  refusesPlace(peer: PeerId): boolean {
    const host = this.#hostOf(peer)
    if (host === undefined) return true
    const guests = this.#places.get(host) ?? new Set()
    if (!guests.has(peer.toString()) && guests.size >= MOST_PLACES_PER_HOST) return true
    this.#places.set(host, guests.add(peer.toString()))
    return false
  }

  /** Whether the peer may not be joined with one more. */
  refusesPair(peer: PeerId): boolean {
    const host = this.#hostOf(peer)
    if (host === undefined) return true
    let [all, ofHost, ofPeer] = [0, 0, 0]
    for (const { streams, remoteAddr, remotePeer } of this.#libp2p?.getConnections() ?? []) {
      // strangers who ask, are refused and leave the stream open take nothing from others
      all += streams.filter(({ protocol, direction }) => protocol === STOP && direction === 'outbound').length
      const asked = streams.filter(({ protocol }) => protocol === HOP).length
      if (network(remoteAddr) === host) ofHost += asked
      if (remotePeer.equals(peer)) ofPeer += asked
    }
    // what it asks now is among what it asked
    return all >= MOST_PAIRS || ofHost > MOST_PAIRS_PER_HOST || ofPeer > MOST_PAIRS_PER_PEER
  }

  #left(peer: PeerId): void {
    for (const [host, guests] of this.#places) {
      guests.delete(peer.toString())
      if (guests.size === 0) this.#places.delete(host)
    }
  }

  #hostOf(peer: PeerId): string | undefined {
    const [connection]: readonly Connection[] = this.#libp2p?.getConnections(peer) ?? []
    return connection === undefined ? undefined : network(connection.remoteAddr)
  }
}

/** An IPv4 address, or the network of an IPv6 one: a household has 2^64 of those. */
function network(address: Multiaddr): string {
  const host = hostOf(address)
  return isIPv6(host) ? host.split(':').slice(0, 4).join(':') : host
}
