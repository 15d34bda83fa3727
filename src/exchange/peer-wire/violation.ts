/** What a peer can do wrong on the wire, and who answers for it. Every violation ends the connection; only blame is held against the peer. */

/** Each code with whom it speaks against. `nobody`: honest peers come into it too. */
const BLAME = {
  /** Bytes that are no message: a wrong length for its id, a payload that does not decode. */
  malformed: 'peer',
  /** A message longer than is allowed. */
  'too-long': 'peer',
  /** A message that has no place yet: before the handshake, or before both know the pieces. */
  'too-early': 'peer',
  /** A second bitfield, have-all or have-none. */
  'listed-twice': 'peer',
  /** A handshake for another root, or for none. */
  'wrong-root': 'peer',
  /** A handshake that takes back the number of pieces. */
  'count-changed': 'peer',
  /** The two ends count different numbers of pieces; one manifest is wrong, and nobody can know whose. */
  'count-differs': 'nobody',
  /** A piece index or a range outside of what there is. */
  'out-of-bounds': 'peer',
  /** Data or a reject that answers no request. */
  unrequested: 'peer',
  /** A request for bytes that an open request asks for already. */
  overlapping: 'peer',
  /** More open requests than we said that we take, or more while choked than can have crossed our choke. */
  'too-many-requests': 'peer',
  /** An acknowledgement of bytes that were not sent. */
  'false-ack': 'peer',
  /** The peer does not read what we send. */
  backlog: 'nobody',
} as const

export type ViolationCode = keyof typeof BLAME

export class WireViolation extends Error {
  readonly code: ViolationCode

  constructor(code: ViolationCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'WireViolation'
    this.code = code
  }

  get blame(): 'peer' | 'nobody' {
    return BLAME[this.code]
  }
}
