/**
 * What an info dictionary says, of BitTorrent v1 (BEP 3), v2 (BEP 52), or both in one (a hybrid). The files lie one
 * behind the other in a space of bytes that is cut into pieces; what lies between two files, or behind the last, is
 * zeros that nobody stores (pad files, BEP 47).
 */

export const SHA1_BYTES = 20

/** The least piece of v2: one block. */
export const LEAST_PIECE_BYTES = 16 << 10

/** Bytes of an info dictionary; SHA-1 hashes of 1.6 million pieces fill it. */
export const MAX_INFO_BYTES = 32 << 20

/** In v2 nothing in the dictionary grows with them. 2 TiB in pieces of 1 MiB; libtorrent takes no more either. */
export const MAX_PIECES = 2 ** 21

/** More than torrents have; a dictionary of so many takes seconds to read. */
export const MAX_FILES = 100_000

export type TorrentVersion = 'v1' | 'v2' | 'hybrid'

export interface TorrentFile {
  /** Below the torrent's name, joined by `/`; empty for the only file of a torrent that is no directory. */
  readonly path: string
  readonly size: number
  /** Where it begins in the space of pieces. */
  readonly start: number
  /** Root of its hash tree; undefined in v1, and for what is empty. */
  readonly root: Uint8Array | undefined
  /** Where a symlink leads, from the torrent's top, joined by `/`; its size is 0. */
  readonly symlink: string | undefined
  readonly executable: boolean
}

export interface TorrentInfo {
  /** Of the file, or of the directory that holds the files. */
  readonly name: string
  readonly version: TorrentVersion
  readonly pieceLength: number
  readonly pieces: number
  /** Bytes of the space of pieces, pads included. The last piece ends with it. */
  readonly length: number
  /** BEP 27: peers come from the trackers alone. */
  readonly isPrivate: boolean
  /** In the order of the space. */
  readonly files: readonly TorrentFile[]
  /** SHA-1 of each piece, packed; undefined in v2. */
  readonly sha1s: Uint8Array | undefined
  readonly hashes: InfoHashes
}

/** Of the bytes of the dictionary as they came. */
export interface InfoHashes {
  /** SHA-1, 20 bytes. */
  readonly v1: Uint8Array | undefined
  /** SHA-256, 32 bytes; on the wire and in trackers its first 20 stand for it. */
  readonly v2: Uint8Array | undefined
}

/** Bytes of one piece; the last one may be shorter. */
export function pieceSize(space: Pick<TorrentInfo, 'length' | 'pieceLength'>, piece: number): number {
  return Math.min(space.pieceLength, space.length - piece * space.pieceLength)
}

/**
 * The 20 bytes that stand for a torrent in handshakes and for trackers: of a hybrid two, that of v1 first. Who is called by
 * v1's with the v2 flag set answers with v2's, and then both speak v2 (BEP 52).
 */
export function wireHashes({ v1, v2 }: InfoHashes): Uint8Array[] {
  return [v1, v2?.subarray(0, SHA1_BYTES)].filter((hash) => hash !== undefined)
}
