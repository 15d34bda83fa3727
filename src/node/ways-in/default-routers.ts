/** The routers that this machine sends to what is not near: by Linux's table of routes, elsewhere by custom. */
import { readFile } from 'node:fs/promises'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'

const TABLE = '/proc/net/route'

/** In a route's flags: it leads through a router. */
const GATEWAY = 2

/** IPv4 addresses. */
export async function defaultRouters(): Promise<string[]> {
  const table = await readFile(TABLE, 'utf8').catch(() => undefined)
  const near = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  return table === undefined ? customaryRouters(near) : routersOf(table)
}

/** From lines of interface, destination, gateway and flags, in hexadecimal, the addresses' bytes backwards. */
export function routersOf(table: string): string[] {
  return table.split('\n').flatMap((line) => {
    const [, destination, gateway = '', flags = ''] = line.split(/\s+/)
    if (destination !== '00000000' || (Number.parseInt(flags, 16) & GATEWAY) === 0) return []
    return [Buffer.from(gateway, 'hex').reverse().join('.')]
  })
}

/** The first address of each network: where home routers mostly are. */
export function customaryRouters(near: readonly NetworkInterfaceInfo[]): string[] {
  const first = ({ address, netmask }: NetworkInterfaceInfo): string => {
    const mask = netmask.split('.').map(Number)
    const bytes = address.split('.').map((byte, at) => Number(byte) & (mask[at] ?? 0))
    return [...bytes.slice(0, 3), (bytes[3] ?? 0) + 1].join('.')
  }
  const outward = near.filter(({ family, internal }) => family === 'IPv4' && !internal)
  return [...new Set(outward.map(first))]
}
