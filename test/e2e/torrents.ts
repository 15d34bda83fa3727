/** Torrents of files in memory, made as strangers make them: any piece length, v1, v2 or both. */
import { hash } from 'node:crypto'
import type { TorrentInfo, TorrentVersion } from '../../src/torrent/info.ts'
import { layOut } from '../../src/torrent/layout.ts'
import { blockHashes, pieceHash } from '../../src/torrent/merkle.ts'
import { writeMetainfo } from '../../src/torrent/metainfo.ts'
import { readInfo } from '../../src/torrent/read-info.ts'
import { writeInfo } from '../../src/torrent/write-info.ts'

export interface Made {
  readonly bytes: Uint8Array
  readonly info: TorrentInfo
}

/** @param files by their paths below the top; one with the path '' for a torrent of one file */
export function makeTorrent(
  name: string,
  files: ReadonlyMap<string, Uint8Array>,
  options: { version?: TorrentVersion; pieceLength?: number; webSeeds?: readonly string[] } = {},
): Made {
  const { version = 'v1', pieceLength = 16 << 10, webSeeds = [] } = options
  const listed = [...files].map(([path, { length }]) => ({ path, size: length, symlink: undefined }))
  const layout = layOut(listed, pieceLength, version !== 'v1')
  const space = Buffer.alloc(layout.length)
  for (const { path, start } of layout.files) space.set(files.get(path) ?? [], start)
  const sha1s: Buffer[] = []
  const hashes: Uint8Array[] = []
  for (let piece = 0; piece < layout.pieces; piece++) {
    const [from, to] = [piece * pieceLength, Math.min(layout.length, (piece + 1) * pieceLength)]
    sha1s.push(hash('sha1', space.subarray(from, to), 'buffer'))
    const file = layout.files.findLast(({ start, size }) => start <= from && size > 0)
    const end = file === undefined ? to : Math.min(to, file.start + file.size)
    if (version !== 'v1')
      hashes.push(pieceHash(blockHashes(space.subarray(from, end)), file?.size ?? 0, pieceLength))
  }
  const digests = { sha1s: Buffer.concat(sha1s), hashes: Buffer.concat(hashes) }
  const info = writeInfo({ name, version, layout, digests })
  return { bytes: writeMetainfo(info, { webSeeds }), info: readInfo(info.bytes) }
}
