/** What the store promises to the rest of the program. */
import type { CID } from 'multiformats/cid'
import type { Inline, Manifest } from '../content/manifest.ts'
import type { Profile } from '../content/profile.ts'
import type { HashedFile } from '../content/source-file.ts'
import type { Bitfield } from '../core/bitfield.ts'
import type { RootKey } from '../core/types.ts'
import type { TorrentDownload, TorrentOrigin } from './torrent-types.ts'

/**
 * A share's life on disk. `incomplete`: bytes arrive in the partial file. `finishing`: all pieces are durable
 * and the rename is under way. `complete`: the bytes lie under their final name.
 */
export type Phase = 'incomplete' | 'finishing' | 'complete'

/** One row of the catalogue. Small; all of them are in memory. */
export interface ShareRow {
  readonly root: RootKey
  readonly name: string
  /** Absolute: the file, or the directory that holds the tree. With `copied`, where it was added from. */
  readonly path: string
  readonly phase: Phase
  /** The leaves lie in blockstore-fs, not in the file. */
  readonly copied: boolean
  readonly paused: boolean
  /** Bytes of content; 0 until the manifest is known. */
  readonly size: number
  readonly pieces: number
  /** Files, directories and symlinks, the root included; 0 until the manifest is known. */
  readonly entries: number
  /** Bytes and pieces that were here when the download was last paused. */
  readonly keptBytes: number
  readonly keptPieces: number
  /** File bytes sent and received, kept over restarts. */
  readonly uploaded: number
  readonly downloaded: number
  readonly addedAt: number
  /** Sources found changed or missing; such a share is not served. */
  readonly damaged: readonly { readonly file: string; readonly reason: string }[]
  /** Bytes a second that this share may take, 0 for unlimited. */
  readonly limits: { readonly up: number; readonly down: number }
  /** How it was added, and the stamp that its source had then: what bears the same need not be hashed again. */
  readonly added: { readonly profile: Profile; readonly stamp: string } | undefined
  /** Peers named when the download was asked for; tried first when it resumes. */
  readonly peers: readonly string[]
  /** The link by which it was asked for, where that names a torrent too. */
  readonly magnet: string | undefined
  /** The torrents that were made of it: by their info hashes it may be called. */
  readonly torrents: readonly MadeTorrent[]
  /** URLs of trackers that the user named for it. */
  readonly trackers: readonly string[]
  /** The torrent that it came from, or that it is as long as it has no CID. */
  readonly torrent: TorrentOrigin | undefined
}

/** A torrent of a share: its version, and its info hashes in hex. */
export interface MadeTorrent {
  readonly version: 'v1' | 'v2' | 'hybrid'
  readonly v1?: string
  readonly v2?: string
}

/** A piece found by its content: which share holds it, and as what. */
export interface Location {
  readonly root: RootKey
  readonly piece: number
}

/**
 * The digests by which BitTorrent knows a share's content: with each file at the border of a piece (v2 and hybrids), or one
 * right behind the other (v1 alone).
 */
export type DigestKind = 'torrent' | 'torrent-v1'

/** A torrent that is to be downloaded. */
export interface AskedTorrent {
  readonly root: RootKey
  readonly name: string
  /** Absolute; where it goes, or would go by this name. */
  readonly path: string
  readonly peers: readonly string[]
  readonly torrent: TorrentOrigin
}

/** A share whose bytes are here already. */
export interface Added {
  readonly manifest: Manifest
  readonly inlines: readonly InlinePlace[]
  readonly name: string
  readonly path: string
  readonly copied: boolean
  readonly added: ShareRow['added']
  /** Files of it that were hashed just now, by their path in the manifest. */
  readonly hashed?: ReadonlyMap<string, HashedFile>
}

export interface Store {
  // --- DAG nodes and loose blocks, in blockstore-fs, hashed on every read
  /** A block wherever it lies: in blockstore-fs, or in a file of any share; verified. Undefined when it is not here. */
  getBlock(cid: CID): Promise<Uint8Array | undefined>
  /** The size of a block that `getBlock` would give (without reading file-backed ones), or undefined. */
  blockSize(cid: CID): Promise<number | undefined>
  /** Stores a DAG node or loose block that the caller has verified. */
  putBlock(cid: CID, block: Uint8Array): Promise<void>

