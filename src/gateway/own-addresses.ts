/** Addresses under which others may reach this machine, as they stand in a URL, the likeliest first. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'

/** Of documentation (RFC 5737): nothing is sent there, the system only says by which way it would go. */
const ANYWHERE = '192.0.2.1'
const DISCARD_PORT = 9

/** @param host listened on; `0.0.0.0` and `::` stand for every interface */
export async function ownAddresses(host: string): Promise<readonly string[]> {
  if (host !== '0.0.0.0' && host !== '::') return [isIPv6(host) ? `[${host}]` : host]
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
  if (found.length === 0) return ['127.0.0.1']
  const first = await outgoing()
  return found.toSorted((one, other) => Number(other === first) - Number(one === first))
}

/** The address that this machine's way to others starts from. */
async function outgoing(): Promise<string | undefined> {
  const socket = createSocket('udp4')
  try {
    socket.connect(DISCARD_PORT, ANYWHERE)
    await once(socket, 'connect')
    return socket.address().address
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}
