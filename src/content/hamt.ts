/** Where a name belongs in a HAMT directory: successive slots from the bits of its murmur3-x64-64 hash. */
import { murmur364 } from '@multiformats/murmur3'

/** murmur3-x64-64 by its multihash code: the only hash that UnixFS names for HAMT directories. */
export const SHARD_HASH = 0x22

/** Eight bytes. */
export async function nameHash(name: string): Promise<Uint8Array> {
  return murmur364.encode(Buffer.from(name))
}

export interface SlotPath {
  /**
   * The slot at the next level, as the hex prefix that its link carries.
   * Undefined when the hash is used up: deeper shards cannot hold the name.
   */
  next(fanout: number): string | undefined
}

export async function slotPath(name: string): Promise<SlotPath> {
  let bits = Buffer.from(await nameHash(name)).readBigUInt64BE()
  let left = 64
  return {
    next(fanout) {
      const width = Math.log2(fanout)
      if (left < width) return undefined
      left -= width
      const slot = Number(bits >> BigInt(left))
      bits &= (1n << BigInt(left)) - 1n
      return slot
        .toString(16)
        .toUpperCase()
        .padStart((fanout - 1).toString(16).length, '0')
    },
  }
}
