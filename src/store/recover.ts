/**
 * Shares that a crash left between their two names. Whatever the bytes are called now, they are verified
 * again: under the final name in the background, under the partial one when the download goes on.
 */
import { readdir, rm, rmdir } from 'node:fs/promises'
import { isTorrentRoot } from '../core/cid.ts'
import type { RootKey } from '../core/types.ts'
import { rowOf } from './catalogue.ts'
import type { Layouts } from './layouts.ts'
import { partialPath } from './partial.ts'
import { kindAt, sameFile } from './place.ts'
import type { ShareTable } from './share-table.ts'
import type { ShareRow } from './types.ts'

/** Ends every `finishing`; gives the shares that became complete, to be verified. */
export async function recoverFinishing(shares: ShareTable, layouts: Layouts): Promise<RootKey[]> {
  const completed: RootKey[] = []
  for (const { row } of shares.all())
    if (row.phase === 'finishing' && (await recover(shares, layouts, row))) completed.push(row.root)
  return completed
}

/** Ends one `finishing`; true when the share is complete. */
export async function recover(shares: ShareTable, layouts: Layouts, row: ShareRow): Promise<boolean> {
  // what a torrent has is looked through again before it becomes a share
  const isKnown = isTorrentRoot(row.root) || (await layouts.get(row.root)) !== undefined
  if (isKnown && (await wasRenamed(row.path))) {
    const along = [{ type: 'del' as const, key: rowOf('have', row.root) }]
    await shares.change(row.root, { phase: 'complete' }, { partial: 'none', along })
    return true
  }
  await shares.change(row.root, { phase: 'incomplete' }, { partial: 'suspect' })
  return false
}

/** True when the bytes have their final name; tidies what the rename left half done. */
export async function wasRenamed(path: string): Promise<boolean> {
  const partial = partialPath(path)
  const [from, to] = [await kindAt(partial), await kindAt(path)]
  if (to === undefined) return false
  if (from === undefined) return true
  if (from === 'file' && to === 'file' && (await sameFile(partial, path))) {
    await rm(partial)
    return true
  }
  // the empty directory that reserved the name
  if (from === 'directory' && to === 'directory' && (await readdir(path)).length === 0) await rmdir(path)
  return false
}
