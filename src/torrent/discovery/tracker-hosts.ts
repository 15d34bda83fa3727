/**
 * Where the URL of a tracker leads. Torrents and links come from strangers, and whoever opens one calls the trackers that it
 * names, from inside of his own network: a URL could be aimed at a router or at a service of this machine. So a stranger's
 * URL is called at addresses of the world alone, and a redirect leads nowhere nearer than where it came from. The check is
 * of the addresses that are called then, so no name can change its mind in between.
 */
import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { type Reach, reaches, reachOfIp } from '../../core/ip-reach.ts'
import { TrackerError } from '../announce.ts'

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

export const systemResolve: Resolve = (host) => lookup(host, { all: true, verbatim: true })

/** More than an honest name has that are worth trying. */
const MOST_ADDRESSES = 8

/**
 * The addresses at which a host may be called: those that reach at least as far as `nearest`.
 * @param host of a URL: a name, or an address, that of IPv6 in brackets or without
 * @throws TrackerError silent, forbidden
 */
export async function addressesOf(
  host: string,
  nearest: Reach,
  resolve: Resolve,
): Promise<readonly LookupAddress[]> {
  const plain = host.replace(/^\[(.*)\]$/, '$1')
  const found = isIP(plain) === 0 ? await resolved(plain, resolve) : [{ address: plain, family: isIP(plain) }]
  const allowed = found.filter(({ address }) => reaches(reachOfIp(address), nearest))
  if (allowed.length > 0) return allowed.slice(0, MOST_ADDRESSES)
  throw new TrackerError(
    'forbidden',
    `the tracker ${plain} is at an address of this machine or its networks, which only you may name`,
  )
}

async function resolved(name: string, resolve: Resolve): Promise<readonly LookupAddress[]> {
  try {
    return await resolve(name)
  } catch (cause) {
    throw new TrackerError('silent', `there is no host ${name}`, { cause })
  }
}
