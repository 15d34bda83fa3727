/** What a row says of the torrent that it is, or came from. */
import type { TorrentOrigin } from '../store/torrent-types.ts'
import type { InfoHashes } from '../torrent/info.ts'

export function hashesOf({ v1, v2 }: TorrentOrigin): InfoHashes {
  return { v1: bytesOf(v1), v2: bytesOf(v2) }
}

function bytesOf(hex: string | undefined): Uint8Array | undefined {
  return hex === undefined ? undefined : Buffer.from(hex, 'hex')
}
