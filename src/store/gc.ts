/**
 * Mark and sweep over blockstore-fs. Needed are the DAG nodes of every share, as far as they are here, and
 * the leaves of copied shares. Not needed are inline nodes that their share's file rebuilds. What an add or
 * a download in progress touches is held, and so is whatever is touched while this runs.
 */
import { decode } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { DAG_PB, SHA2_256 } from '../core/cid.ts'
import type { Parts } from './parts.ts'
import type { KeptShare } from './share-row.ts'

/** Nothing is deleted unless all that is needed was found. @throws ShareError IO, UNREADABLE */
export async function collectGarbage(parts: Parts): Promise<{ blocks: number; bytes: number }> {
  const { nodes, index, shares } = parts
  const release = nodes.hold()
  try {
    const needed = new Set<string>()
    for (const share of shares.all()) await markNodes(parts, share, needed)
    const freed = { blocks: 0, bytes: 0 }
    for await (const cid of nodes.list()) {
      if (needed.has(keyOf(cid)) || (await isCopiedLeaf(parts, cid))) continue
      const bytes = await nodes.deleteUnheld(cid)
      if (bytes === undefined) continue
      freed.blocks++
      freed.bytes += bytes
    }
    await index.sweep((slot) => shares.knowsSlot(slot))
    return freed
  } finally {
    release()
  }
}

async function markNodes(parts: Parts, share: KeptShare, needed: Set<string>): Promise<void> {
  const rebuilt = await rebuiltInlines(parts, share)
  const seen = new Set<string>()
  const stack = [CID.parse(share.row.root)]
  for (let cid = stack.pop(); cid !== undefined; cid = stack.pop()) {
    const key = keyOf(cid)
    if (seen.has(key) || rebuilt.has(key) || !mayBeNode(cid)) continue
    seen.add(key)
    // one that could not be read now would take all below it with it
    const block = await parts.nodes.getSurely(cid)
    if (block === undefined) continue
    needed.add(key)
    stack.push(...linksOf(block))
  }
}

/** Inline nodes whose blocks the share's own file gives, verified just now. */
async function rebuiltInlines({ layouts, files, nodes }: Parts, { row }: KeptShare): Promise<Set<string>> {
  const rebuilt = new Set<string>()
  if (row.phase !== 'complete' || row.copied || row.damaged.length > 0) return rebuilt
  const layout = await layouts.get(row.root)
  for (const [at, { cid }] of layout?.inlines.entries() ?? []) {
    if (layout === undefined || (await nodes.size(cid)) === undefined) continue
    const reading = await files.readInline({ layout, path: row.path }, at)
    if (reading?.state === 'good') rebuilt.add(keyOf(cid))
  }
  return rebuilt
}

async function isCopiedLeaf({ index, shares }: Parts, cid: CID): Promise<boolean> {
  const entries = await index.find(cid.multihash.digest)
  return entries.some((entry) => shares.withSlot(entry.slot)?.row.copied === true)
}

function mayBeNode(cid: CID): boolean {
  return cid.code === DAG_PB && cid.multihash.code === SHA2_256
}

function linksOf(block: Uint8Array): CID[] {
  try {
    return decode(block).Links.map((link) => link.Hash)
  } catch {
    return []
  }
}

/** CIDv0 and v1 of a block are one. */
function keyOf(cid: CID): string {
  return Buffer.from(cid.multihash.bytes).toString('latin1')
}
