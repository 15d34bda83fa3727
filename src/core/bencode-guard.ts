/**
 * The guard in front of the bencode library (BEP 3). The library trusts what it reads: a negative length moves
 * its cursor back for ever, a length past the end cuts silently, numbers are rounded. So nothing from a stranger
 * reaches it before this has walked the bytes: one pass, no recursion, nothing allocated but the keys of the
 * dictionaries that are open.
 *
 * Keys out of order are let through: trackers written in Go and older torrent makers send them, and BEP 3 asks
 * those who accept them to hash the bytes as they came, which `raw` gives. Keys that would be one in the decoded
 * object are refused, for there the reader and the hash could mean different values.
 */

/** Deeper than any honest file tree; the library recurses. */
const MAX_DEPTH = 64

const INTEGER = 0x69
const LIST = 0x6c
const DICTIONARY = 0x64
const END = 0x65
const COLON = 0x3a
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39

/** The bytes are not bencode, or more or deeper than is allowed. `offset` is where that showed. */
export class MalformedBencode extends Error {
  readonly offset: number

  constructor(reason: string, offset: number) {
    super(`${reason} at byte ${offset}`)
    this.name = 'MalformedBencode'
    this.offset = offset
  }
}

/** A key by its text, or by its bytes where they are no text. */
export type BencodeKey = string | Uint8Array

/** One value that passed the guard, whole and alone; the bytes must not change any more. */
export class GuardedBencode {
  readonly bytes: Uint8Array
  /** Every key, at any depth, is UTF-8, so that the decoded object has it as it came. */
  readonly textKeys: boolean

  /** Only `guardBencode` calls this. */
  constructor(bytes: Uint8Array, textKeys: boolean) {
    this.bytes = bytes
    this.textKeys = textKeys
  }

  /** The bytes of the value under this path of dictionary keys, as they came; a view. Undefined when there is none. */
  raw(...path: readonly BencodeKey[]): Uint8Array | undefined {
    let found: Uint8Array | undefined = this.bytes
    for (const key of path) found = valueUnder(found, typeof key === 'string' ? Buffer.from(key) : key)
    return found
  }

  /** The entries of the dictionary under this path, in their order, with keys as they came; views. Empty when there is none. */
  entries(...path: readonly BencodeKey[]): Iterable<BencodeEntry> {
    return entriesOf(this.raw(...path))
  }
}

export interface BencodeEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export interface BencodeLimits {
  readonly maxBytes: number
  /** Values at any depth, keys not counted: an empty list is two bytes here and far more when it is decoded. */
  readonly maxValues?: number
}

/**
 * Checks that the bytes are one bencoded value and nothing else.
 * @throws MalformedBencode
 */
export function guardBencode(bytes: Uint8Array, limits: BencodeLimits): GuardedBencode {
  const { maxBytes, maxValues = maxBytes } = limits
  if (bytes.length > maxBytes) throw new MalformedBencode(`more than ${maxBytes} bytes`, maxBytes)
  const { end, textKeys } = scan(bytes, maxValues)
  if (end !== bytes.length) throw new MalformedBencode('more bytes after the value', end)
  return new GuardedBencode(bytes, textKeys)
}

/**
 * The same of one value with other bytes behind it, which are given back as a view. The bounds hold for the value.
 * @throws MalformedBencode
 */
export function guardFirst(
  bytes: Uint8Array,
  { maxBytes, maxValues = maxBytes }: BencodeLimits,
): { value: GuardedBencode; rest: Uint8Array } {
  const { end, textKeys } = scan(bytes.subarray(0, maxBytes), maxValues)
  return { value: new GuardedBencode(bytes.subarray(0, end), textKeys), rest: bytes.subarray(end) }
}

/** A list or dictionary whose end has not come yet. */
interface Open {
  /** The names so far; undefined for a list. */
  readonly keys: Set<string> | undefined
  /** A key or the end must come next, not a value. */
  keyNext: boolean
}

