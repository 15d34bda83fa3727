/**
 * Bitswap's protobuf message (specs.ipfs.tech, bitswap 1.2.0), decoded without copies: blocks are views of
 * the frame. Everything comes from strangers: every length is checked against what is there.
 */
import { CID } from 'multiformats/cid'
import { MAX_IDENTITY_BYTES } from '../../core/cid.ts'

export type WantKind = 'block' | 'have'

export interface WantEntry {
  readonly cid: CID
  readonly kind: WantKind
  readonly cancel: boolean
  readonly sendDontHave: boolean
}

/** A block as it travels: the CID without its digest, and the bytes that the digest is to be made of. */
export interface PrefixedBlock<B extends ArrayBufferLike = ArrayBufferLike> {
  readonly prefix: Uint8Array
  readonly data: Uint8Array<B>
}

export interface Presence {
  readonly cid: CID
  readonly has: boolean
}

/** `B` is what lies under the blocks, of which they may be views. */
export interface Message<B extends ArrayBufferLike = ArrayBufferLike> {
  readonly wants: readonly WantEntry[]
  /** `wants` replaces what was wanted before. */
  readonly full: boolean
  readonly blocks: readonly PrefixedBlock<B>[]
  readonly presences: readonly Presence[]
}

export class MalformedMessage extends Error {}

/** Wants, blocks and presences in one message, each: more than a want list of kubo's largest message, 2 MiB, has. */
const MOST_ENTRIES = 1 << 16

/** The longest digest that is of use, and four numbers before it. */
const MAX_CID_BYTES = MAX_IDENTITY_BYTES + 4 * 9

const WIRE_VARINT = 0
const WIRE_FIXED64 = 1
const WIRE_BYTES = 2
const WIRE_FIXED32 = 5

/** One field of a protobuf message: a number, or a view of bytes. */
interface Field<B extends ArrayBufferLike> {
  readonly tag: number
  readonly value: number
  readonly bytes: Uint8Array<B>
}

export function decodeMessage<B extends ArrayBufferLike>(frame: Uint8Array<B>): Message<B> {
  let full = false
  const wants: WantEntry[] = []
  const blocks: PrefixedBlock<B>[] = []
  const presences: Presence[] = []
  for (const { tag, bytes } of fields(frame)) {
    if (tag === 1) {
      for (const field of fields(bytes)) {
        if (field.tag === 1) push(wants, decodeWant(field.bytes))
        else if (field.tag === 2) full = field.value !== 0
      }
    } else if (tag === 2) push(blocks, { prefix: V0_PREFIX, data: bytes })
    else if (tag === 3) push(blocks, decodeBlock(bytes))
    else if (tag === 4) push(presences, decodePresence(bytes))
  }
  return { wants, full, blocks, presences }
}

/** Small entries weigh much more in memory than on the wire, so they are counted. */
function push<T>(entries: T[], entry: T): void {
  if (entries.length === MOST_ENTRIES) throw new MalformedMessage(`more than ${MOST_ENTRIES} entries`)
  entries.push(entry)
}

/** What a bare block of protocol 1.0.0 is named by: CIDv0, dag-pb, sha2-256 of 32 bytes. */
const V0_PREFIX = Uint8Array.of(0x00, 0x70, 0x12, 0x20)

function decodeWant(bytes: Uint8Array): WantEntry {
  let cid: CID | undefined
  let cancel = false
  let kind: WantKind = 'block'
  let sendDontHave = false
  for (const field of fields(bytes)) {
    if (field.tag === 1) cid = decodeCid(field.bytes)
    else if (field.tag === 3) cancel = field.value !== 0
    else if (field.tag === 4) kind = field.value === 1 ? 'have' : 'block'
    else if (field.tag === 5) sendDontHave = field.value !== 0
  }
  if (cid === undefined) throw new MalformedMessage('a want without a CID')
  return { cid, kind, cancel, sendDontHave }
}

function decodeBlock<B extends ArrayBufferLike>(bytes: Uint8Array<B>): PrefixedBlock<B> {
  let [prefix, data] = [bytes.subarray(0, 0), bytes.subarray(0, 0)]
  for (const field of fields(bytes)) {
    if (field.tag === 1) prefix = field.bytes
    else if (field.tag === 2) data = field.bytes
  }
  return { prefix, data }
}

function decodePresence(bytes: Uint8Array): Presence {
  let cid: CID | undefined
  let has = true
  for (const field of fields(bytes)) {
    if (field.tag === 1) cid = decodeCid(field.bytes)
    else if (field.tag === 2) has = field.value === 0
  }
  if (cid === undefined) throw new MalformedMessage('a presence without a CID')
  return { cid, has }
}

function decodeCid(bytes: Uint8Array): CID {
  if (bytes.length > MAX_CID_BYTES) throw new MalformedMessage(`a CID of ${bytes.length} bytes`)
  try {
    // CIDs outlive the frame that they came in; a Buffer's `slice` would not copy
    return CID.decode(Uint8Array.from(bytes))
  } catch (cause) {
    throw new MalformedMessage('not a CID', { cause })
  }
}

