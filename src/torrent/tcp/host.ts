/** What BitTorrent connections ask of the node that they belong to. */
import type { Endpoint } from '../../core/endpoint.ts'
import type { PeerKey, RootKey } from '../../core/types.ts'
import type { SwarmEvent } from '../../swarm/events.ts'
import type { TorrentHandle } from './known-torrent.ts'

export interface TorrentHost {
  /** Tells the scheduler. */
  dispatch(event: SwarmEvent): void
  /** The torrent that this node gives out under these 20 bytes, opened; undefined when there is none. */
  called(hash: Uint8Array): Promise<TorrentHandle | undefined>
  /** Which pieces of the root's swarm are here; undefined when it is closed. */
  have(root: RootKey): { has(piece: number): boolean; readonly complete: boolean } | undefined
  /** Bytes of a piece that we asked the peer for. Copy them: they are a view. Their `arrived` follows. */
  keep(root: RootKey, peer: PeerKey, piece: number, begin: number, data: Uint8Array): void
  /** File bytes of a piece that is here; unchanged as long as somebody holds them. Undefined when they cannot be read. */
  read(root: RootKey, piece: number, begin: number, length: number): Promise<Uint8Array | undefined>
  /** File bytes of the manifest's entry that lie in no piece. */
  readNode(root: RootKey, entry: number, begin: number, length: number): Promise<Uint8Array | undefined>
  /** Data has left for the peer. */
  onSent(root: RootKey, peer: PeerKey, bytes: number): void
  isBanned(endpoint: Endpoint): boolean
  /** It did what nobody does by mistake, and takes part in no swarm in whose name it could be banned. */
  ban(endpoint: Endpoint, reason: string): void
  /** A DHT node told of itself. */
  onDhtNode(endpoint: Endpoint): void
}
