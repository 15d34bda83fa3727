/**
 * What goes into the scheduler and what comes out. Drivers translate a wire's messages into events and
 * carry out actions; hashing and disk are actions too, answered by events, so that a corrupt peer, a slow
 * disk and a full disk are plain inputs to a test.
 */
import type { PeerKey, RootKey } from '../core/types.ts'

/**
 * How pieces move between us and a peer.
 * `share`: the uploader offers, the receiver accepts; has, expects and interest are told unasked.
 * `bittorrent`: each pulls from the other; has and interest are told unasked; requests need an unchoke.
 * `bitswap`: each pulls from the other; what a peer has is asked for; there is no choke.
 */
export type Wire = 'share' | 'bittorrent' | 'bitswap'

interface OfSwarm {
  readonly root: RootKey
}

interface OfPeer extends OfSwarm {
  readonly peer: PeerKey
}

interface OfPiece extends OfPeer {
  readonly piece: number
}

/** Bytes of a piece: `length` of them from the offset `begin` on. On Bitswap always the whole piece. */
interface OfSpan extends OfPiece {
  readonly begin: number
  readonly length: number
}

/** How an uploader can serve: bytes a second, and milliseconds until it can start. */
interface Terms {
  readonly rate: number
  readonly start: number
}

export type SwarmEvent = LocalEvent | PeerEvent | DownloadEvent | UploadEvent

/** What this node itself has to say. */
type LocalEvent =
  /** A root is to be downloaded or seeded. `sizes` are block sizes of the pieces known so far; `have` those stored. */
  | (OfSwarm & {
      readonly type: 'opened'
      readonly sizes: ArrayLike<number>
      readonly have: Iterable<number>
      readonly final: boolean
    })
  /** The manifest walk appended pieces; `final` when there are no more to come. */
  | (OfSwarm & {
      readonly type: 'grown'
      readonly sizes: ArrayLike<number>
      /** Those stored already, by their indexes in the whole swarm. */
      readonly found: readonly number[]
      readonly final: boolean
    })
  | (OfSwarm & { readonly type: 'closed' })
  /** Somebody reads: these pieces first, in this order, before any that is rarer. Replaces what was urgent before. */
  | (OfSwarm & { readonly type: 'urgent'; readonly pieces: readonly number[] })
  /** What `verify-and-store` found and did. The bytes match their hash, and are being stored. */
  | (OfSwarm & { readonly type: 'verified' | 'stored' | 'store-failed'; readonly piece: number })
  /** They do not. `senders`: whose bytes they were, where more is known of that than what was told by `arrived`. */
  | (OfSwarm & { readonly type: 'refuted'; readonly piece: number; readonly senders?: readonly PeerKey[] })
  /** Once the piece was right: bytes that the peer had sent for it before were not. */
  | (OfSwarm & { readonly type: 'lied'; readonly peer: PeerKey; readonly piece: number })
  /** Bytes a second that all requests together may bring in, for one root or for all; 0 is unlimited. */
  | { readonly type: 'limited'; readonly root?: RootKey; readonly down: number }
  /** Time has come to `nextTimeout()`. */
  | { readonly type: 'woke' }

/** What a peer is and says of itself. */
type PeerEvent =
  /** `has`: the pieces that it named in joining, which count before anything is offered to it. */
  | (OfPeer & { readonly type: 'joined'; readonly wire: Wire; readonly has?: readonly number[] })
  | (OfPeer & { readonly type: 'left' })
  /** It says that it has these pieces, or lacks them. */
  | (OfPeer & { readonly type: 'has' | 'lacks'; readonly pieces: readonly number[] })
  /** These are on their way to it from somebody, or no longer are (`share`). */
  | (OfPeer & { readonly type: 'expects' | 'expects-no-more'; readonly pieces: readonly number[] })
  /** It serves our requests from now on, or only what it offers (not on `bitswap`). */
  | (OfPeer & { readonly type: 'unchoked' | 'choked' })
  /** It wants something that we have, or nothing (not on `bitswap`). */
  | (OfPeer & { readonly type: 'interested' | 'uninterested' })
  /** It sent what nobody asked for and matches nothing. */
  | (OfPeer & { readonly type: 'misbehaved'; readonly reason: string })

/** Pieces on their way in. */
type DownloadEvent =
  /** Bytes that were asked for came in; the driver keeps them until the piece is whole and `verify-and-store` is answered. */
  | (OfSpan & { readonly type: 'arrived' })
  /** A whole piece came in by one message (`bitswap`). */
  | (OfPiece & { readonly type: 'received' })
  /** Something came in that cannot be told yet what it is part of: the peer is alive. */
  | (OfPeer & { readonly type: 'progressed' })
  /** Bytes that were asked for will not come. */
  | (OfSpan & { readonly type: 'rejected' })
  /** The peer would send this piece; `eager`: it is sending already. To be answered at once: request, decline or busy. */
  | (OfPiece & { readonly type: 'offered'; readonly eager: boolean } & Terms)
  /** The peer has nothing to offer and a free uplink. To be answered at once: request, decline or busy. */
  | (OfPeer & { readonly type: 'idle' } & Terms)
  /** It would like us to ask for this piece (`bittorrent`). */
  | (OfPiece & { readonly type: 'suggested' })

