/**
 * A HAMT directory of 256 slots a shard: at each level the next byte of a name's hash is its slot. A slot with one name
 * holds it; a slot with more holds a shard. Own code, since the importer library's needs about 4 KB of memory a name.
 */
import { encode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { ShareError } from '../core/errors.ts'
import { nameHash, SHARD_HASH } from './hamt.ts'
import { encodeUnixfs } from './unixfs-data.ts'

const FANOUT = 256
/** Hash bytes of a name, and so the levels that shards can have. */
const LEVELS = 8

export interface ShardChild {
  readonly name: string
  readonly cid: CID
  readonly tsize: number
}

/** @returns the root shard, stored by `store`, which gets each shard's block and the sum of its links' sizes */
export async function importShards<T extends Omit<ShardChild, 'name'>>(
  children: readonly ShardChild[],
  store: (block: Uint8Array, below: number) => Promise<T>,
): Promise<T> {
  const hashes = new Uint8Array(children.length * LEVELS)
  for (const [at, { name }] of children.entries()) hashes.set(await nameHash(name), at * LEVELS)

  const shard = async (members: readonly number[], level: number): Promise<T> => {
    if (level === LEVELS)
      throw new ShareError('UNSUPPORTED', 'two names in a directory have the same hash', 'rename one of them')
    const slots = Map.groupBy(members, (member) => hashes[member * LEVELS + level] ?? 0)
    const used = [...slots.keys()].sort((left, right) => left - right)
    const links: { Name: string; Hash: CID; Tsize: number }[] = []
    for (const slot of used) {
      const inSlot = slots.get(slot) ?? []
      const first = children[inSlot[0] ?? -1]
      if (first === undefined) continue
      const prefix = slot.toString(16).toUpperCase().padStart(2, '0')
      const alone = inSlot.length === 1
      const { cid, tsize } = alone ? first : await shard(inSlot, level + 1)
      links.push({ Name: alone ? prefix + first.name : prefix, Hash: cid, Tsize: tsize })
    }
    const data = encodeUnixfs({
      type: 'hamt-sharded-directory',
      data: bitfield(used),
      hashType: SHARD_HASH,
      fanout: FANOUT,
    })
    // slots ascend, and with them the names, as dag-pb wants it
    return store(
      encode({ Data: data, Links: links }),
      links.reduce((sum, { Tsize }) => sum + Tsize, 0),
    )
  }
  return shard([...children.keys()], 0)
}

/** The slots in use, ascending, as a big-endian number without leading zero bytes. */
function bitfield(used: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(((used.at(-1) ?? 0) >> 3) + 1)
  for (const slot of used) {
    const at = bytes.length - 1 - (slot >> 3)
    bytes[at] = (bytes[at] ?? 0) | (1 << (slot & 7))
  }
  return bytes
}
