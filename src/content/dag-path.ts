/**
 * Follows a path through a DAG block by block, as gateways do: through directories and through documents of DAG-CBOR,
 * and not through symlinks.
 */
import { decode } from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { DAG_CBOR, DAG_PB, printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { orAborted, throwIfAborted } from './abort.ts'
import { badContent } from './bad-content.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import { type FetchBlock, fetchBlock, fetchNode } from './dag-source.ts'
import { childOf, missing } from './path.ts'

export interface DagPath {
  /** What the path leads to. */
  readonly cid: CID
  /** The root, and what each name leads to; the last one is `cid`. */
  readonly roots: readonly CID[]
  /** Every block on the way, shards of directories included, and `cid` itself. */
  readonly way: readonly CID[]
}

/**
 * Nothing is fetched for the root alone.
 * @throws ShareError NOT_FOUND naming the segment, UNSUPPORTED for a path that ends inside of a document, BAD_CONTENT, INTERRUPTED
 */
export async function followPath(
  root: CID,
  segments: readonly string[],
  fetch: FetchBlock,
  signal?: AbortSignal,
): Promise<DagPath> {
  const roots = [root]
  const way = [root]
  let cid = root
  for (let at = 0; at < segments.length; ) {
    throwIfAborted(signal)
    const step = await orAborted(stepInto(cid, segments.slice(at), fetch), signal)
    at += step.names
    cid = step.cid
    roots.push(cid)
    way.push(...step.shards, cid)
  }
  return { cid, roots, way }
}

interface Step {
  readonly cid: CID
  readonly shards: readonly CID[]
  /** Segments that it took. */
  readonly names: number
}

async function stepInto(cid: CID, segments: readonly string[], fetch: FetchBlock): Promise<Step> {
  const [name = ''] = segments
  if (cid.code === DAG_CBOR) return intoDocument(cid, segments, fetch)
  if (cid.code !== DAG_PB) return missing(name, 'what stands before it is not a directory')
  const node = await fetchNode(cid, fetch, DEFAULT_BUDGETS, 'any')
  return { ...(await childOf(node, name, fetch, 'any')), names: 1 }
}

async function intoDocument(cid: CID, segments: readonly string[], fetch: FetchBlock): Promise<Step> {
  let value = documentOf(cid, await fetchBlock(cid, fetch, DEFAULT_BUDGETS))
  for (const [at, name] of segments.entries()) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return missing(name)
    value = Reflect.get(value, name)
    const link = CID.asCID(value)
    if (link !== null) return { cid: link, shards: [], names: at + 1 }
  }
  const hint = 'only blocks can be named: ask for the document, with ?format=raw'
  throw new ShareError(
    'UNSUPPORTED',
    `"${printable(segments.join('/'))}" is inside of the block ${cid}`,
    hint,
  )
}

function documentOf(cid: CID, block: Uint8Array): unknown {
  try {
    return decode(block)
  } catch (cause) {
    throw badContent(`the block ${cid} is not DAG-CBOR`, cause)
  }
}
