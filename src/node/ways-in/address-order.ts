/**
 * In which order the addresses of a peer are dialled, and how long each waits for those before it: first where it may
 * be next door, then those in the world by TCP, which is the fastest, then by other transports, then through relays,
 * which carry little; last the private addresses of other networks, where somebody else may live. Among equals, those
 * that answered before go first.
 */
import { BlockList, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Address, Libp2p } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { keepNewest } from '../../core/keep-newest.ts'
import { isRelayed, reachOf } from '../reach.ts'
import { hostOf } from './outside-view.ts'

/** An address that does not answer within this is given up, and the whole peer within the other, in ms. */
export const ADDRESS_DIAL_MS = 3_000
export const DIAL_MS = 15_000

/** The next address is dialled after this; one that is better not needed after the other, in ms (RFC 8305 has 250). */
const NEXT_MS = 250
const LAST_RESORT_MS = 1_500

const MOST_REMEMBERED = 2_000

export class AddressOrder {
  /** Addresses that answered, the latest last. */
  readonly #worked = new Set<string>()

  /** Remembers where it got through. */
  watch(libp2p: Libp2p): void {
    libp2p.addEventListener('connection:open', ({ detail }) => {
      if (detail.direction === 'outbound') this.#note(detail.remoteAddr)
    })
  }

  #note(address: Multiaddr): void {
    const key = address.toString()
    this.#worked.delete(key)
    this.#worked.add(key)
    keepNewest(this.#worked, MOST_REMEMBERED)
  }

  /** For libp2p's `connectionManager.addressSorter`. */
  readonly compare = (a: Address, b: Address): -1 | 0 | 1 => {
    const own = ownNetworks()
    const [first, second] = [rank(a.multiaddr, own), rank(b.multiaddr, own)]
    return sign(first - second || this.#age(a) - this.#age(b))
  }

  /** 0 for an address that worked, 1 for one that has not. */
  #age({ multiaddr }: Address): number {
    return this.#worked.has(multiaddr.toString()) ? 0 : 1
  }
}

function sign(number: number): -1 | 0 | 1 {
  if (number === 0) return 0
  return number < 0 ? -1 : 1
}

/** How long the dial of an address waits for those of better ones, in ms. */
export function patienceFor(address: Multiaddr): number {
  return rank(address, ownNetworks()) < RELAYED ? NEXT_MS : LAST_RESORT_MS
}

const RELAYED = 5

function rank(address: Multiaddr, own: BlockList): number {
  if (isRelayed(address)) return RELAYED
  const reach = reachOf(address)
  const host = hostOf(address)
  const near = reach !== undefined && reach !== 'world' && own.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
  const names = address.getComponents().map(({ name }) => name)
  const transport = names.includes('quic-v1') ? 3 : names.includes('ws') ? 2 : 1
  if (near) return 0
  return reach === 'site' || reach === 'machine' ? 6 : transport
}

/** The networks that this machine is in. */
function ownNetworks(): BlockList {
  const list = new BlockList()
  for (const { address, cidr, family } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
    const bits = Number(cidr?.split('/')[1])
    if (Number.isInteger(bits)) list.addSubnet(address, bits, family === 'IPv6' ? 'ipv6' : 'ipv4')
  }
  return list
}
