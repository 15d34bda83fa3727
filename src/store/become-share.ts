/** The last step of a torrent without a CID: its content has become a share, and what was known of it goes over. */
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import { type Change, rowOf } from './catalogue.ts'
import type { Parts } from './parts.ts'
import type { ShareRow } from './types.ts'

/** @throws ShareError NOT_FOUND when either is gone */
export async function becomeShare(parts: Parts, torrent: RootKey, root: RootKey): Promise<ShareRow> {
  const { catalogue, shares } = parts
  const from = shares.get(torrent)?.row
  const to = shares.get(root)?.row
  if (from === undefined || to === undefined)
    throw new ShareError('NOT_FOUND', `the share ${root} is gone`, 'it was removed meanwhile')
  const metainfo = await catalogue.get(rowOf('metainfo', torrent))
  const along: Change[] =
    metainfo === undefined ? [] : [{ type: 'put', key: rowOf('metainfo', root), value: metainfo }]
  const taken = {
    uploaded: to.uploaded + from.uploaded,
    downloaded: to.downloaded + from.downloaded,
    limits: from.limits.up + from.limits.down > 0 ? from.limits : to.limits,
    paused: from.paused,
    torrent: from.torrent,
  }
  const changed = await shares.change(root, taken, { along })
  await shares.remove(torrent)
  return changed?.row ?? to
}
