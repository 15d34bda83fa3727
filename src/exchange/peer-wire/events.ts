/** What a connection tells the one who drives it. Data is a view of what was received: use it before the next event is taken. */
import type { Bitfield } from '../../core/bitfield.ts'
import type { Terms } from './extensions.ts'
import type { Handshake } from './handshake.ts'
import type { Span } from './messages.ts'
import type { PeerNews } from './peer-news.ts'

export type WireEvent =
  /** The peer's first handshake. One who was dialled learns the root here, and introduces itself now. */
  | { readonly type: 'greeted'; readonly handshake: Handshake; readonly root: Uint8Array }
  /** The peer has completed its manifest: it counts this many pieces. */
  | { readonly type: 'counted'; readonly pieces: number; readonly seed: boolean }
  /** Both know the pieces, and the peer said which it has: pieces can move. */
  | { readonly type: 'listed'; readonly have: Bitfield }
  | ({ readonly type: 'peers' } & PeerNews)
  | ReceivingEvent
  | SendingEvent

/** About what we get from the peer. */
export type ReceivingEvent =
  | { readonly type: 'choked' | 'unchoked' }
  | { readonly type: 'have'; readonly index: number }
  /** Bytes that we asked for. */
  | { readonly type: 'data'; readonly index: number; readonly begin: number; readonly data: Uint8Array }
  /** Bytes of an eager piece that we declined, or from where we cancelled on: they crossed. */
  | { readonly type: 'unwanted'; readonly index: number; readonly bytes: number }
  /** Bytes that we asked for and still want will not come. */
  | ({ readonly type: 'rejected' } & Span)
  | { readonly type: 'suggested' | 'allowed'; readonly index: number }
  /** Answer with `request`, `decline` or `busy`. An eager offer that is not answered before the next event is taken counts as declined. */
  | ({ readonly type: 'offered'; readonly index: number; readonly eager: boolean } & Terms)
  /** The peer has a free uplink: hand over a part of something by `request`, or `decline`, or `busy`. */
  | ({ readonly type: 'idle' } & Terms)

/** About what the peer gets from us. */
export type SendingEvent =
  | { readonly type: 'interested' | 'not-interested' }
  /** Answer with `answer` or `reject`. `offered`: it accepts an offer. */
  | ({ readonly type: 'requested'; readonly offered: boolean } & Span)
  /** The eager piece is wanted; it is on its way already. */
  | { readonly type: 'accepted'; readonly index: number }
  /** A request lost its end and now asks for `length` bytes; `ended` when those have all left. */
  | ({ readonly type: 'shortened'; readonly ended: boolean } & Span)
  /** An offer is not wanted, or not for so many milliseconds; without an index, the empty one. Of an eager piece no more is sent. */
  | { readonly type: 'declined'; readonly index: number | undefined }
  | { readonly type: 'busy'; readonly index: number | undefined; readonly milliseconds: number }
  /** The peer expects this piece from somebody, or does no more. */
  | { readonly type: 'expects' | 'expects-no-more'; readonly index: number }
  /** So many more bytes of data have arrived there. */
  | { readonly type: 'confirmed'; readonly bytes: number }
