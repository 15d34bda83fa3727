/**
 * Reads an info dictionary from a stranger: from a .torrent file, or from peers (BEP 9). Every field that is used is
 * checked before anything is sized by it, every name before a path is made of it; what is not used is not looked at. The
 * info hashes are those of the bytes as they came.
 */
import { hash } from 'node:crypto'
import { nameProblem, type Platform } from '../content/safe-names.ts'
import { sha256 } from '../content/verify.ts'
import {
  asDictionary,
  type BencodeDictionary,
  bytesAt,
  decodeGuarded,
  dictionaryAt,
  integerAt,
  textAt,
} from '../core/bencode.ts'
import { type GuardedBencode, guardBencode, MalformedBencode } from '../core/bencode-guard.ts'
import { printable } from '../core/cid.ts'
import { badTorrent } from './bad-torrent.ts'
import {
  LEAST_PIECE_BYTES,
  MAX_INFO_BYTES,
  MAX_PIECES,
  SHA1_BYTES,
  type TorrentFile,
  type TorrentInfo,
} from './info.ts'
import { readFileTree, readV1Files, type TreeFile, type V1Files } from './read-files.ts'
import { checkPaths } from './safe-paths.ts'

/** Values in a dictionary: of each file of a hybrid fifteen, with its pad, and those of its directories. */
export const MAX_INFO_VALUES = 2_500_000

/** Bytes of a piece: four times what torrents are made with. */
const MOST_PIECE_BYTES = 64 << 20
/** Old torrents of small files have pieces shorter than a block. */
const LEAST_V1_PIECE_BYTES = 1 << 10

/**
 * @param bytes the value of `info`, as it came
 * @throws ShareError BAD_CONTENT
 */
export function readInfo(bytes: Uint8Array, platform: Platform = process.platform): TorrentInfo {
  const guarded = guardInfo(bytes)
  const info = asDictionary(decodeGuarded(guarded))
  if (info === undefined) throw badTorrent('its info is no dictionary')
  const version = versionOf(info)
  const name = readName(info, platform)
  const pieceLength = readPieceLength(info, version !== 'v1')
  const v1 = version === 'v2' ? undefined : readV1Files(info, platform)
  const v2 = version === 'v1' ? undefined : readTree(guarded, info, name, v1?.single, platform)
  const files = v1 === undefined ? placed(v2 ?? [], pieceLength) : withRoots(v1, v2, pieceLength)
  checkPaths(files, platform)
  const length = v1?.length ?? endOf(files)
  const pieces = Math.ceil(length / pieceLength)
  if (length === 0) throw badTorrent('it holds no bytes')
  if (pieces > MAX_PIECES) throw badTorrent(`it has ${pieces} pieces, more than ${MAX_PIECES}`)
  const hashes = {
    v1: v1 && hash('sha1', bytes, 'buffer'),
    v2: v2 && sha256(bytes),
  }
  const isPrivate = integerAt(info, 'private') === 1
  return {
    name,
    version,
    pieceLength,
    pieces,
    length,
    isPrivate,
    files,
    sha1s: v1 && readSha1s(info, pieces),
    hashes,
  }
}

function guardInfo(bytes: Uint8Array): GuardedBencode {
  try {
    return guardBencode(bytes, { maxBytes: MAX_INFO_BYTES, maxValues: MAX_INFO_VALUES })
  } catch (thrown) {
    if (thrown instanceof MalformedBencode)
      throw badTorrent(`its info is malformed: ${thrown.message}`, thrown)
    throw thrown
  }
}

function versionOf(info: BencodeDictionary): TorrentInfo['version'] {
  const version = integerAt(info, 'meta version') ?? 1
  if (version !== 1 && version !== 2) throw badTorrent(`it is of version ${version}, which is not known`)
  const hasPieces = bytesAt(info, 'pieces') !== undefined
  const hasTree = version === 2 && dictionaryAt(info, 'file tree') !== undefined
  if (!hasPieces && !hasTree) throw badTorrent('it has neither piece hashes nor a file tree')
  if (!hasTree) return 'v1'
  return hasPieces ? 'hybrid' : 'v2'
}

function readName(info: BencodeDictionary, platform: Platform): string {
  const name = textAt(info, 'name.utf-8') ?? textAt(info, 'name')
  if (name === undefined) throw badTorrent('it has no name')
  const problem = nameProblem(name, platform)
  if (problem !== undefined) throw badTorrent(`its name "${printable(name)}" ${problem}`)
  return name
}

function readPieceLength(info: BencodeDictionary, forTrees: boolean): number {
  const length = integerAt(info, 'piece length')
  if (length === undefined) throw badTorrent('it has no piece length')
  const least = forTrees ? LEAST_PIECE_BYTES : LEAST_V1_PIECE_BYTES
  if (length < least || length > MOST_PIECE_BYTES)
    throw badTorrent(`its pieces have ${length} bytes; possible are ${least} to ${MOST_PIECE_BYTES}`)
  if (forTrees && !Number.isInteger(Math.log2(length)))
    throw badTorrent(`its pieces have ${length} bytes, which is no power of two`)
  return length
}

function readSha1s(info: BencodeDictionary, pieces: number): Uint8Array {
  const sha1s = bytesAt(info, 'pieces') ?? new Uint8Array(0)
  if (sha1s.length === pieces * SHA1_BYTES) return sha1s
  throw badTorrent(`it has ${pieces} pieces, and ${sha1s.length} bytes of hashes for them`)
}

/** @param single what the v1 part says; a tree of one file of the torrent's own name leaves it open */
function readTree(
  guarded: GuardedBencode,
  info: BencodeDictionary,
  name: string,
  single: boolean | undefined,
  platform: Platform,
): TreeFile[] {
  // decoded, such a key would be its hex
  if (!guarded.textKeys) throw badTorrent('a file name in it is not UTF-8')
  const files = readFileTree(dictionaryAt(info, 'file tree') ?? {}, platform)
  const [first] = files
  if (files.length !== 1 || first?.path !== name || single === false) return files
  return [{ ...first, path: '' }]
}

/** In v2 each file begins where a piece does. */
function placed(files: readonly TreeFile[], pieceLength: number): TorrentFile[] {
  let end = 0
  return files.map((file) => {
    const start = end
    end += Math.ceil(file.size / pieceLength) * pieceLength
    return { ...file, start }
  })
}

/** The two lists of a hybrid must be one, and each file begin where a piece does. */
function withRoots(
  v1: V1Files,
  v2: readonly TreeFile[] | undefined,
  pieceLength: number,
): readonly TorrentFile[] {
  if (v2 === undefined) return v1.files
  if (v1.files.length !== v2.length) throw differs()
  return v1.files.map((file, at) => {
    const other = v2[at]
    if (file.path !== other?.path || file.size !== other.size || file.symlink !== other.symlink)
      throw differs()
    if (file.size > 0 && file.start % pieceLength !== 0)
      throw badTorrent(`"${printable(file.path)}" does not begin where a piece does`)
    return { ...file, root: other.root }
  })
}

function differs(): Error {
  return badTorrent('its v1 and its v2 part list different files')
}

function endOf(files: readonly TorrentFile[]): number {
  return files.reduce((end, { start, size }) => (size > 0 ? start + size : end), 0)
}
