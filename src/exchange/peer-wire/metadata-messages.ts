/**
 * The info dictionary from peers (BEP 9, `ut_metadata`), in blocks of 16 KiB: a bencoded dictionary that says which, and for a
 * block its bytes behind it.
 */
import { asDictionary, decodeGuarded, encodeBencode, integerAt } from '../../core/bencode.ts'
import { guardFirst, MalformedBencode } from '../../core/bencode-guard.ts'
import { MAX_UINT32 } from './uint32.ts'
import { WireViolation } from './violation.ts'

export const METADATA_BLOCK_BYTES = 16 << 10

/** Three short keys and what newer clients may add. */
const HEAD_LIMITS = { maxBytes: 1024, maxValues: 32 }

export type MetadataMessage =
  | { readonly type: 'request'; readonly block: number }
  | { readonly type: 'reject'; readonly block: number }
  /** `size` is that of the whole dictionary. */
  | { readonly type: 'data'; readonly block: number; readonly size: number; readonly data: Uint8Array }

const TYPES = { request: 0, data: 1, reject: 2 } as const

/** The payload in parts, without the two bytes of id before it; a block is passed on as it is. */
export function encodeMetadataMessage(message: MetadataMessage): Uint8Array[] {
  const size = message.type === 'data' ? message.size : undefined
  const head = encodeBencode({ msg_type: TYPES[message.type], piece: message.block, total_size: size })
  return message.type === 'data' ? [head, message.data] : [head]
}

/** Undefined for a message of a type that is not known, which BEP 9 wants ignored. @throws WireViolation */
export function decodeMetadataMessage(payload: Uint8Array): MetadataMessage | undefined {
  const { head, rest } = split(payload)
  const block = integerAt(head, 'piece')
  if (block === undefined || block < 0 || block > MAX_UINT32) throw malformed('no block')
  switch (integerAt(head, 'msg_type')) {
    case TYPES.request:
      return { type: 'request', block }
    case TYPES.reject:
      return { type: 'reject', block }
    case TYPES.data: {
      const size = integerAt(head, 'total_size')
      if (size === undefined || size <= 0) throw malformed('no size')
      if (rest.length === 0 || rest.length > METADATA_BLOCK_BYTES)
        throw malformed(`a block of ${rest.length} bytes`)
      return { type: 'data', block, size, data: rest }
    }
    default:
      return undefined
  }
}

function split(payload: Uint8Array) {
  try {
    const { value, rest } = guardFirst(payload, HEAD_LIMITS)
    const head = asDictionary(decodeGuarded(value))
    if (head !== undefined) return { head, rest }
  } catch (cause) {
    if (!(cause instanceof MalformedBencode)) throw cause
    throw malformed(cause.message, cause)
  }
  throw malformed('no dictionary')
}

function malformed(reason: string, cause?: MalformedBencode): WireViolation {
  return new WireViolation('malformed', `a ut_metadata message: ${reason}`, { cause })
}
