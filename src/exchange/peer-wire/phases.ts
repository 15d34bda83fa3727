/**
 * The life of a connection between `share` nodes, as a table. The first message is a handshake that names the root.
 * Piece messages wait until both ends know the number of pieces; then each end says once what it has, and trades.
 */
import { EXTENSION_IDS } from './extensions.ts'
import type { Message } from './messages.ts'
import type { ViolationCode } from './violation.ts'

/**
 * `greeting`: no handshake came yet. `counting`: one of the two has not walked its manifest to the end. `listing`:
 * both counted the same number and we said what we have; the peer has not. `trading`: both said it. `closed`: over.
 */
export type Phase = 'greeting' | 'counting' | 'listing' | 'trading' | 'closed'

/** `other`: what we do not know or do not need, in any phase. */
export type Kind = 'handshake' | 'peers' | 'list' | 'trade' | 'other'

export const RULES: Readonly<Record<Phase, Readonly<Record<Kind, 'take' | 'ignore' | ViolationCode>>>> = {
  greeting: { handshake: 'take', peers: 'too-early', list: 'too-early', trade: 'too-early', other: 'ignore' },
  counting: { handshake: 'take', peers: 'take', list: 'too-early', trade: 'too-early', other: 'ignore' },
  listing: { handshake: 'take', peers: 'take', list: 'take', trade: 'too-early', other: 'ignore' },
  trading: { handshake: 'take', peers: 'take', list: 'listed-twice', trade: 'take', other: 'ignore' },
  closed: { handshake: 'ignore', peers: 'ignore', list: 'ignore', trade: 'ignore', other: 'ignore' },
}

const KINDS: Readonly<Record<Exclude<Message['type'], 'extended'>, Kind>> = {
  'keep-alive': 'other',
  choke: 'trade',
  unchoke: 'trade',
  interested: 'trade',
  'not-interested': 'trade',
  have: 'trade',
  bitfield: 'list',
  request: 'trade',
  piece: 'trade',
  cancel: 'trade',
  port: 'other',
  suggest: 'trade',
  'have-all': 'list',
  'have-none': 'list',
  reject: 'trade',
  'allowed-fast': 'trade',
  'hash-request': 'other',
  hashes: 'other',
  'hash-reject': 'other',
  unknown: 'other',
}

export function kindOf(message: Message): Kind {
  if (message.type !== 'extended') return KINDS[message.type]
  if (message.id === 0) return 'handshake'
  if (message.id === EXTENSION_IDS.share_pex) return 'peers'
  return Object.values<number>(EXTENSION_IDS).includes(message.id) ? 'trade' : 'other'
}
