/**
 * A DHT node's id follows from its address (BEP 42), so that nobody can choose to be the nearest to what he wants to hide:
 * the first 21 bits are those of a checksum over the address and three bits of chance, which are told in the last byte.
 */
import { isIPv4 } from 'node:net'
import { NODE_ID_BYTES } from './dht-messages.ts'

/** The bits of an IPv4 address that count: whoever has a network can choose the others. */
const MASK = [0x03, 0x0f, 0x3f, 0xff]

/** An id for this address; undefined for one of IPv6, which this DHT does not have. @param chance 20 bytes */
export function nodeIdFor(host: string, chance: Uint8Array): Uint8Array | undefined {
  if (!isIPv4(host)) return undefined
  const id = Uint8Array.from(chance)
  const checksum = checksumOf(host, (id[NODE_ID_BYTES - 1] ?? 0) & 7)
  id[0] = checksum >>> 24
  id[1] = checksum >>> 16
  id[2] = ((checksum >>> 8) & 0xf8) | ((id[2] ?? 0) & 7)
  return id
}

/** Whether the id may be that of a node at this address. */
export function fitsAddress(id: Uint8Array, host: string): boolean {
  const right = nodeIdFor(host, id)
  return right !== undefined && Buffer.compare(right, id) === 0
}

function checksumOf(host: string, three: number): number {
  const masked = host.split('.').map((part, at) => Number(part) & (MASK[at] ?? 0))
  masked[0] = (masked[0] ?? 0) | (three << 5)
  return crc32c(masked)
}

/** CRC-32C (RFC 3720), bit by bit: four bytes once a start. */
function crc32c(bytes: readonly number[]): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}
