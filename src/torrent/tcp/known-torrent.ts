/** A torrent that this node gives out or looks for, as those see it who look for its peers, fetch it, or give it out. */
import type { Endpoint } from '../../core/endpoint.ts'
import type { RootKey } from '../../core/types.ts'
import type { Tiers } from '../announce-list.ts'
import type { InfoHashes, TorrentInfo } from '../info.ts'
import type { PeerSource } from '../sources.ts'
import type { PieceSpace } from './piece-space.ts'

export interface KnownTorrent {
  readonly hashes: InfoHashes
  /** The scheduler's swarm in which its peers take part. */
  readonly root: RootKey
  /** Undefined until the info dictionary is known. */
  info(): { readonly isPrivate: boolean } | undefined
  /** Bytes; `left` is 0 where all of it is here. */
  progress(): { readonly uploaded: number; readonly downloaded: number; readonly left: number }
  /** It could use more peers than it has. */
  wantsPeers(): boolean
  /** Peers to dial when there is room; those that may not be used, or are known already, are passed over. */
  found(endpoints: readonly Endpoint[], source: PeerSource): void
}

/** Trackers, which find more peers: as the torrent or link says, a stranger's word; and as a person named them. */
export interface TorrentNames {
  readonly trackers: Tiers
  readonly named: readonly string[]
}

/** What is done when something becomes of a torrent. */
export interface TorrentWatcher {
  /** Its info dictionary became known, or it wants peers again. */
  changed(): void
  /** All of it is here now. */
  completed(): void
  closed(): void
}

export interface AddTorrent extends Partial<TorrentNames> {
  readonly root: RootKey
  /** One of the two is enough. */
  readonly hashes: InfoHashes
  /** `host:port` of peers, as links name them. */
  readonly peers?: readonly string[]
}

export interface TorrentHandle extends KnownTorrent {
  /** The info dictionary, from peers, right by its hash. @throws the signal's reason */
  metadata(signal?: AbortSignal): Promise<Uint8Array>
  /**
   * The piece layers of v2 by their file's root in hex: those that are known, and the others from peers, proved.
   * @throws the signal's reason
   */
  layers(
    info: TorrentInfo,
    known: ReadonlyMap<string, Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Uint8Array>>
  /** From now on pieces move. The scheduler's swarm is open, and all of its pieces are known. */
  open(source: TorrentSource): void
  /** Ends its connections. */
  close(): void
  readonly closed: boolean
  /** Pieces can move. */
  readonly isOpen: boolean
  /** Nobody is connected. */
  readonly idle: boolean
}

/** What has to be known of a torrent to trade in it. */
export interface TorrentSource {
  readonly info: Pick<TorrentInfo, 'pieceLength' | 'pieces' | 'length' | 'isPrivate' | 'files'>
  /** The info dictionary's bytes, for those who ask. */
  readonly infoBytes: Uint8Array | undefined
  /** Piece layers by their file's root in hex, for those who ask. */
  readonly layers: ReadonlyMap<string, Uint8Array>
  readonly space: PieceSpace
}
