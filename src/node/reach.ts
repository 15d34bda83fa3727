/**
 * How far a multiaddr reaches, and to whom it may therefore be told. Our own private addresses are nobody's business out
 * there, and an address through a relay reaches as far as the relay.
 */
import type { Multiaddr } from '@multiformats/multiaddr'
import { type Reach, reaches, reachOfIp } from '../core/ip-reach.ts'

/** What may follow the port: transports above TCP and UDP, peer ids, and a relay. */
const ABOVE = new Set(['ws', 'quic-v1', 'p2p', 'p2p-circuit'])

/** Undefined for what is not TCP or QUIC at an IP address: names may lead anywhere. */
export function reachOf(address: Multiaddr): Reach | undefined {
  const [host, transport, ...rest] = address.getComponents()
  if (host?.value === undefined || (host.name !== 'ip4' && host.name !== 'ip6')) return undefined
  if ((transport?.name !== 'tcp' && transport?.name !== 'udp') || Number(transport.value) === 0)
    return undefined
  if ((rest[0]?.name === 'quic-v1') !== (transport.name === 'udp')) return undefined
  if (rest.some(({ name }) => !ABOVE.has(name))) return undefined
  return reachOfIp(host.value)
}

export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some(({ name }) => name === 'p2p-circuit')
}

/** Whether an address may be told over a link: not to somebody who is farther away than it reaches. */
export function isOfUse(address: Multiaddr, link: Multiaddr): boolean {
  return reaches(reachOf(address), reachOf(link))
}

/** The peer that the address leads to, where it says so. */
export function peerOf(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === 'p2p')?.value
}
