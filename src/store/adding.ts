/** Adding a share whose bytes are here already. */
import { resolve } from 'node:path'
import type { Manifest } from '../content/manifest.ts'
import { DAG_PB, IDENTITY, rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { type Change, rowOf } from './catalogue.ts'
import type { KeptInline, Layout } from './layout.ts'
import { indexLayout, layoutRows } from './layouts.ts'
import type { NodeStore } from './node-store.ts'
import type { Parts } from './parts.ts'
import type { KeptShare } from './share-row.ts'
import { dropPartial, newRow } from './targets.ts'
import type { Added, InlinePlace, ShareRow } from './types.ts'
import { FILE_FORM, splitInline, standardWrapping, Wrappings } from './wrapping.ts'

/** Blocks and index first, the rows that promise them last. A share with this root takes the new place. */
export async function addShare(
  parts: Parts,
  { manifest, inlines, name, path, copied, added, hashed }: Added,
): Promise<ShareRow> {
  const root = rootKeyOf(manifest.root)
  if (!copied) checkWrappings(manifest)
  const kept = await keptInlines(parts.nodes, inlines, copied)
  const layout: Layout = { manifest, wrappings: new Wrappings(), inlines: kept }
  const former = parts.shares.get(root)
  const slot = former?.slot ?? (await parts.shares.newSlot())
  await parts.nodes.sync()
  await indexLayout(parts.index, slot, layout)
  if (former !== undefined) await dropPartial(former)
  const fresh = newRow({ root, name, path: resolve(path), peers: former?.row.peers ?? [] }, former?.row)
  const row: ShareRow = {
    ...fresh,
    phase: 'complete',
    copied,
    added,
    size: manifest.size,
    pieces: manifest.pieces.length,
    entries: manifest.entries.length,
  }
  const share: KeptShare = { row, slot, partial: 'none' }
  const along: Change[] = [...layoutRows(root, layout), { type: 'del', key: rowOf('have', root) }]
  await parts.shares.put(share, along)
  parts.layouts.put(root, layout)
  if (!copied && hashed !== undefined)
    parts.files.trust(layout, (entry) => hashed.get(manifest.entries[entry]?.path ?? ''))
  return row
}

async function keptInlines(
  nodes: NodeStore,
  inlines: readonly InlinePlace[],
  copied: boolean,
): Promise<KeptInline[]> {
  const kept: KeptInline[] = []
  for (const { cid, entry, offset, size } of inlines) {
    const block = copied || cid.multihash.code === IDENTITY ? undefined : await nodes.get(cid)
    kept.push({ cid, entry, offset, size, wrapping: block && splitInline(block, size) })
  }
  return kept
}

/** An added dag-pb leaf has the importer's form; one of another size could never be rebuilt from the file. */
function checkWrappings({ pieces }: Manifest): void {
  for (let piece = 0; piece < pieces.length; piece++) {
    if (pieces.codec(piece) !== DAG_PB) continue
    const { prefix, suffix } = standardWrapping(FILE_FORM, pieces.size(piece))
    if (prefix.length + pieces.size(piece) + suffix.length === pieces.blockSize(piece)) continue
    throw new ShareError(
      'INTERNAL',
      `piece ${piece} is wrapped in an unknown way`,
      'add it again with --copy',
    )
  }
}
