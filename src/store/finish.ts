/** The last steps of a download, each durable before the next: `finishing`, the final name, `complete`. */
import { dirname } from 'node:path'
import type { RootKey } from '../core/types.ts'
import { type Change, rowOf } from './catalogue.ts'
import type { Layout } from './layout.ts'
import { wrapsRow } from './layouts.ts'
import type { Parts } from './parts.ts'
import { placeAt, syncDirectory } from './place.ts'
import { wasRenamed } from './recover.ts'

/**
 * Moves a partial tree whose bytes are durable to its target.
 * @throws ShareError TARGET_EXISTS, IO; the share is `incomplete` as before, or `finishing` when the bytes have moved
 */
export async function giveName(
  parts: Parts,
  root: RootKey,
  layout: Layout,
  from: string,
  to: string,
): Promise<void> {
  const { shares, layouts } = parts
  await shares.change(root, { phase: 'finishing' })
  try {
    await placeAt(layout.manifest.entries[0]?.kind ?? 'file', from, to)
    await syncDirectory(dirname(to))
  } catch (thrown) {
    // bytes that have their new name already are for a recovery, as after a crash
    const moved = await wasRenamed(to).catch(() => true)
    if (!moved) await shares.change(root, { phase: 'incomplete' })
    throw thrown
  }
  const along: Change[] = [{ type: 'del', key: rowOf('have', root) }, wrapsRow(root, layout)]
  await shares.change(root, { phase: 'complete' }, { partial: 'none', along })
  layouts.put(root, layout)
}
