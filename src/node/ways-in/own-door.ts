/**
 * Addresses that lead to this very node. Others are told of by theirs on the loopback, by multicast DNS above all, and here
 * those are ours: a dial would end in a handshake with ourselves.
 */
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'

/** Whether a dial of the address would be answered by a node here that listens on `listen`, all of it multiaddrs. */
export function leadsHere(
  address: Multiaddr,
  listen: readonly string[],
  interfaces = networkInterfaces(),
): boolean {
  const [host, transport] = address.getComponents()
  if (host?.value === undefined || transport?.value === undefined) return false
  const own = Object.values(interfaces).flatMap((all) => (all ?? []).map((each) => each.address))
  const isOwn = own.includes(host.value) || (isIPv4(host.value) && host.value.startsWith('127.'))
  return isOwn && listen.some((each) => isDoor(multiaddr(each), host.value ?? '', transport))
}

/** Whether who listens so answers at that host and port. */
function isDoor(
  listen: Multiaddr,
  host: string,
  { name, value }: { readonly name: string; readonly value?: string | undefined },
): boolean {
  const [on, transport] = listen.getComponents()
  if (transport?.name !== name || transport.value !== value) return false
  return on?.value === host || on?.value === '0.0.0.0' || on?.value === '::'
}
