/** Publishing what lies on disk: hash it into a DAG, derive the manifest as every receiver will, record it. */
import { lstat, readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { CID } from 'multiformats/cid'
import { importPath } from '../content/import.ts'
import type { HashedFile } from '../content/source-file.ts'
import { verifyBlock } from '../content/verify.ts'
import { walkManifest } from '../content/walk.ts'
import { RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { REMEMBERED_FILES } from '../store/file-blocks.ts'
import type { InlinePlace, ShareRow, Store } from '../store/types.ts'
import type { AddOptions } from './types.ts'

/** @throws ShareError NOT_FOUND, UNREADABLE, UNSUPPORTED, SOURCE_CHANGED, INTERRUPTED */
export async function addPath(store: Store, path: string, options: AddOptions): Promise<ShareRow> {
  const source = resolve(path)
  await lstat(source).catch((thrown: unknown) => {
    const error = ShareError.from(thrown, `read ${path}`)
    throw error.code === 'NOT_FOUND'
      ? new ShareError('NOT_FOUND', `there is no ${path}`, 'check the path')
      : error
  })
  const { profile, copy = false, name, signal, onProgress } = options
  const release = store.hold()
  const hashed = new Map<string, HashedFile>()
  try {
    const { root } = await importPath(source, {
      sink: {
        putNode: (cid, block) => store.putBlock(cid, block),
        ...(copy && { putLeaf: (cid, block) => store.putBlock(cid, block) }),
      },
      onHashed: (inside, file) => {
        if (hashed.size < REMEMBERED_FILES) hashed.set(inside, file)
      },
      ...(profile !== undefined && { profile }),
      ...(signal !== undefined && { signal }),
      ...(onProgress !== undefined && { onProgress }),
    })
    const { manifest, events } = walkManifest(root, {
      fetchNode: (cid) => nodeOf(store, source, cid),
      ...(signal !== undefined && { signal }),
    })
    const inlines: InlinePlace[] = []
    for await (const event of events) {
      if (event.type !== 'inline') continue
      const { cid, place, data } = event.inline
      inlines.push({ cid, ...place, size: data.byteLength })
    }
    return await store.addShare({
      manifest,
      inlines,
      name: name ?? basename(source),
      path: source,
      copied: copy,
      hashed,
    })
  } finally {
    release()
  }
}

/** A node that the import has stored; or the source itself, where the whole file is one raw leaf and so has no nodes. */
async function nodeOf(store: Store, source: string, cid: CID): Promise<Uint8Array> {
  const stored = await store.getBlock(cid)
  if (stored !== undefined) return stored
  const bytes = cid.code === RAW ? await readFile(source) : undefined
  if (bytes !== undefined && verifyBlock(cid, bytes)) return bytes
  throw new ShareError('SOURCE_CHANGED', `${source} changed while it was read`, 'add it again')
}
