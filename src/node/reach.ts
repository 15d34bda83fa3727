/**
 * How far an address reaches: this machine, the networks around it, or the world. What a peer tells of addresses is
 * of use only within the reach of the link to it: an address of another private network would name somebody else's
 * machine here, and our own ones are nobody's business out there.
 */
import { BlockList, isIPv6 } from 'node:net'
import type { Multiaddr } from '@multiformats/multiaddr'

type Reach = 'machine' | 'site' | 'world'

const WIDTH: Readonly<Record<Reach, number>> = { machine: 0, site: 1, world: 2 }

/** RFC 1122, 4291 */
const MACHINE = blocks(['127.0.0.0/8', '::1/128'])

/** RFC 1918, 6598, 4193 */
const SITE = blocks(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'])

/** Addresses of nobody, or on one link alone: unspecified, link-local, multicast, reserved. */
const NOWHERE = blocks(['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/128', 'fe80::/10', 'ff00::/8'])

/** Undefined for what is not TCP at an IP address: names may lead anywhere. */
function reachOf(address: Multiaddr): Reach | undefined {
  const [host, transport, ...rest] = address.getComponents()
  if (host?.value === undefined || (host.name !== 'ip4' && host.name !== 'ip6')) return undefined
  if (transport?.name !== 'tcp' || Number(transport.value) === 0) return undefined
  if (rest.some(({ name }) => name !== 'p2p')) return undefined
  const family = isIPv6(host.value) ? 'ipv6' : 'ipv4'
  if (NOWHERE.check(host.value, family)) return undefined
  if (MACHINE.check(host.value, family)) return 'machine'
  return SITE.check(host.value, family) ? 'site' : 'world'
}

/** Whether an address may be told over a link: not to somebody who is farther away than it reaches. */
export function isOfUse(address: Multiaddr, link: Multiaddr): boolean {
  const reach = reachOf(address)
  const distance = reachOf(link)
  return reach !== undefined && distance !== undefined && WIDTH[reach] >= WIDTH[distance]
}

function blocks(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits = '0'] = network.split('/')
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}
