/** Unsigned 32-bit integers, big-endian: the only numbers of the peer wire. */

export const MAX_UINT32 = 0xffff_ffff

/** The caller has checked that four bytes are there. */
export function readUint32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}

/** @throws RangeError for what four bytes cannot hold */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > MAX_UINT32)
    throw new RangeError(`not 32 bits: ${value}`)
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
