/** What one end has, as the one message that says it (BEP 3, BEP 6). */
import { Bitfield } from '../../core/bitfield.ts'
import type { KnownMessage } from './messages.ts'
import { WireViolation } from './violation.ts'

export type ListMessage = Extract<KnownMessage, { type: 'bitfield' | 'have-all' | 'have-none' }>

export function listMessage(have: Bitfield): ListMessage {
  if (have.complete) return { type: 'have-all' }
  if (have.count === 0) return { type: 'have-none' }
  // the message waits in the outbox while pieces go on arriving
  return { type: 'bitfield', bits: have.bytes.slice() }
}

/** Spare bits are passed over. @throws WireViolation for a bitfield of another length */
export function listedPieces(message: ListMessage, pieces: number): Bitfield {
  if (message.type === 'have-all') return Bitfield.full(pieces)
  if (message.type === 'have-none') return new Bitfield(pieces)
  if (message.bits.length !== Math.ceil(pieces / 8))
    throw new WireViolation('malformed', `a bitfield of ${message.bits.length} bytes for ${pieces} pieces`)
  return new Bitfield(pieces, message.bits)
}
