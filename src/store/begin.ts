/** The beginning of a download, the first one or after a restart: the partial tree, and what is known of it. */
import type { Manifest } from '../content/manifest.ts'
import { Bitfield } from '../core/bitfield.ts'
import type { RootKey } from '../core/types.ts'
import { type Change, rowOf } from './catalogue.ts'
import { decodeClaims } from './claims.ts'
import { nodeLost } from './download-errors.ts'
import { inlineBlock, inlinePayload } from './inline-node.ts'
import type { KeptInline, Layout } from './layout.ts'
import { PartialTree, partialPath } from './partial.ts'
import type { Parts } from './parts.ts'
import { kindAt, targetExists } from './place.ts'
import type { KeptShare } from './share-row.ts'
import { Wrappings } from './wrapping.ts'

export interface Beginning {
  readonly layout: Layout
  readonly tree: PartialTree
  /** What the bitmap row claims, under the indexes of the whole walk. */
  readonly claimed: Bitfield
  /** A former run completed the walk. */
  readonly sealed: boolean
}

/** @throws ShareError TARGET_EXISTS, DISK_FULL, BAD_PATH, CONFLICT */
export async function beginPartial(parts: Parts, share: KeptShare, manifest: Manifest): Promise<Beginning> {
  const { root, path } = share.row
  const base = partialPath(path)
  const found = (await kindAt(base)) !== undefined
  if (found && share.partial === 'none') throw targetExists(base)
  const tree = new PartialTree(base, manifest, parts.smallFiles)
  if (found) await tree.scan()
  await tree.checkSpace()
  const sealed = await parts.layouts.get(root)
  const former = found
    ? await formerRun(parts, root)
    : { claimed: new Bitfield(0), wrappings: new Wrappings() }
  await claimTree(parts, share, manifest, found)
  await tree.make()
  const layout = { manifest, wrappings: former.wrappings, inlines: sealed?.inlines.slice() ?? [] }
  return { layout, tree, claimed: former.claimed, sealed: sealed !== undefined }
}

/** Writes again what a sealed walk found inside its nodes, where the file was lost. @throws ShareError IO when the node is lost too */
export async function restoreInline(
  parts: Parts,
  root: RootKey,
  tree: PartialTree,
  inline: KeptInline,
): Promise<boolean> {
  if (tree.intact(inline.entry)) return false
  const block = await inlineBlock(parts.nodes, inline.cid)
  const payload = block && inlinePayload(inline.cid, block)
  if (payload?.length !== inline.size) throw nodeLost(root, tree.base)
  await tree.write(inline.entry, inline.offset, payload)
  return true
}

async function formerRun(parts: Parts, root: RootKey): Promise<{ claimed: Bitfield; wrappings: Wrappings }> {
  const have = await parts.catalogue.get(rowOf('have', root))
  const wraps = await parts.catalogue.get(rowOf('wraps', root))
  return {
    claimed: decodeClaims(have),
    wrappings: wraps === undefined ? new Wrappings() : Wrappings.decode(wraps),
  }
}

/** From here on the tree is ours to delete. Without one, whatever was claimed is void. */
async function claimTree(parts: Parts, share: KeptShare, manifest: Manifest, found: boolean): Promise<void> {
  const { root } = share.row
  const kinds = ['have', 'wraps'] as const
  const along: Change[] = found ? [] : kinds.map((kind) => ({ type: 'del', key: rowOf(kind, root) }))
  const partial = found && share.partial === 'suspect' ? 'suspect' : 'begun'
  await parts.shares.change(root, { size: manifest.size }, { partial, along })
}
