/** What a run counts while it goes on. Bytes are those of pieces. */
import type { MessageKind } from './messages.ts'

export class Tally {
  /** Bytes that left an uplink; each ends up as one of the four below. */
  sent = 0
  /** Bytes that were stored. */
  useful = 0
  /** Bytes that the receiver had already, was getting, or no longer wanted. */
  duplicate = 0
  /** Bytes of pieces that turned out to be wrong, whoever sent the wrong ones. */
  corrupt = 0
  /** Bytes of pieces that did not become whole: the connection was gone, they were given up, or the run was over. */
  cut = 0
  /** Events handled by all schedulers, and how many of them were wake-ups. */
  events = 0
  wakeUps = 0
  readonly messages: Record<MessageKind, number> = {
    has: 0,
    lacks: 0,
    expects: 0,
    'expects-no-more': 0,
    unchoked: 0,
    choked: 0,
    interested: 0,
    uninterested: 0,
    offered: 0,
    idle: 0,
    suggested: 0,
    declined: 0,
    busy: 0,
    delivered: 0,
    request: 0,
    cancel: 0,
    reject: 0,
    ask: 0,
    unask: 0,
    data: 0,
  }
}
