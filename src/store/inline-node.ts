/** Inline nodes: DAG nodes that hold file bytes themselves. */
import { decode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { decodeUnixfs } from '../content/unixfs-data.ts'
import { DAG_PB, IDENTITY } from '../core/cid.ts'
import type { NodeStore } from './node-store.ts'

/** The node's block: from blockstore-fs, or out of an identity CID. */
export async function inlineBlock(nodes: NodeStore, cid: CID): Promise<Uint8Array | undefined> {
  return cid.multihash.code === IDENTITY ? cid.multihash.digest : nodes.get(cid)
}

/** The file bytes in a node that is whole and was checked when it arrived. */
export function inlinePayload(cid: CID, block: Uint8Array): Uint8Array | undefined {
  if (cid.code !== DAG_PB) return block
  try {
    const { Data } = decode(block)
    return Data === undefined ? undefined : decodeUnixfs(Data).data
  } catch {
    return undefined
  }
}
