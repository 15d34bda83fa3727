/**
 * Which blocks belong to an answer: `block` is the one block; `entity` the file, all of it or a range, or the directory
 * without what its entries stand for; `all` everything below. Source: the trustless gateway's `dag-scope` and
 * `entity-bytes`, https://specs.ipfs.tech/http-gateways/trustless-gateway/
 */
import type { CID } from 'multiformats/cid'
import { DAG_PB } from '../core/cid.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import type { CarBlock } from './car-reader.ts'
import { dagBlocks } from './dag-blocks.ts'
import { linksOf } from './dag-links.ts'
import { type DagNode, decodeNode, identityBytes } from './dag-node.ts'
import type { FetchBlock } from './dag-source.ts'
import { partsOf } from './file.ts'
import { isShardLink } from './tree.ts'

export type Scope = 'block' | 'entity' | 'all'

/** Byte offsets, both inclusive; negative ones count from the end. Without a last one, to the end. */
export interface EntityBytes {
  readonly first: number
  readonly last?: number
}

export interface ScopeOptions {
  readonly getBlock: FetchBlock
  readonly scope: Scope
  readonly bytes?: EntityBytes
  readonly duplicates?: boolean
  readonly signal?: AbortSignal
}

interface Link {
  readonly cid: CID
  /** Where its bytes begin in the file; undefined for everything but parts of a file. */
  readonly offset?: number
}

/** The blocks of what `way` leads to, after those on the way to it. Blocks that lie in identity CIDs are left out. */
export async function* scopeBlocks(way: readonly CID[], options: ScopeOptions): AsyncGenerator<CarBlock> {
  const { scope, bytes = { first: 0 } } = options
  const target = way.at(-1)
  const before = way.slice(0, -1)
  const entity = new Entity(bytes)
  const below = (link: Link, block: Uint8Array): readonly Link[] => {
    if (before.some((cid) => cid === link.cid)) return []
    if (scope === 'all') return linksOf(link.cid, block).map((cid) => ({ cid }))
    return scope === 'block' ? [] : entity.below(link, block, link.cid === target)
  }
  const links = way.map((cid) => ({ cid }))
  for await (const block of dagBlocks<Link>(links, { ...options, below })) {
    if (identityBytes(block.cid) === undefined) yield block
  }
}

/** The names in a directory, flat or sharded, as its blocks come. */
export async function* directoryLinks(
  cid: CID,
  options: Pick<ScopeOptions, 'getBlock' | 'signal'>,
): AsyncGenerator<{ name: string; cid: CID; tsize: number | undefined }> {
  const entity = new Entity({ first: 0 })
  const below = (link: Link, block: Uint8Array) => entity.below(link, block, link.cid === cid)
  for await (const { cid: at, block } of dagBlocks<Link>([{ cid }], { ...options, below })) {
    const node = decodeNode(at, block, DEFAULT_BUDGETS, 'any')
    if (node.kind === 'directory') yield* node.links
    if (node.kind !== 'shard') continue
    for (const link of node.links) {
      if (!isShardLink(node, link)) yield { ...link, name: link.name.slice(node.prefix) }
    }
  }
}

/** Goes through one file or directory. */
class Entity {
  readonly #bytes: EntityBytes
  /** Of the file, once its first block is here: bytes from `first`, up to and without `end`. */
  #window = { first: 0, end: Number.POSITIVE_INFINITY }

  constructor(bytes: EntityBytes) {
    this.#bytes = bytes
  }

  below({ cid, offset }: Link, block: Uint8Array, isTop: boolean): readonly Link[] {
    const node = cid.code === DAG_PB ? unixfsNode(cid, block) : undefined
    if (node?.kind === 'shard') return node.links.filter((link) => isShardLink(node, link))
    if (node?.kind !== 'file') return []
    if (isTop) this.#window = windowOf(this.#bytes, node.size)
    return partsOf(node, offset ?? 0).filter((part) => this.#isWanted(part))
  }

  #isWanted({ offset, size }: { offset: number; size: number }): boolean {
    return offset < this.#window.end && offset + size > this.#window.first
  }
}

/** Undefined for what is dag-pb without being UnixFS: an entity of one block. */
function unixfsNode(cid: CID, block: Uint8Array): DagNode | undefined {
  try {
    return decodeNode(cid, block, DEFAULT_BUDGETS, 'any')
  } catch {
    return undefined
  }
}

function windowOf({ first, last }: EntityBytes, size: number): { first: number; end: number } {
  const from = first < 0 ? Math.max(0, size + first) : first
  if (last === undefined) return { first: from, end: size }
  return { first: from, end: (last < 0 ? size + last : last) + 1 }
}
