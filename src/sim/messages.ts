/**
 * What peers tell each other beside the bytes of pieces. A kind is added here, where `Peer` turns an action of the
 * scheduler into it, and where `Peer` turns it into an event.
 */
export type Message =
  /** Which of these do you have? The question stands for those that the other lacks. */
  | { readonly type: 'ask'; readonly pieces: readonly number[] }
  /** The answer to questions and to requests for what is not there. */
  | { readonly type: 'presence'; readonly has: readonly number[]; readonly lacks: readonly number[] }
  /** The late answer to a standing question. */
  | { readonly type: 'have'; readonly pieces: readonly number[] }
  | { readonly type: 'request'; readonly piece: number }
  | { readonly type: 'cancel'; readonly piece: number }

export type MessageKind = Message['type']
