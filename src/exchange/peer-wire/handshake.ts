/** The extended handshake (BEP 10) with what `share` nodes tell each other in it. */
import {
  asDictionary,
  type BencodeDictionary,
  bytesAt,
  decodeBencode,
  dictionaryAt,
  encodeBencode,
  integerAt,
  textAt,
} from '../../core/bencode.ts'
import { MalformedBencode } from '../../core/bencode-guard.ts'
import { MAX_UINT32 } from './uint32.ts'
import { WireViolation } from './violation.ts'

/** More than any list of extensions needs. */
const MAX_HANDSHAKE_BYTES = 64 << 10

/** What libtorrent takes at once, so what its peers assume where nothing is said (BEP 10). */
const DEFAULT_REQUESTS = 250

export interface HandshakeFields {
  /** The root as CIDv1 bytes; also a CIDv0 root is told so. */
  readonly root: Uint8Array
  /** Name and version of the program. */
  readonly version: string
  /** Requests that the sender takes at once. */
  readonly requests: number
  /** How many pieces the manifest has, once that is known. */
  readonly pieces: number | undefined
  /** The sender has every piece. */
  readonly seed: boolean
  /** Names of extensions, with the ids by which the sender wants to be sent them. */
  readonly extensions: Readonly<Record<string, number>>
}

export interface Handshake {
  readonly root: Uint8Array | undefined
  readonly version: string | undefined
  readonly requests: number
  readonly pieces: number | undefined
  readonly seed: boolean
  /** Changes to what was told before: id 0 takes an extension back. */
  readonly extensions: ReadonlyMap<string, number>
  /** All of it, for keys that only some wires have. */
  readonly dictionary: BencodeDictionary
}

export function encodeHandshake(fields: HandshakeFields): Uint8Array {
  return encodeBencode({
    m: fields.extensions,
    n: fields.pieces,
    reqq: fields.requests,
    root: fields.root,
    seed: fields.seed ? 1 : undefined,
    v: fields.version,
  })
}

/** Unknown keys, and known ones of another kind, count as absent. @throws WireViolation */
export function decodeHandshake(payload: Uint8Array): Handshake {
  const dictionary = decoded(payload)
  const pieces = integerAt(dictionary, 'n')
  if (pieces !== undefined && (pieces < 0 || pieces > MAX_UINT32)) throw malformed(`${pieces} pieces`)
  const requests = integerAt(dictionary, 'reqq') ?? DEFAULT_REQUESTS
  return {
    root: bytesAt(dictionary, 'root'),
    version: textAt(dictionary, 'v'),
    requests: requests > 0 ? requests : DEFAULT_REQUESTS,
    pieces,
    seed: integerAt(dictionary, 'seed') === 1,
    extensions: extensionIds(dictionaryAt(dictionary, 'm')),
    dictionary,
  }
}

function decoded(payload: Uint8Array): BencodeDictionary {
  try {
    const dictionary = asDictionary(decodeBencode(payload, { maxBytes: MAX_HANDSHAKE_BYTES }))
    if (dictionary !== undefined) return dictionary
  } catch (cause) {
    if (!(cause instanceof MalformedBencode)) throw cause
    throw malformed(cause.message, cause)
  }
  throw malformed('not a dictionary')
}

function extensionIds(dictionary: BencodeDictionary | undefined): ReadonlyMap<string, number> {
  const ids = new Map<string, number>()
  for (const [name, id] of Object.entries(dictionary ?? {}))
    if (typeof id === 'number' && id >= 0 && id <= 255) ids.set(name, id)
  return ids
}

function malformed(reason: string, cause?: MalformedBencode): WireViolation {
  return new WireViolation('malformed', `an extended handshake: ${reason}`, { cause })
}
