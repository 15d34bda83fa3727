/** What two peers tell each other. Most messages are the event that they are at the other end. */
import type { SwarmEvent } from '../swarm/events.ts'

/** Bytes of a piece. */
export interface Span {
  readonly piece: number
  readonly begin: number
  readonly length: number
}

export type Message =
  | Extract<
      SwarmEvent,
      {
        readonly type:
          | 'has'
          | 'lacks'
          | 'expects'
          | 'expects-no-more'
          | 'unchoked'
          | 'choked'
          | 'interested'
          | 'uninterested'
          | 'offered'
          | 'idle'
          | 'suggested'
          | 'declined'
          | 'busy'
          | 'delivered'
      }
    >
  /** Asks for bytes, takes back the end of a request, refuses the end of one. On Bitswap always whole pieces. */
  | (Span & { readonly type: 'request' | 'cancel' | 'reject' })
  /** Which of these do you have? The question stands for those that the other lacks (Bitswap). */
  | { readonly type: 'ask'; readonly pieces: readonly number[] }
  /** Takes back such a question. */
  | { readonly type: 'unask'; readonly piece: number }
  /** Bytes that came, and whether they are what they should be. */
  | (Span & { readonly type: 'data'; readonly genuine: boolean })

export type MessageKind = Message['type']

/** What `share` peers tell all their neighbours unasked. */
export type Notice = Extract<
  Message,
  { readonly type: 'has' | 'lacks' } | { readonly type: 'expects' | 'expects-no-more' }
>
