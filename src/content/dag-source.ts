/** Where a walk gets its blocks from: the caller's verified bytes, with identity CIDs answered on the spot. */
import type { CID } from 'multiformats/cid'
import { badContent } from './bad-content.ts'
import type { Budgets } from './budgets.ts'
import { type DagNode, decodeNode, identityBytes, type Links } from './dag-node.ts'
import { isEmptyRaw } from './leaf.ts'

/** Gives a block's bytes, verified. */
export type FetchBlock = (cid: CID) => Promise<Uint8Array>

/** One key for a block under any CID version. */
export function blockKey(cid: CID): string {
  const { bytes } = cid.multihash
  return cid.code + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

const NOTHING = new Uint8Array(0)

/** Never calls `fetch` for an identity CID, nor for the empty raw block. */
export async function fetchBlock(cid: CID, fetch: FetchBlock, budgets: Budgets): Promise<Uint8Array> {
  const block = identityBytes(cid) ?? (isEmptyRaw(cid) ? NOTHING : await fetch(cid))
  if (block.length > budgets.nodeBytes) throw badContent(`the block ${cid} has ${block.length} bytes`)
  return block
}

export async function fetchNode(
  cid: CID,
  fetch: FetchBlock,
  budgets: Budgets,
  links?: Links,
): Promise<DagNode> {
  return decodeNode(cid, await fetchBlock(cid, fetch, budgets), budgets, links)
}

/** About what a decoded link holds in memory beside its block: the CID, its digest, their views. */
const LINK_BYTES = 300

/** Bytes of memory that a decoded node holds, about. */
export function nodeWeight(node: DagNode): number {
  switch (node.kind) {
    case 'symlink':
      return node.target.length
    case 'file':
      return node.data.length + node.links.length * LINK_BYTES
    case 'directory':
    case 'shard':
      return node.links.length * LINK_BYTES
  }
}

/** Decoded nodes kept for a repeat, in bytes: a sparse file, or a bomb, visits the same few again and again. */
const MAX_KEPT_BYTES = 16 * 2 ** 20

/** Fetches and decodes nodes, keeping the latest ones. */
export class NodeCache {
  readonly #fetch: (cid: CID) => Promise<DagNode>
  readonly #kept = new Map<string, { readonly node: Promise<DagNode>; weight: number }>()
  #weight = 0

  constructor(fetch: FetchBlock, budgets: Budgets) {
    this.#fetch = (cid) => fetchNode(cid, fetch, budgets)
  }

  get(cid: CID): Promise<DagNode> {
    const key = blockKey(cid)
    const known = this.#kept.get(key)
    if (known !== undefined) {
      this.#kept.delete(key)
      this.#kept.set(key, known)
      return known.node
    }
    const entry = { node: this.#fetch(cid), weight: 0 }
    this.#kept.set(key, entry)
    entry.node.then(
      (node) => this.#weighed(key, entry, nodeWeight(node)),
      () => this.#kept.delete(key),
    )
    return entry.node
  }

  #weighed(key: string, entry: { weight: number }, weight: number): void {
    if (this.#kept.get(key) !== entry) return
    entry.weight = weight
    this.#weight += weight
    for (const [oldest, { weight: freed }] of this.#kept) {
      if (this.#weight <= MAX_KEPT_BYTES) return
      this.#kept.delete(oldest)
      this.#weight -= freed
    }
  }
}
