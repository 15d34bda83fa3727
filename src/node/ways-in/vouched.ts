/**
 * Addresses of this machine and of the networks around it that may be called. A stranger may name such addresses as somebody's,
 * in the DHT above all, and a node that called them all would look for him behind its owner's router. So they are called only
 * where somebody told of them who may: the user, multicast DNS, the DHT of the local network, and peers that are connected
 * within the reach of what they tell. Addresses of the world may all be called.
 */
import { isIP } from 'node:net'
import type { Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { reachOfIp } from '../../core/ip-reach.ts'
import { keepNewest } from '../../core/keep-newest.ts'
import { isOfUse, peerOf } from '../reach.ts'
import { hostOf } from './outside-view.ts'

/** Remembered of each kind; past it the oldest are forgotten. */
const MOST_REMEMBERED = 10_000

export class Vouched {
  /** Host, transport and port. */
  readonly #doors = new Set<string>()
  /** Peers that were named with a host's name, wherever that leads. */
  readonly #peers = new Set<string>()

  vouch(addresses: Iterable<Multiaddr>): void {
    for (const address of addresses) {
      remember(this.#doors, doorOf(address))
      const peer = peerOf(address)
      if (peer !== undefined && isIP(hostOf(address)) === 0) remember(this.#peers, peer)
    }
  }

  admits(address: Multiaddr): boolean {
    const host = hostOf(address)
    if (isIP(host) === 0 || reachOfIp(host) === 'world') return true
    return this.#doors.has(doorOf(address)) || this.#peers.has(peerOf(address) ?? '')
  }

  /** Vouches for what its user has it dial, and for what peers tell that are near enough. */
  watch(libp2p: Libp2p): void {
    const dial = libp2p.dial.bind(libp2p)
    libp2p.dial = (to, options) => {
      const all = Array.isArray(to) ? to : [to]
      this.vouch(all.filter((each) => 'getComponents' in each))
      return dial(to, options)
    }
    libp2p.addEventListener('peer:identify', ({ detail: { listenAddrs, connection } }) => {
      this.vouch(listenAddrs.filter((address) => isOfUse(address, connection.remoteAddr)))
    })
  }
}

function doorOf(address: Multiaddr): string {
  const [host, transport] = address.getComponents()
  return `${host?.value}/${transport?.name}/${transport?.value}`
}

function remember(set: Set<string>, text: string): void {
  set.delete(text)
  set.add(text)
  keepNewest(set, MOST_REMEMBERED)
}
