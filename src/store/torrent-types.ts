/** What the store knows of torrents whose content has no CID yet. */
import type { TreeEntry } from '../content/manifest.ts'
import type { Bitfield } from '../core/bitfield.ts'
import type { RootKey } from '../core/types.ts'

/** Where a share came from, or what was asked for, kept with its row. */
export interface TorrentOrigin {
  /** In hex, those that are known. */
  readonly v1: string | undefined
  readonly v2: string | undefined
  /** The directory that it goes into under its own name, as long as that is not known. */
  readonly into: string | undefined
  /** Patterns of the files that are wanted; all where there are none. */
  readonly only: readonly string[]
  /** The CID that the link named beside the info hashes. */
  readonly claimed: string | undefined
  /** Tiers of trackers, and web seeds, of the link or the torrent; `host:port` of peers. */
  readonly trackers: readonly (readonly string[])[]
  /** Its peers come from its trackers alone (BEP 27); false as long as its info dictionary is not known. */
  readonly isPrivate: boolean
  readonly webSeeds: readonly string[]
  readonly peers: readonly string[]
}

/** Where a run of a piece's bytes is kept: in a file of the tree, in the file of borders, or nowhere. */
type KeptRun =
  | { readonly kind: 'file'; readonly entry: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'border'; readonly offset: number; readonly length: number }
  | { readonly kind: 'zeros'; readonly length: number }

/** The tree of a torrent on the disk, and where its pieces lie in it. */
export interface TorrentTree {
  readonly entries: readonly TreeEntry[]
  /** Bytes of the tree's files, and of what is kept beside them. */
  readonly bytes: number
  readonly borderBytes: number
  /** How many pieces there are. */
  readonly length: number
  blockSize(piece: number): number
  runs(piece: number, begin?: number, length?: number): Iterable<KeptRun>
}

/** Whether these bytes are the piece, and the bytes again: their buffer was away meanwhile. */
type CheckPiece = (
  piece: number,
  bytes: Uint8Array<ArrayBuffer>,
) => Promise<{ readonly piece: Uint8Array<ArrayBuffer>; readonly right: boolean }>

export interface TorrentTarget {
  readonly name: string
  readonly path: string
  /** Shares whose files may be taken over where they lie: this is more of the same. */
  readonly instead: readonly RootKey[]
}

export interface Checking {
  readonly check: CheckPiece
  readonly signal?: AbortSignal
  /** Pieces looked at so far. */
  readonly onProgress?: (pieces: number) => void
}

/**
 * The partial tree of one torrent. Order: `begin`, then `write` in any order, then `finish`. Stored and durable as in
 * other downloads.
 */
export interface TorrentDownload {
  readonly root: RootKey
  /** Live. */
  readonly have: Bitfield
  /**
   * The tree's names are final and checked: makes the partial tree at this target, with what a former run left or what
   * lies at the target already, if it is the torrent's.
   * @throws ShareError TARGET_EXISTS, DISK_FULL, CONFLICT
   */
  begin(tree: TorrentTree, target: TorrentTarget, checking: Checking): Promise<void>
  /** @throws ShareError DISK_FULL, IO */
  write(piece: number, bytes: Uint8Array): Promise<void>
  /** Bytes of a piece that is here; not hashed again. Undefined where they cannot be read. */
  read(piece: number, begin?: number, length?: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /** Works with the descriptor of an entry's file, which stays open meanwhile. @throws ShareError CONFLICT, IO */
  lend<T>(entry: number, work: (fd: number) => Promise<T>): Promise<T>
  /** Everything gets its final name. @throws ShareError TARGET_EXISTS */
  finish(): Promise<void>
  close(): Promise<void>
}
