/**
 * What goes into the scheduler and what comes out. Drivers translate a wire's messages into events and
 * carry out actions; hashing and disk are actions too, answered by events, so that a corrupt peer, a slow
 * disk and a full disk are plain inputs to a test.
 */
import type { PeerKey, RootKey } from '../core/types.ts'

interface OfSwarm {
  readonly root: RootKey
}

interface OfPeer extends OfSwarm {
  readonly peer: PeerKey
}

interface OfPiece extends OfPeer {
  readonly piece: number
}

export type SwarmEvent =
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
  | (OfPeer & { readonly type: 'joined' })
  | (OfPeer & { readonly type: 'left' })
  /** The peer says that it has these pieces, or lacks them. */
  | (OfPeer & { readonly type: 'has'; readonly pieces: readonly number[] })
  | (OfPeer & { readonly type: 'lacks'; readonly pieces: readonly number[] })
  /** The peer wants a piece from us, or no longer does. */
  | (OfPiece & { readonly type: 'wanted' })
  | (OfPiece & { readonly type: 'unwanted' })
  /** Bytes of what we asked for came in, all of which are told so; keeps the peer from being snubbed while a large piece arrives. */
  | (OfPeer & { readonly type: 'progressed'; readonly bytes: number })
  /** A whole piece came in; the driver holds it until `verify` is answered. */
  | (OfPiece & { readonly type: 'received' })
  | (OfPiece & { readonly type: 'verified' })
  /** The bytes were wrong. Without a piece: the peer sent what hashes to nothing that was asked. */
  | (OfPeer & { readonly type: 'corrupt'; readonly piece?: number })
  | (OfPiece & { readonly type: 'stored' })
  | (OfPiece & { readonly type: 'store-failed' })
  /** A piece left for the peer (the transport took all of it), or could not be sent. */
  | (OfPiece & { readonly type: 'sent' })
  | (OfPiece & { readonly type: 'send-failed' })
  /** Bytes a second; 0 is unlimited. */
  | { readonly type: 'limited'; readonly down: number }
  /** Time has come to `nextTimeout()`. */
  | { readonly type: 'woke' }

export type SwarmAction =
  /** Ask the peer which of these pieces it has; the question stands, so a piece it gets later is told too. */
  | (OfPeer & { readonly type: 'ask'; readonly pieces: readonly number[] })
  | (OfPiece & { readonly type: 'request' })
  /** Ask again for what was requested and never came. */
  | (OfPeer & { readonly type: 'remind'; readonly pieces: readonly number[] })
  /** Withdraw the request for this piece, or the question. */
  | (OfPiece & { readonly type: 'cancel' })
  /** Check the bytes received; answer `verified` or `corrupt`; once verified store them, and answer `stored` or `store-failed`. */
  | (OfPiece & { readonly type: 'verify-and-store' })
  | (OfPiece & { readonly type: 'send' })
  /** We have it now: tell those who asked. */
  | (OfSwarm & { readonly type: 'have'; readonly piece: number })
  /** Drop the peer, everywhere, for this run. */
  | { readonly type: 'ban'; readonly peer: PeerKey; readonly root: RootKey; readonly reason: string }
  /** Every piece is stored. */
  | (OfSwarm & { readonly type: 'completed' })