/** Pieces on their way out. */
type UploadEvent =
  /** The peer asks for bytes, or accepts an offer of them (`offered`). */
  | (OfSpan & { readonly type: 'requested'; readonly offered: boolean })
  /** It wants what we send it eagerly. */
  | (OfPiece & { readonly type: 'accepted' })
  /** It asks no longer for the bytes of its request from `begin + length` on; with a length of 0 it is over. */
  | (OfSpan & { readonly type: 'shortened' })
  /** An offer is not wanted, or not for so many ms; without a piece, the empty one. */
  | (OfPeer & { readonly type: 'declined'; readonly piece: number | undefined })
  | (OfPeer & { readonly type: 'busy'; readonly piece: number | undefined; readonly ms: number })
  /** Bytes of the answer to the request that begins at `begin` have left: the transport took them, which holds little more than the link. */
  | (OfPiece & { readonly type: 'sent'; readonly begin: number; readonly bytes: number })
  /** They have arrived there; on wires that do not confirm, they have left, and there is no `sent`. */
  | (OfPiece & { readonly type: 'delivered'; readonly begin: number; readonly bytes: number })
  /** The request that begins at `begin` could not be answered. */
  | (OfPiece & { readonly type: 'send-failed'; readonly begin: number })

export type SwarmAction =
  // what others are told
  /** Ask the peer which of these pieces it has; the question stands, so a piece it gets later is told too (`bitswap`). */
  | (OfPeer & { readonly type: 'ask'; readonly pieces: readonly number[] })
  /** Withdraw that question. */
  | (OfPiece & { readonly type: 'unask' })
  /** We have it now: tell every peer of the swarm; may wait a moment for more. */
  | (OfSwarm & { readonly type: 'have'; readonly piece: number })
  /** The piece is on its way to us, or no longer is: tell every `share` peer. */
  | (OfSwarm & { readonly type: 'expect' | 'expect-no-more'; readonly piece: number })
  | (OfPeer & { readonly type: 'choke' | 'unchoke' })
  | (OfPeer & { readonly type: 'interested' | 'uninterested' })
  /** Propose that the peer asks for this piece (`bittorrent`). */
  | (OfPiece & { readonly type: 'suggest' })
  // pieces in
  /** Ask for bytes; where the peer offers the piece, this accepts. */
  | (OfSpan & { readonly type: 'request' })
  /** Ask again for what was requested and never came (`bitswap`). */
  | (OfPeer & { readonly type: 'remind'; readonly pieces: readonly number[] })
  /** Take back the end of a request; all of it if nothing of it has come. On `bitswap` the whole request. */
  | (OfSpan & { readonly type: 'cancel' })
  /** Turn an offer down, or put it off; without a piece, the empty one. */
  | (OfPeer & { readonly type: 'decline'; readonly piece: number | undefined })
  | (OfPeer & { readonly type: 'busy'; readonly piece: number | undefined; readonly ms: number })
  /** All bytes are here: check them, answer `verified` or `refuted`; once verified store them, and answer `stored` or `store-failed`. */
  | (OfSwarm & { readonly type: 'verify-and-store'; readonly piece: number })
  /** The bytes of this piece that came so far are of no use: drop them. */
  | (OfSwarm & { readonly type: 'discard'; readonly piece: number })
  // pieces out
  /** Offer a piece; `eager`: and send it at once, until it is declined. */
  | (OfPiece & { readonly type: 'offer'; readonly eager: boolean } & Terms)
  /** Offer to take over a part of what comes to the peer too slowly. */
  | (OfPeer & { readonly type: 'offer-uplink' } & Terms)
  /** Answer a request. Answers to different peers may run side by side. */
  | (OfSpan & { readonly type: 'send' })
  /** Refuse a request. */
  | (OfSpan & { readonly type: 'reject' })
  // the end
  /** Drop the peer, everywhere, for this run. */
  | { readonly type: 'ban'; readonly peer: PeerKey; readonly root: RootKey; readonly reason: string }
  /** Every piece is stored. */
  | (OfSwarm & { readonly type: 'completed' })

/** A peer as the scheduler sees it, for people. */
export interface PeerView {
  readonly peer: PeerKey
  readonly wire: Wire
  /** Pieces that it has. */
  readonly pieces: number
  /** It serves us, we want something of it; we serve it, it wants something of us. */
  readonly choked: boolean
  readonly interested: boolean
  readonly choking: boolean
  readonly wanted: boolean
  readonly snubbed: boolean
}