/** The four numbers of a block prefix: CID version, codec, hash function, digest length. */
export function decodePrefix(prefix: Uint8Array): {
  version: number
  codec: number
  hash: number
  length: number
} {
  const numbers: number[] = []
  let at = 0
  while (at < prefix.length && numbers.length < 4) {
    const varint = readVarint(prefix, at)
    numbers.push(varint.value)
    at = varint.next
  }
  const [version, codec, hash, length] = numbers
  if (
    version === undefined ||
    codec === undefined ||
    hash === undefined ||
    length === undefined ||
    at !== prefix.length
  ) {
    throw new MalformedMessage('not a block prefix')
  }
  return { version, codec, hash, length }
}

function* fields<B extends ArrayBufferLike>(bytes: Uint8Array<B>): Generator<Field<B>> {
  let at = 0
  while (at < bytes.length) {
    const key = readVarint(bytes, at)
    const tag = Math.floor(key.value / 8)
    at = key.next
    switch (key.value % 8) {
      case WIRE_VARINT: {
        const varint = readVarint(bytes, at)
        at = varint.next
        yield { tag, value: varint.value, bytes: bytes.subarray(0, 0) }
        break
      }
      case WIRE_BYTES: {
        const length = readVarint(bytes, at)
        at = skip(bytes, length.next, length.value)
        yield { tag, value: 0, bytes: bytes.subarray(length.next, at) }
        break
      }
      case WIRE_FIXED64:
        at = skip(bytes, at, 8)
        break
      case WIRE_FIXED32:
        at = skip(bytes, at, 4)
        break
      default:
        throw new MalformedMessage('an unknown wire type')
    }
  }
}

function skip(bytes: Uint8Array, from: number, count: number): number {
  if (from + count > bytes.length) throw new MalformedMessage('a field longer than its message')
  return from + count
}

/** Priorities are signed, so a varint may have ten bytes; past 2^53 only its being there matters. */
function readVarint(bytes: Uint8Array, from: number): { value: number; next: number } {
  let value = 0
  let scale = 1
  for (let at = from; at < bytes.length && at < from + 10; at++) {
    const byte = bytes[at] ?? 0
    value += (byte & 0x7f) * scale
    scale *= 128
    if (byte < 0x80) return { value, next: at + 1 }
  }
  throw new MalformedMessage('a varint without an end')
}

/** What a message is made of before it is written; blocks stay outside, for they are sent as they lie. */
export function encodeMessage(message: Message): Uint8Array[] {
  const head = new Writer()
  const wantlist = new Writer()
  for (const want of message.wants) wantlist.bytes(1, encodeWant(want))
  if (message.full) wantlist.varint(2, 1)
  // kubo expects the field, even when it is empty
  head.bytes(1, wantlist.done())
  for (const { cid, has } of message.presences) {
    const presence = new Writer()
    presence.bytes(1, cid.bytes)
    if (!has) presence.varint(2, 1)
    head.bytes(4, presence.done())
  }
  const parts = [head.done()]
  for (const block of message.blocks) parts.push(encodeBlockHead(block), block.data)
  return parts
}

/** The same blocks for a peer of protocol 1.0.0, which knows no prefixes. */
export function encodeBareBlocks(blocks: readonly PrefixedBlock[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (const { data } of blocks) {
    const head = new Writer()
    head.key(2, WIRE_BYTES)
    head.number(data.length)
    parts.push(head.done(), data)
  }
  return parts
}

export function blockPrefix(cid: CID): Uint8Array {
  const { version, code, multihash } = cid
  const prefix = new Writer()
  for (const number of [version, code, multihash.code, multihash.digest.length]) prefix.number(number)
  return prefix.done()
}

function encodeWant({ cid, kind, cancel, sendDontHave }: WantEntry): Uint8Array {
  const entry = new Writer()
  entry.bytes(1, cid.bytes)
  entry.varint(2, 1)
  if (cancel) entry.varint(3, 1)
  if (kind === 'have') entry.varint(4, 1)
  if (sendDontHave) entry.varint(5, 1)
  return entry.done()
}

function encodeBlockHead({ prefix, data }: PrefixedBlock): Uint8Array {
  const inner = new Writer()
  inner.bytes(1, prefix)
  inner.key(2, WIRE_BYTES)
  inner.number(data.length)
  const innerHead = inner.done()
  const head = new Writer()
  head.key(3, WIRE_BYTES)
  head.number(innerHead.length + data.length)
  head.raw(innerHead)
  return head.done()
}

/** Grows as it is written to; small messages only. */
class Writer {
  #buffer = Buffer.allocUnsafe(64)
  #length = 0

  key(tag: number, wire: number): void {
    this.number(tag * 8 + wire)
  }

  varint(tag: number, value: number): void {
    this.key(tag, WIRE_VARINT)
    this.number(value)
  }

  bytes(tag: number, value: Uint8Array): void {
    this.key(tag, WIRE_BYTES)
    this.number(value.length)
    this.raw(value)
  }

  number(value: number): void {
    this.#room(10)
    let left = value
    while (left >= 0x80) {
      this.#buffer[this.#length++] = (left % 0x80) | 0x80
      left = Math.floor(left / 0x80)
    }
    this.#buffer[this.#length++] = left
  }

  raw(value: Uint8Array): void {
    this.#room(value.length)
    this.#buffer.set(value, this.#length)
    this.#length += value.length
  }

  done(): Uint8Array {
    return this.#buffer.subarray(0, this.#length)
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const wider = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes))
    this.#buffer.copy(wider, 0, 0, this.#length)
    this.#buffer = wider
  }
}
