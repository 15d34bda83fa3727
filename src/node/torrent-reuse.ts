/**
 * Files of a torrent that are here already under another share. In v2 the root of a file's hash tree names its bytes,
 * whatever torrent it is in; those of shares are known where a link or a torrent was made of them.
 */
import { readFile } from '../content/file.ts'
import type { TorrentDownload } from '../store/torrent-types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { decodeDigests } from '../torrent/digest-row.ts'
import type { TorrentFile } from '../torrent/info.ts'
import { HASH_BYTES, rootOfPieces } from '../torrent/merkle.ts'
import { shareLayout } from '../torrent/share-torrent.ts'
import type { TorrentSpace } from '../torrent/torrent-space.ts'
import type { PieceCheck } from './piece-check.ts'

interface Reuse {
  readonly store: Store
  readonly space: TorrentSpace
  readonly check: PieceCheck
  readonly download: TorrentDownload
  readonly signal: AbortSignal
  /** One was written. */
  readonly onPiece: (piece: number) => void
}

export async function reuseFiles(reuse: Reuse): Promise<void> {
  const { store, space, download, signal } = reuse
  const lacking = new Map<string, { file: TorrentFile; pieces: readonly number[] }>()
  for (const [at, file] of space.info.files.entries()) {
    const pieces =
      file.root === undefined ? [] : space.piecesOf(at).filter((piece) => !download.have.has(piece))
    if (pieces.length > 0 && file.root !== undefined) lacking.set(hex(file.root), { file, pieces })
  }
  for (const row of lacking.size === 0 ? [] : store.shares()) {
    signal.throwIfAborted()
    if (row.phase === 'complete' && row.damaged.length === 0) await fromShare(row, lacking, reuse)
  }
}

async function fromShare(
  { root }: ShareRow,
  lacking: Map<string, { file: TorrentFile; pieces: readonly number[] }>,
  reuse: Reuse,
): Promise<void> {
  const { store } = reuse
  const sizes = new Set([...lacking.values()].map(({ file }) => file.size))
  const row = await store.digests(root, 'torrent')
  const manifest = row && (await store.manifest(root))
  if (manifest === undefined) return
  const layout = shareLayout(manifest, 'hybrid')
  const { hashes } = decodeDigests(row, layout, true)
  if (hashes.length < layout.pieces * HASH_BYTES) return
  const cids = new Map(
    manifest.entries.flatMap((each) => (each.kind === 'file' ? [[each.path, each.cid]] : [])),
  )
  for (const { path, size, start } of layout.files) {
    const cid = cids.get(path)
    if (cid === undefined || !sizes.has(size)) continue
    const first = start / layout.pieceLength
    const layer = hashes.subarray(
      first * HASH_BYTES,
      (first + Math.ceil(size / layout.pieceLength)) * HASH_BYTES,
    )
    const found = lacking.get(hex(rootOfPieces(layer, size, layout.pieceLength)))
    if (found === undefined) continue
    for (const piece of found.pieces) await copyPiece(piece, found.file, cid, reuse)
  }
}

/** Reads a piece out of the share, and keeps it if it is right. */
async function copyPiece(
  piece: number,
  file: TorrentFile,
  cid: Parameters<typeof readFile>[0],
  { store, space, check, download, signal, onPiece }: Reuse,
): Promise<void> {
  if (download.have.has(piece)) return
  const first = space.toTorrent(piece) * space.info.pieceLength - file.start
  const bytes = new Uint8Array(space.blockSize(piece))
  let at = 0
  const range = { first, last: first + bytes.length - 1 }
  for await (const chunk of readFile(cid, { getBlock: (each) => blockHere(store, each), range, signal })) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  const checked = await check.check(piece, bytes)
  if (!checked.right || download.have.has(piece)) return
  await download.write(piece, checked.piece)
  onPiece(piece)
}

async function blockHere(store: Store, cid: Parameters<Store['getBlock']>[0]): Promise<Uint8Array> {
  const block = await store.getBlock(cid)
  if (block === undefined) throw new Error(`the block ${cid} is gone`)
  return block
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
