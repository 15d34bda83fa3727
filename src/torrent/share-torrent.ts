/**
 * A share as a torrent: its files, and how long its pieces are. A piece holds one leaf of the DAG and the zeros behind it,
 * so that what arrives by either network is one unit in both, and the same share has the same torrent on every node.
 */
import type { Entry, Manifest, PieceTable } from '../content/manifest.ts'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import {
  LEAST_PIECE_BYTES,
  MAX_FILES,
  MAX_INFO_BYTES,
  MAX_PIECES,
  SHA1_BYTES,
  type TorrentVersion,
} from './info.ts'
import { type Layout, type Listed, layOut } from './layout.ts'

/** Where leaves have no common size: that of the usual profile. */
const USUAL_PIECE_BYTES = 1 << 20

/** @throws ShareError UNSUPPORTED for a share that no torrent can describe */
export function shareLayout(manifest: Manifest, version: TorrentVersion): Layout {
  if (manifest.size === 0)
    throw unsupported(
      'it holds no bytes',
      'add a file with content to it; the CID alone can be shared as it is',
    )
  const layout = layOut(listed(manifest.entries), pieceLengthOf(manifest), version !== 'v1')
  if (layout.pieces > MAX_PIECES)
    throw unsupported(
      `it would have ${layout.pieces} pieces, more than ${MAX_PIECES}`,
      'share its parts one by one',
    )
  if (layout.files.length > MAX_FILES)
    throw unsupported(`it has more than ${MAX_FILES} files`, 'share its parts one by one, or as one archive')
  if (infoBytes(layout, version) > MAX_INFO_BYTES)
    throw unsupported(
      `its info dictionary would have more than ${MAX_INFO_BYTES} bytes`,
      version === 'v2' ? 'share its parts one by one' : 'try --v2, or share its parts one by one',
    )
  return layout
}

/** What a file takes in both parts of a hybrid at most, with its pad, besides its path. */
const FILE_BYTES = 200

/** At most so many; asked before anything is hashed for it. */
function infoBytes({ files, pieces }: Layout, version: TorrentVersion): number {
  const lists = files.reduce((sum, { path }) => sum + FILE_BYTES + 2 * Buffer.byteLength(path), 0)
  return lists + (version === 'v2' ? 0 : pieces * SHA1_BYTES)
}

/**
 * The size of its leaves, where files of several leaves have them at the same distance, a power of two. Where each file is
 * one leaf, the least power of two that holds them all: small files are padded by little.
 */
export function pieceLengthOf({ entries, pieces }: Manifest): number {
  const stride = leafStride(pieces)
  if (stride !== undefined) return isPieceLength(stride) ? stride : USUAL_PIECE_BYTES
  const longest = entries.reduce((most, entry) => Math.max(most, entry.kind === 'file' ? entry.size : 0), 0)
  const length = 2 ** Math.ceil(Math.log2(Math.max(longest, LEAST_PIECE_BYTES)))
  return Math.min(length, USUAL_PIECE_BYTES)
}

/** The distance at which leaves lie in all files of several leaves; 0 where it is not one, undefined where there is no such file. */
function leafStride(pieces: PieceTable): number | undefined {
  let stride: number | undefined
  for (let piece = 0; piece < pieces.length; piece++)
    for (const { offset } of pieces.places(piece)) {
      if (offset > 0) stride = Math.min(stride ?? offset, offset)
    }
  if (stride === undefined) return undefined
  for (let piece = 0; piece < pieces.length; piece++) {
    if (pieces.size(piece) > stride) return 0
    if (pieces.places(piece).some(({ offset }) => offset % stride !== 0)) return 0
  }
  return stride
}

function isPieceLength(bytes: number): boolean {
  return bytes >= LEAST_PIECE_BYTES && Number.isInteger(Math.log2(bytes))
}

/** Files and symlinks; a torrent knows no empty directory, and no symlink to its own top. */
function listed(entries: readonly Entry[]): Listed[] {
  return entries.flatMap((entry): Listed[] => {
    if (entry.kind === 'file') return [{ path: entry.path, size: entry.size, symlink: undefined }]
    const symlink = entry.kind === 'symlink' ? fromTop(entry.path, entry.target) : ''
    return symlink === '' ? [] : [{ path: entry.path, size: 0, symlink }]
  })
}

/** A symlink's target from the top; it was checked that it stays below, and that `..` only leads it (content/safe-names). */
function fromTop(path: string, target: string): string {
  const steps = target.split('/').filter((step) => step !== '' && step !== '.')
  const up = steps.filter((step) => step === '..').length
  const directories = path.split('/').slice(0, -1)
  return [...directories.slice(0, directories.length - up), ...steps.slice(up)].join('/')
}

function unsupported(reason: string, hint: string): ShareError {
  return new ShareError('UNSUPPORTED', `the share cannot be a torrent: ${printable(reason)}`, hint)
}
