/**
 * How far an IP address reaches: this machine, the networks around it, or the world. What somebody tells of addresses is of
 * use only within the reach of the link to him: an address of another private network would name somebody else's machine
 * here, and a stranger must not make us call this machine's own services.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { ipv6Bytes } from './endpoint.ts'

export type Reach = 'machine' | 'site' | 'world'

const WIDTH: Readonly<Record<Reach, number>> = { machine: 0, site: 1, world: 2 }

/** RFC 1122, 4291 */
const MACHINE = blocks(['127.0.0.0/8', '::1/128'])

/** RFC 1918, 6598, 4193 */
const SITE = blocks(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'])

/** Addresses of nobody, or on one link alone: unspecified, link-local, multicast, reserved. */
const NOWHERE = blocks(['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/128', 'fe80::/10', 'ff00::/8'])

/** IPv6 that leads to the IPv4 address inside of it, by where that begins: NAT64 (RFC 6052), 6to4 (RFC 3056). */
const CARRIERS = [
  { within: blocks(['64:ff9b::/96']), at: 12 },
  { within: blocks(['2002::/16']), at: 2 },
]

/** Undefined for what is no IP address that anybody could be called at. */
export function reachOfIp(host: string): Reach | undefined {
  // with a zone it means something on one machine alone
  if ((!isIPv4(host) && !isIPv6(host)) || host.includes('%')) return undefined
  const family = isIPv6(host) ? 'ipv6' : 'ipv4'
  const carrier = family === 'ipv6' ? CARRIERS.find(({ within }) => within.check(host, family)) : undefined
  if (carrier !== undefined)
    return reachOfIp(
      Buffer.from(ipv6Bytes(host))
        .subarray(carrier.at, carrier.at + 4)
        .join('.'),
    )
  if (NOWHERE.check(host, family)) return undefined
  if (MACHINE.check(host, family)) return 'machine'
  return SITE.check(host, family) ? 'site' : 'world'
}

/** Whether an address of this reach may be told, or taken, over a link of that reach: not beyond where it reaches. */
export function reaches(address: Reach | undefined, link: Reach | undefined): boolean {
  return address !== undefined && link !== undefined && WIDTH[address] >= WIDTH[link]
}

function blocks(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits = '0'] = network.split('/')
    list.addSubnet(address, Number(bits), isIPv6(address) ? 'ipv6' : 'ipv4')
  }
  return list
}