/** Walks one value, and tells where it ends. */
function scan(bytes: Uint8Array, maxValues: number): { end: number; textKeys: boolean } {
  const open: Open[] = []
  let at = 0
  let values = 0
  let textKeys = true
  do {
    const top = open.at(-1)
    const byte = bytes[at]
    if (byte === END && top !== undefined && (top.keys === undefined || top.keyNext)) {
      open.pop()
      at++
    } else if (top?.keyNext) {
      const key = scanKey(bytes, at, top)
      at = key.end
      textKeys &&= key.isText
    } else {
      if (++values > maxValues) throw new MalformedBencode(`more than ${maxValues} values`, at)
      if (top?.keys !== undefined) top.keyNext = true
      if (byte !== LIST && byte !== DICTIONARY) at = endOfScalar(bytes, at)
      else if (open.length === MAX_DEPTH) throw new MalformedBencode(`deeper than ${MAX_DEPTH}`, at)
      else {
        open.push({ keys: byte === LIST ? undefined : new Set(), keyNext: byte === DICTIONARY })
        at++
      }
    }
  } while (open.length > 0)
  return { end: at, textKeys }
}

function scanKey(bytes: Uint8Array, at: number, dictionary: Open): { end: number; isText: boolean } {
  const key = stringAt(bytes, at)
  const name = keyName(key.content)
  if (name === '__proto__') throw new MalformedBencode('the key __proto__', at)
  if (dictionary.keys?.has(name)) throw new MalformedBencode('a key that is there twice', at)
  dictionary.keys?.add(name)
  dictionary.keyNext = false
  // hex is longer than what it stands for, and a text without its mark is shorter
  return { end: key.end, isText: Buffer.byteLength(name) === key.content.length }
}

const utf8 = new TextDecoder()

/**
 * The name that the library gives a key in the decoded object: its text, without a byte order mark, or hex where it
 * is not UTF-8. So two keys can differ in bytes and meet in the object.
 */
export function keyName(key: Uint8Array): string {
  // nearly all keys are, and a decoder takes many times as long
  if (isAscii(key)) return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
  const text = utf8.decode(key)
  return text.includes('\ufffd') ? Buffer.from(key).toString('hex') : text
}

function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] ?? 0) >= 0x80) return false
  return true
}

/** The entries of a dictionary that was checked before. */
function* entriesOf(dictionary: Uint8Array | undefined): Generator<BencodeEntry> {
  if (dictionary?.[0] !== DICTIONARY) return
  let at = 1
  while (dictionary[at] !== END) {
    const key = stringAt(dictionary, at)
    at = endOfValue(dictionary, key.end)
    yield { key: key.content, value: dictionary.subarray(key.end, at) }
  }
}

function valueUnder(dictionary: Uint8Array | undefined, key: Uint8Array): Uint8Array | undefined {
  for (const entry of entriesOf(dictionary)) if (Buffer.compare(entry.key, key) === 0) return entry.value
  return undefined
}

/** Where a value ends that was checked before. */
function endOfValue(bytes: Uint8Array, from: number): number {
  let at = from
  let depth = 0
  do {
    const byte = bytes[at]
    if (byte === LIST || byte === DICTIONARY || byte === END) {
      depth += byte === END ? -1 : 1
      at++
    } else at = endOfScalar(bytes, at)
  } while (depth > 0)
  return at
}

function endOfScalar(bytes: Uint8Array, at: number): number {
  return bytes[at] === INTEGER ? endOfInteger(bytes, at) : stringAt(bytes, at).end
}

function endOfInteger(bytes: Uint8Array, at: number): number {
  const negative = bytes[at + 1] === MINUS
  const digits = digitsAt(bytes, negative ? at + 2 : at + 1)
  if (bytes[digits.end] !== END) throw new MalformedBencode('not an integer', at)
  if (negative && digits.value === 0) throw new MalformedBencode('a negative zero', at)
  return digits.end + 1
}

function stringAt(bytes: Uint8Array, at: number): { content: Uint8Array; end: number } {
  const length = digitsAt(bytes, at)
  if (bytes[length.end] !== COLON) throw new MalformedBencode('not a value', at)
  const start = length.end + 1
  if (length.value > bytes.length - start)
    throw new MalformedBencode('a string longer than what is there', at)
  const end = start + length.value
  return { content: bytes.subarray(start, end), end }
}

/** A number without sign and without leading zeros, that a double holds exactly. */
function digitsAt(bytes: Uint8Array, from: number): { value: number; end: number } {
  let value = 0
  let at = from
  for (; ; at++) {
    const byte = bytes[at] ?? 0
    if (byte < ZERO || byte > NINE) break
    value = value * 10 + (byte - ZERO)
    if (!Number.isSafeInteger(value)) throw new MalformedBencode('a number beyond 2^53', from)
  }
  if (at === from) throw new MalformedBencode('no digit', from)
  if (bytes[from] === ZERO && at > from + 1) throw new MalformedBencode('a leading zero', from)
  return { value, end: at }
}
