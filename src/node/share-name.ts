/** How people name a share that is here: by its CID, or by the info hash of the torrent that it came from. */
import { parseCid } from '../core/cid.ts'
import { parseInfoHash } from '../torrent/torrent-root.ts'

/** @throws ShareError BAD_CID, UNSUPPORTED for what is neither */
export function checkShareName(text: string): void {
  if (parseInfoHash(text) === undefined) parseCid(text)
}
