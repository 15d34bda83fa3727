/**
 * The .torrent file: the info dictionary, and beside it what does not count for its hashes: the piece layers of v2 (BEP
 * 52), trackers (BEP 3, 12), web seeds (BEP 19). A stranger's file is checked like a stranger's info; what only helps to
 * find peers is left out where it is malformed, and the torrent is good without.
 */
import { type Bencodable, type BencodeValue, decodeBencode, encodeBencode } from '../core/bencode.ts'
import { type GuardedBencode, guardBencode, MalformedBencode } from '../core/bencode-guard.ts'
import { readTiers, type Tiers } from './announce-list.ts'
import { badTorrent } from './bad-torrent.ts'
import { MAX_INFO_BYTES, MAX_PIECES, type TorrentInfo } from './info.ts'
import { HASH_BYTES, rootOfPieces } from './merkle.ts'
import { MAX_INFO_VALUES, readInfo } from './read-info.ts'
import { isWebUrl } from './tracker-url.ts'
import type { WrittenInfo } from './write-info.ts'

/** The largest info, the layers of the most pieces with what stands around them, and a MiB for the rest. */
export const MAX_METAINFO_BYTES: number = MAX_INFO_BYTES + 2 * MAX_PIECES * HASH_BYTES + (1 << 20)

/** Bytes and values of each of the small fields. */
const FIELD_LIMITS = { maxBytes: 1 << 20, maxValues: 20_000 }

/** The piece layers of v2, by their file's root in hex. */
type PieceLayers = ReadonlyMap<string, Uint8Array>

export interface Metainfo {
  readonly info: TorrentInfo
  /** The info dictionary's bytes, as they came. */
  readonly infoBytes: Uint8Array
  /** Checked against the roots. May lack some, which peers then tell (BEP 52). */
  readonly layers: PieceLayers
  readonly trackers: Tiers
  readonly webSeeds: readonly string[]
}

/** Reads a .torrent file. Nothing in the result changes with the bytes but `infoBytes` and `layers`, which are views. @throws ShareError BAD_CONTENT */
export function readMetainfo(bytes: Uint8Array, platform: NodeJS.Platform = process.platform): Metainfo {
  const guarded = guard(bytes)
  const infoBytes = guarded.raw('info')
  if (infoBytes === undefined) throw badTorrent('it has no info dictionary')
  const info = readInfo(infoBytes, platform)
  return {
    info,
    infoBytes,
    layers: readLayers(guarded, info),
    trackers: readTiers(fieldOf(guarded, 'announce'), fieldOf(guarded, 'announce-list')),
    webSeeds: readWebSeeds(fieldOf(guarded, 'url-list')),
  }
}

function guard(bytes: Uint8Array): GuardedBencode {
  try {
    return guardBencode(bytes, { maxBytes: MAX_METAINFO_BYTES, maxValues: MAX_INFO_VALUES + MAX_PIECES })
  } catch (thrown) {
    if (thrown instanceof MalformedBencode) throw badTorrent(thrown.message, thrown)
    throw thrown
  }
}

/** A field beside the info; undefined also where it is too much. */
function fieldOf(guarded: GuardedBencode, key: string): BencodeValue | undefined {
  const raw = guarded.raw(key)
  try {
    return raw && decodeBencode(raw, FIELD_LIMITS)
  } catch (thrown) {
    if (thrown instanceof MalformedBencode) return undefined
    throw thrown
  }
}

/** The layers of the files that have one. A layer that does not lead to its root is an error, not a lack. */
function readLayers(guarded: GuardedBencode, { files, pieceLength }: TorrentInfo): PieceLayers {
  const sizes = new Map<string, number>()
  for (const { root, size } of files) if (root !== undefined && size > pieceLength) sizes.set(hex(root), size)
  const layers = new Map<string, Uint8Array>()
  for (const { key, value } of guarded.entries('piece layers')) {
    const size = sizes.get(hex(key))
    if (size === undefined) continue
    const layer = contentOf(value)
    const pieces = Math.ceil(size / pieceLength)
    const fits = layer?.length === pieces * HASH_BYTES
    if (layer === undefined || !fits || Buffer.compare(rootOfPieces(layer, size, pieceLength), key) !== 0)
      throw badTorrent(`the piece layer of ${hex(key)} is wrong`)
    layers.set(hex(key), layer)
  }
  return layers
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The bytes of a string behind its length, as a view; undefined for what is no string. */
function contentOf(value: Uint8Array): Uint8Array | undefined {
  const colon = value.indexOf(0x3a)
  const isString = colon > 0 && colon < 12 && (value[0] ?? 0) <= 0x39
  return isString ? value.subarray(colon + 1) : undefined
}

/** BEP 19: one URL, or a list of them. */
function readWebSeeds(value: BencodeValue | undefined): string[] {
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value]
  const urls = list.filter((url) => url instanceof Uint8Array).map((url) => Buffer.from(url).toString('utf8'))
  return [...new Set(urls.filter(isWebUrl))]
}

/** A .torrent file. The same share gives the same bytes: no date is in it. */
export function writeMetainfo(
  info: Pick<WrittenInfo, 'dictionary' | 'layers'>,
  more: { readonly trackers?: Tiers; readonly webSeeds?: readonly string[] } = {},
): Uint8Array {
  const { trackers = [], webSeeds = [] } = more
  const [first] = trackers[0] ?? []
  const file: Bencodable = {
    ...(first !== undefined && { announce: first }),
    ...(trackers.flat().length > 1 && { 'announce-list': trackers }),
    ...(info.layers !== undefined && { 'piece layers': info.layers }),
    ...(webSeeds.length > 0 && { 'url-list': webSeeds }),
    info: info.dictionary,
  }
  return encodeBencode(file)
}
