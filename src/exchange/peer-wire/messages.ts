/**
 * The messages of BitTorrent's peer wire, to bytes and back: BEP 3, BEP 5 (port), BEP 6 (fast), BEP 10 (extended)
 * and BEP 52 (hashes). A message is one byte of id and a payload, behind four bytes of length. Ids that we do not
 * know are kept as such, so that newer peers can talk to us; a known id with a wrong length is a violation.
 * Payloads are views, in both directions: nothing is copied.
 */
import { readUint32, writeUint32 } from './uint32.ts'
import { WireViolation } from './violation.ts'

/** Bytes of a piece: `length` of them from the offset `begin` on. */
export interface Span {
  readonly index: number
  readonly begin: number
  readonly length: number
}

/** Hashes of one file's merkle tree: `length` of them in the layer `baseLayer` from `index` on, and what proves them. */
interface HashSpan {
  /** The file's root, 32 bytes. */
  readonly root: Uint8Array
  /** Layers above the leaves, which are 16 KiB blocks. */
  readonly baseLayer: number
  readonly index: number
  readonly length: number
  readonly proofLayers: number
}

/** One member for each type, so that a `switch` tells them apart. */
type Each<Type extends string, Fields> = Type extends string ? { readonly type: Type } & Fields : never

export type KnownMessage =
  | { readonly type: 'keep-alive' }
  | Each<'choke' | 'unchoke' | 'interested' | 'not-interested' | 'have-all' | 'have-none', unknown>
  | Each<'have' | 'suggest' | 'allowed-fast', { readonly index: number }>
  | Each<'request' | 'cancel' | 'reject', Span>
  /** One bit a piece, the first piece in the highest bit of the first byte. */
  | { readonly type: 'bitfield'; readonly bits: Uint8Array }
  | { readonly type: 'piece'; readonly index: number; readonly begin: number; readonly data: Uint8Array }
  /** The UDP port of the peer's DHT node. */
  | { readonly type: 'port'; readonly port: number }
  /** Id 0 is the extended handshake; the others mean what the receiver's handshake says. */
  | { readonly type: 'extended'; readonly id: number; readonly payload: Uint8Array }
  | Each<'hash-request' | 'hash-reject', HashSpan>
  | Each<'hashes', HashSpan & { readonly hashes: Uint8Array }>

export type Message = KnownMessage | { readonly type: 'unknown'; readonly id: number }

const ID = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  'not-interested': 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  port: 9,
  suggest: 13,
  'have-all': 14,
  'have-none': 15,
  reject: 16,
  'allowed-fast': 17,
  extended: 20,
  'hash-request': 21,
  hashes: 22,
  'hash-reject': 23,
} as const

type Id = keyof typeof ID

const NAMES: ReadonlyMap<number, Id> = new Map(Object.entries(ID).map(([name, id]) => [id, name as Id]))

const HASH_BYTES = 32

/** Bytes of a hash message before the hashes: the root and four numbers. */
const HASH_HEAD_BYTES = HASH_BYTES + 4 * 4

/**
 * One message from a frame without its length. Data is a view of it, all other bytes are the message's own.
 * @throws WireViolation
 */
