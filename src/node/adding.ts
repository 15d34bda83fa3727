/** Publishing what lies on disk: hash it into a DAG, derive the manifest, record it. */
import { lstat, readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { CID } from 'multiformats/cid'
import { type ImportOptions, importSurveyed } from '../content/import.ts'
import type { Profile } from '../content/profile.ts'
import type { HashedFile } from '../content/source-file.ts'
import { type Survey, survey } from '../content/survey.ts'
import { verifyBlock } from '../content/verify.ts'
import { RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { REMEMBERED_FILES } from '../store/file-blocks.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { derivedManifest } from './derived-manifest.ts'
import type { AddOptions } from './types.ts'

interface Wanted {
  readonly path: string
  readonly profile: Profile
  readonly copy: boolean
}

/** What did not change since it was added is not read again, nor what is known. @throws ShareError NOT_FOUND, UNREADABLE, UNSUPPORTED, SOURCE_CHANGED, INTERRUPTED */
export async function addPath(
  store: Store,
  path: string,
  options: AddOptions & Pick<ImportOptions, 'known'>,
): Promise<ShareRow> {
  const { profile = 'unixfs-v1-2025', copy = false, name, signal, onProgress } = options
  const wanted = { path: resolve(path), profile, copy }
  await checkThere(path)
  const found = await survey(wanted.path, signal)
  const known = unchanged(store, wanted, found)
  if (known === undefined) return importShare(store, wanted, found, options)
  onProgress?.({ done: found.bytes, total: found.bytes, files: found.files })
  if (name === undefined || name === known.name) return known
  await store.update(known.root, { name })
  return { ...known, name }
}

async function checkThere(path: string): Promise<void> {
  try {
    await lstat(resolve(path))
  } catch (thrown) {
    const error = ShareError.from(thrown, `read ${path}`)
    throw error.code === 'NOT_FOUND'
      ? new ShareError('NOT_FOUND', `there is no ${path}`, 'check the path')
      : error
  }
}

/** The share that adding this again would make. */
function unchanged(store: Store, { path, profile, copy }: Wanted, { stamp }: Survey): ShareRow | undefined {
  if (stamp === undefined) return undefined
  return store.shares().find((row) => {
    const isWhole = row.phase === 'complete' && row.damaged.length === 0
    const isSame = row.path === path && row.copied === copy
    return isWhole && isSame && row.added?.stamp === stamp && row.added.profile === profile
  })
}

async function importShare(
  store: Store,
  { path, profile, copy }: Wanted,
  found: Survey,
  { name = basename(path), signal, onProgress, known }: AddOptions & Pick<ImportOptions, 'known'>,
): Promise<ShareRow> {
  const release = store.hold()
  const hashed = new Map<string, HashedFile>()
  try {
    const root = await importSurveyed(found, {
      profile,
      sink: {
        putNode: (cid, block) => store.putBlock(cid, block),
        ...(copy && { putLeaf: (cid, block) => store.putBlock(cid, block) }),
      },
      onHashed: (inside, file) => {
        if (hashed.size < REMEMBERED_FILES) hashed.set(inside, file)
      },
      ...(known !== undefined && { known }),
      ...(signal !== undefined && { signal }),
      ...(onProgress !== undefined && { onProgress }),
    })
    const { manifest, inlines } = await derivedManifest(root, (cid) => nodeOf(store, path, cid), signal)
    // what was known was hashed in another state of its file than the stamp's
    const isStamped = found.stamp !== undefined && known === undefined
    const added = isStamped ? { profile, stamp: found.stamp } : undefined
    return await store.addShare({ manifest, inlines, name, path, copied: copy, added, hashed })
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
