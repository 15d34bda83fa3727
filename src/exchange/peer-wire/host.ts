/** What the peer wire asks of the node that it belongs to. */
import type { PeerKey, RootKey } from '../../core/types.ts'
import type { SwarmAction, SwarmEvent } from '../../swarm/events.ts'
import type { Pieces } from './connection.ts'
import type { PeerNews } from './peer-news.ts'

export interface PeerWireHost {
  /** Tells the scheduler. */
  dispatch(event: SwarmEvent): void
  /** A peer opened a stream for this root: whether we trade in it. Resolves once its swarm is open. */
  admits(peer: PeerKey, root: RootKey): Promise<boolean>
  /** The pieces of a root that we trade in, once its manifest is complete; `have` stays up to date. */
  pieces(root: RootKey): Pieces | undefined
  /** Bytes of a piece that we asked the peer for. Copy them: they are a view. Their `arrived` follows. */
  keep(root: RootKey, peer: PeerKey, piece: number, begin: number, data: Uint8Array): void
  /** A piece that we have, unchanged until `release`; undefined when it cannot be read. */
  read(root: RootKey, piece: number): Promise<Uint8Array | undefined>
  /** A block that `read` gave is not needed any more; its memory may be used for another. Not called for what a broken stream may still hold. */
  release?(root: RootKey, block: Uint8Array): void
  /** Data has left for the peer, by its file bytes. */
  onSent(root: RootKey, peer: PeerKey, bytes: number): void
  onPeers(root: RootKey, from: PeerKey, news: PeerNews): void
}

/** The actions that concern a peer on this wire, or all of them. */
export type PeerWireAction = Extract<
  SwarmAction,
  {
    type:
      | 'have'
      | 'expect'
      | 'expect-no-more'
      | 'choke'
      | 'unchoke'
      | 'interested'
      | 'uninterested'
      | 'suggest'
      | 'request'
      | 'cancel'
      | 'decline'
      | 'busy'
      | 'offer'
      | 'offer-uplink'
      | 'send'
      | 'reject'
  }
>
