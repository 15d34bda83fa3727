/** What a run counts while it goes on. */
import type { MessageKind } from './messages.ts'

export class Tally {
  /** Bytes that left an uplink; each ends up as one of the four below. */
  sent = 0
  /** Bytes of pieces that the receiver took, and that were right. */
  useful = 0
  /** Bytes of pieces that the receiver had already, was getting, or no longer wanted. */
  duplicate = 0
  /** Wrong bytes. */
  corrupt = 0
  /** Bytes of pieces that were cut off, or did not arrive: the connection was gone, or the run at its end. */
  lost = 0
  /** Events handled by all schedulers, and how many of them were wake-ups. */
  events = 0
  wakeUps = 0
  readonly messages = new Map<MessageKind, number>()

  told(kind: MessageKind): void {
    this.messages.set(kind, (this.messages.get(kind) ?? 0) + 1)
  }
}
