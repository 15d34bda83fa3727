/**
 * The content of a complete torrent becomes a share: its files have a CID from then on. What was not hashed on the way is
 * hashed where it lies.
 */
import type { ImportOptions } from '../content/import.ts'
import { rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { addPath } from './adding.ts'
import { parsePath } from './target.ts'
import type { ImportProfile } from './types.ts'

/** What the CID of a link may have been made with. */
const PROFILES: readonly ImportProfile[] = ['unixfs-v1-2025', 'unixfs-v0-2015']

/** @param torrent its row is complete */
export async function shareTorrent(
  store: Store,
  torrent: RootKey,
  known: NonNullable<ImportOptions['known']>,
  signal: AbortSignal,
): Promise<ShareRow> {
  const row = store.share(torrent)
  if (row === undefined)
    throw new ShareError('NOT_FOUND', 'the torrent was removed', 'get it again if you still want it')
  const claimed = claimedRoot(row)
  const before = new Set(store.shares().map(({ root }) => root))
  const forget = async (root: RootKey): Promise<void> => {
    if (!before.has(root)) await store.remove(root)
  }
  const [usual, ...others] = PROFILES
  const options = { name: row.name, known, signal }
  const made = await addPath(store, row.path, { ...options, ...(usual && { profile: usual }) })
  if (claimed === undefined || claimed === made.root) return store.becomeShare(torrent, made.root)
  // under another profile the link may be right
  for (const profile of others) {
    const other = await addPath(store, row.path, { ...options, profile })
    if (other.root === claimed) {
      await forget(made.root)
      return store.becomeShare(torrent, other.root)
    }
    await forget(other.root)
  }
  return store.becomeShare(torrent, made.root)
}

/** The CID that the link named for all of the torrent; undefined where there is none to compare with. */
function claimedRoot({ torrent }: ShareRow): RootKey | undefined {
  if (torrent?.claimed === undefined || torrent.only.length > 0) return undefined
  const { root, path } = parsePath(torrent.claimed)
  return path.length === 0 ? rootKeyOf(root) : undefined
}

/** How what came differs from what the link named; undefined where it does not, or nothing was named. */
export function mismatchOf(row: ShareRow): string | undefined {
  const claimed = claimedRoot(row)
  if (claimed === undefined || row.phase !== 'complete' || claimed === row.root) return undefined
  return `the link named ${claimed} beside the torrent, whose content is ${row.root}`
}