  // --- the catalogue
  shares(): readonly ShareRow[]
  share(root: RootKey): ShareRow | undefined
  /** Merges into the row and makes it durable. */
  update(root: RootKey, change: Partial<Omit<ShareRow, 'root'>>): Promise<void>
  /** Adds to the byte counters in memory; written with the next durable write and on close. */
  count(root: RootKey, moved: { uploaded?: number; downloaded?: number }): void
  /** Which shares hold this leaf, complete or not; the caller checks that the piece is there. */
  locate(cid: CID): Promise<Location[]>
  /** The manifest of a share whose walk was completed, from its packed row; cached while in use. */
  manifest(root: RootKey): Promise<Manifest | undefined>

  // --- digests for BitTorrent
  /** What was kept last; whoever keeps it knows its form. */
  digests(root: RootKey, kind: DigestKind): Promise<Uint8Array | undefined>
  /** Kept as long as the share is here; not durable at once, for it can be made again. */
  keepDigests(root: RootKey, kind: DigestKind, digests: Uint8Array): Promise<void>

  // --- adding
  /**
   * Until it is released, `gc` keeps every block that is put or read: an add takes one before its first `putBlock`
   * and releases it after `addShare`. Downloads hold on their own.
   */
  hold(): () => void
  /** Records a share whose bytes lie in place (or, `copied`, in blockstore-fs), durable when it returns. */
  addShare(share: Added): Promise<ShareRow>

  // --- reading pieces of a share
  /**
   * One piece's whole block (prefix and suffix of dag-pb leaves included), by the verify-on-read rule.
   * Undefined when it is not here; a changed or missing source marks the share damaged first.
   */
  readPiece(root: RootKey, piece: number): Promise<Uint8Array | undefined>
  /** Reads and hashes everything, in order; reports and records what is damaged. */
  verify(
    root: RootKey,
    options: { signal?: AbortSignal; onProgress?: (bytes: number) => void },
  ): Promise<readonly { file: string; reason: string }[]>
  /** Called when a share turns damaged (or, after `verify`, whole again). */
  onDamage(listener: (root: RootKey) => void): void

  // --- downloading
  /** Creates or reopens a download; checks that the target is free. @throws ShareError TARGET_EXISTS, DISK_FULL, UNREADABLE */
  openDownload(share: { root: CID; name: string; path: string; peers: readonly string[] }): Promise<Download>

  // --- torrents without a CID
  /** Creates or reopens the download of a torrent. What was begun keeps its path, what it was asked with is added. */
  openTorrent(asked: AskedTorrent): Promise<TorrentDownload>
  /** The .torrent file of what came from one, as it was kept. */
  metainfo(root: RootKey): Promise<Uint8Array | undefined>
  /** Keeps it for as long as the root is here. */
  keepMetainfo(root: RootKey, metainfo: Uint8Array): Promise<void>
  /** The content of a torrent has a CID now: the share takes over what was known of the torrent, which is no more. */
  becomeShare(torrent: RootKey, root: RootKey): Promise<ShareRow>

  // --- housekeeping
  /** Forgets the share; deletes its partial files, never the user's. */
  remove(root: RootKey): Promise<void>
  /** Deletes from blockstore-fs what no share needs. Safe at any time, also while adding and downloading. */
  gc(): Promise<{ blocks: number; bytes: number }>
  close(): Promise<void>
}

/** Where an inline node's bytes lie in its file: enough to serve that node in place. */
export interface InlinePlace {
  readonly cid: CID
  readonly entry: number
  readonly offset: number
  readonly size: number
}

/**
 * The partial file or tree of one root. Order: `begin`, then `writePiece`/`writeInline` in any order, then `finish`.
 * Stored = the write returned. Durable = fsynced and claimed by the bitmap; happens in the background every few seconds.
 */
export interface Download {
  readonly root: RootKey
  /** Pieces whose bytes are in the partial file, verified. Live: writes add to it; `extend` replaces it by a longer one. */
  readonly have: Bitfield
  /** The tree's names are final and checked: makes the partial tree, with the free space checked. */
  begin(manifest: Manifest): Promise<void>
  /**
   * The walk appended pieces up to the table's present length: indexes them, and verifies what a former run left on disk.
   * Returns those of them that other shares have as well, here or on their way.
   */
  extend(): Promise<readonly number[]>
  /** The walk is done: the manifest row becomes durable, so a restart need not walk again. */
  sealed(): Promise<void>
  /** Writes a verified block's payload to all its places, or to those found since it was last written. `block` is the whole block. @throws ShareError DISK_FULL, IO */
  writePiece(piece: number, block: Uint8Array): Promise<void>
  writeInline(inline: Inline): Promise<void>
  /** fsync, `finishing`, a rename that never replaces, fsync of the parent, `complete`. @throws ShareError TARGET_EXISTS */
  finish(): Promise<ShareRow>
  /** Flushes and claims what is stored; the download can be opened again. */
  close(): Promise<void>
}
