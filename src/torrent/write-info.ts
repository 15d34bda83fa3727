/** From a share's files and the digests of their pieces to an info dictionary, the same as libtorrent makes. */
import { type Bencodable, encodeBencode } from '../core/bencode.ts'
import type { TorrentVersion } from './info.ts'
import { gapAfter, type Layout, type Placed } from './layout.ts'
import { HASH_BYTES, rootOfPieces } from './merkle.ts'

export interface PieceDigests {
  /** SHA-1 of each piece, packed. */
  readonly sha1s: Uint8Array
  /** `pieceHash` of each piece, packed; empty where v2 is not asked for. */
  readonly hashes: Uint8Array
}

export interface WrittenInfo {
  readonly dictionary: Bencodable
  readonly bytes: Uint8Array
  /** The piece layers by their files' roots, for `piece layers` beside the dictionary; undefined in v1. */
  readonly layers: ReadonlyMap<Uint8Array, Uint8Array> | undefined
}

/** @param layout padded, unless the version is v1 */
export function writeInfo(torrent: {
  readonly name: string
  readonly version: TorrentVersion
  readonly layout: Layout
  readonly digests: PieceDigests
}): WrittenInfo {
  const { name, version, layout, digests } = torrent
  const dictionary: Bencodable = {
    name,
    'piece length': layout.pieceLength,
    ...(version !== 'v2' && { ...v1Files(layout), pieces: digests.sha1s }),
    ...(version !== 'v1' && { 'meta version': 2, 'file tree': fileTree(name, layout, digests.hashes) }),
  }
  const layers = version === 'v1' ? undefined : pieceLayers(layout, digests.hashes)
  return { dictionary, bytes: encodeBencode(dictionary), layers }
}

function v1Files(layout: Layout): { [key: string]: Bencodable } {
  const [first] = layout.files
  if (first?.path === '') return { length: first.size }
  const files: Bencodable[] = []
  for (const [at, { path, size, symlink }] of layout.files.entries()) {
    const link = symlink === undefined ? {} : { attr: 'l', 'symlink path': symlink.split('/') }
    files.push({ ...link, length: size, path: path.split('/') })
    const gap = gapAfter(layout, at)
    if (gap > 0) files.push({ attr: 'p', length: gap, path: ['.pad', String(gap)] })
  }
  return { files }
}

type Branch = Map<string, Branch | Bencodable>

function fileTree(name: string, layout: Layout, hashes: Uint8Array): Bencodable {
  const top: Branch = new Map()
  for (const file of layout.files) {
    const names = file.path === '' ? [name] : file.path.split('/')
    const leaf = names.pop() ?? name
    let branch = top
    for (const directory of names) branch = subBranch(branch, directory)
    branch.set(leaf, { '': fileFacts(file, layout, hashes) })
  }
  return top as ReadonlyMap<string, Bencodable>
}

function subBranch(branch: Branch, name: string): Branch {
  const known = branch.get(name)
  if (known instanceof Map) return known as Branch
  const made: Branch = new Map()
  branch.set(name, made)
  return made
}

function fileFacts(file: Placed, layout: Layout, hashes: Uint8Array): Bencodable {
  if (file.symlink !== undefined) return { attr: 'l', 'symlink path': file.symlink.split('/') }
  if (file.size === 0) return { length: 0 }
  return { length: file.size, 'pieces root': rootOf(file, layout, hashes) }
}

function rootOf(file: Placed, { pieceLength }: Layout, hashes: Uint8Array): Uint8Array {
  return rootOfPieces(layerOf(file, pieceLength, hashes), file.size, pieceLength)
}

/** The hashes of one file's pieces. */
function layerOf({ start, size }: Placed, pieceLength: number, hashes: Uint8Array): Uint8Array {
  const first = start / pieceLength
  return hashes.subarray(first * HASH_BYTES, (first + Math.ceil(size / pieceLength)) * HASH_BYTES)
}

function pieceLayers(layout: Layout, hashes: Uint8Array): Map<Uint8Array, Uint8Array> {
  const layers = new Map<string, [Uint8Array, Uint8Array]>()
  for (const file of layout.files) {
    if (file.size <= layout.pieceLength) continue
    const root = rootOf(file, layout, hashes)
    // files of the same bytes have one layer
    layers.set(Buffer.from(root).toString('hex'), [root, layerOf(file, layout.pieceLength, hashes)])
  }
  return new Map(layers.values())
}
