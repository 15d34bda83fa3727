/** The manifest of a tree whose nodes are all here, as every receiver will derive it. */
import type { CID } from 'multiformats/cid'
import type { Manifest } from '../content/manifest.ts'
import { walkManifest } from '../content/walk.ts'
import type { InlinePlace } from '../store/types.ts'

export interface Derived {
  readonly manifest: Manifest
  readonly inlines: readonly InlinePlace[]
}

/** @throws what `fetchNode` and the walk throw */
export async function derivedManifest(
  root: CID,
  fetchNode: (cid: CID) => Promise<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Derived> {
  const { manifest, events } = walkManifest(root, { fetchNode, ...(signal !== undefined && { signal }) })
  const inlines: InlinePlace[] = []
  for await (const event of events) {
    if (event.type !== 'inline') continue
    const { cid, place, data } = event.inline
    inlines.push({ cid, ...place, size: data.byteLength })
  }
  return { manifest, inlines }
}