export function decodeMessage(frame: Uint8Array): Message {
  const [id] = frame
  if (id === undefined) return { type: 'keep-alive' }
  const type = NAMES.get(id)
  if (type === undefined) return { type: 'unknown', id }
  const payload = frame.subarray(1)
  switch (type) {
    case 'choke':
    case 'unchoke':
    case 'interested':
    case 'not-interested':
    case 'have-all':
    case 'have-none':
      expectLength(type, payload.length === 0)
      return { type }
    case 'have':
    case 'suggest':
    case 'allowed-fast':
      expectLength(type, payload.length === 4)
      return { type, index: readUint32(payload, 0) }
    case 'request':
    case 'cancel':
    case 'reject':
      expectLength(type, payload.length === 12)
      return { type, ...readSpan(payload) }
    case 'bitfield':
      return { type, bits: new Uint8Array(payload) }
    case 'piece':
      expectLength(type, payload.length >= 8)
      return {
        type,
        index: readUint32(payload, 0),
        begin: readUint32(payload, 4),
        data: payload.subarray(8),
      }
    case 'port':
      expectLength(type, payload.length === 2)
      return { type, port: (payload[0] ?? 0) * 256 + (payload[1] ?? 0) }
    case 'extended':
      expectLength(type, payload.length >= 1)
      return { type, id: payload[0] ?? 0, payload: new Uint8Array(payload.subarray(1)) }
    case 'hash-request':
    case 'hash-reject':
      expectLength(type, payload.length === HASH_HEAD_BYTES)
      return { type, ...readHashSpan(payload) }
    case 'hashes':
      expectLength(
        type,
        payload.length > HASH_HEAD_BYTES && (payload.length - HASH_HEAD_BYTES) % HASH_BYTES === 0,
      )
      return { type, ...readHashSpan(payload), hashes: new Uint8Array(payload.subarray(HASH_HEAD_BYTES)) }
  }
}

function expectLength(type: string, right: boolean): void {
  if (!right) throw new WireViolation('malformed', `a ${type} message of a wrong length`)
}

function readSpan(payload: Uint8Array): Span {
  return { index: readUint32(payload, 0), begin: readUint32(payload, 4), length: readUint32(payload, 8) }
}

function readHashSpan(payload: Uint8Array): HashSpan {
  const [baseLayer, index, length, proofLayers] = [0, 4, 8, 12] as const
  const read = (at: number) => readUint32(payload, HASH_BYTES + at)
  return {
    root: new Uint8Array(payload.subarray(0, HASH_BYTES)),
    baseLayer: read(baseLayer),
    index: read(index),
    length: read(length),
    proofLayers: read(proofLayers),
  }
}

/**
 * The bytes of a message with its length, in parts: what is large is passed on as it is.
 * @throws RangeError for numbers that do not fit
 */
export function encodeMessage(message: KnownMessage): Uint8Array[] {
  switch (message.type) {
    case 'keep-alive':
      return [new Uint8Array(4)]
    case 'have':
    case 'suggest':
    case 'allowed-fast':
      return [head(message.type, [message.index])]
    case 'request':
    case 'cancel':
    case 'reject':
      return [head(message.type, [message.index, message.begin, message.length])]
    case 'bitfield':
      return [head('bitfield', [], message.bits.length), message.bits]
    case 'piece':
      return [head('piece', [message.index, message.begin], message.data.length), message.data]
    case 'port':
      return [head('port', [], 2), Uint8Array.of(message.port >>> 8, message.port)]
    case 'extended':
      return [head('extended', [], 1 + message.payload.length), Uint8Array.of(message.id), message.payload]
    case 'hash-request':
    case 'hash-reject':
      return hashParts(message.type, message)
    case 'hashes':
      return [...hashParts('hashes', message, message.hashes.length), message.hashes]
    default:
      return [head(message.type, [])]
  }
}

/** The length, the id and the first numbers; `more` is how many bytes follow in other parts. */
function head(type: Id, numbers: readonly number[], more = 0): Uint8Array {
  const bytes = Buffer.allocUnsafe(5 + 4 * numbers.length)
  writeUint32(bytes, 0, 1 + 4 * numbers.length + more)
  bytes[4] = ID[type]
  for (const [at, number] of numbers.entries()) writeUint32(bytes, 5 + 4 * at, number)
  return bytes
}

function hashParts(type: Id, span: HashSpan, more = 0): Uint8Array[] {
  if (span.root.length !== HASH_BYTES) throw new RangeError('a root is 32 bytes')
  const numbers = Buffer.allocUnsafe(16)
  for (const [at, number] of [span.baseLayer, span.index, span.length, span.proofLayers].entries())
    writeUint32(numbers, 4 * at, number)
  return [head(type, [], HASH_HEAD_BYTES + more), span.root, numbers]
}
