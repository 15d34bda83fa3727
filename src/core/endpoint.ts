/**
 * Addresses of BitTorrent peers, and their compact form: 4 bytes of IPv4 (BEP 23) or 16 of IPv6 (BEP 7), and 2 of port,
 * big-endian.
 */
import { isIPv4, isIPv6 } from 'node:net'

export interface Endpoint {
  /** An IP address in its usual text, the same for the same address. */
  readonly host: string
  readonly port: number
}

export type Family = 4 | 6

const IP_BYTES: Readonly<Record<Family, number>> = { 4: 4, 6: 16 }
const PORT_BYTES = 2

export function familyOf({ host }: Endpoint): Family {
  return isIPv4(host) ? 4 : 6
}

/** `192.0.2.1:6881`, `[2001:db8::1]:6881`. */
export function endpointText({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Undefined where the host is no IP address, or the port none that can be dialled. IPv4 in IPv6 becomes IPv4. */
export function endpoint(host: string, port: number): Endpoint | undefined {
  if (!Number.isInteger(port) || port <= 0 || port > 0xffff) return undefined
  if (isIPv4(host)) return { host, port }
  // addresses with a zone mean something on one machine alone
  if (!isIPv6(host) || host.includes('%')) return undefined
  return fromBytes(ipv6Bytes(host), port)
}

/** Those of the family, packed; the others are left out. */
export function packEndpoints(endpoints: readonly Endpoint[], family: Family): Uint8Array {
  const fitting = endpoints.filter((each) => familyOf(each) === family)
  const stride = IP_BYTES[family] + PORT_BYTES
  const packed = new Uint8Array(fitting.length * stride)
  for (const [at, { host, port }] of fitting.entries()) {
    packed.set(family === 4 ? host.split('.').map(Number) : ipv6Bytes(host), at * stride)
    packed[(at + 1) * stride - 2] = port >>> 8
    packed[(at + 1) * stride - 1] = port
  }
  return packed
}

/** At most so many. What nobody can be reached at is left out, and so is a part of one at the end. */
export function unpackEndpoints(packed: Uint8Array, family: Family, most: number): Endpoint[] {
  const stride = IP_BYTES[family] + PORT_BYTES
  const found: Endpoint[] = []
  for (let at = 0; at + stride <= packed.length && at < most * stride; at += stride) {
    const ip = packed.subarray(at, at + IP_BYTES[family])
    const port = (packed[at + stride - 2] ?? 0) * 256 + (packed[at + stride - 1] ?? 0)
    const unpacked = port === 0 ? undefined : fromBytes(ip, port)
    if (unpacked !== undefined) found.push(unpacked)
  }
  return found
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

function fromBytes(ip: Uint8Array, port: number): Endpoint | undefined {
  if (ip.length === 16 && MAPPED.every((byte, at) => ip[at] === byte)) return fromBytes(ip.subarray(12), port)
  const first = ip[0] ?? 0
  // nobody's address, and multicast
  if (ip.every((byte) => byte === 0) || (ip.length === 4 ? first >= 224 : first === 0xff)) return undefined
  return { host: ip.length === 4 ? ip.join('.') : ipv6Text(ip), port }
}

/** In the form that URLs have: short, in lower case. */
function ipv6Text(ip: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((ip[2 * at] ?? 0) * 256 + (ip[2 * at + 1] ?? 0)).toString(16),
  )
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** The 16 bytes of what `isIPv6` takes, without a zone. */
export function ipv6Bytes(host: string): Uint8Array {
  const [head = '', tail] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string | undefined): number[] =>
    text === undefined || text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const [before, after] = [groups(head), groups(tail)]
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0)
  return Uint8Array.from([...before, ...zeros, ...after].flatMap((group) => [group >>> 8, group & 0xff]))
}
