/** Bencode (BEP 3) as values: decoded by the library behind the guard, encoded with keys in the order of their bytes. */
import bencode from 'bencode'
import { type BencodeLimits, type GuardedBencode, guardBencode } from './bencode-guard.ts'

/** Strings are bytes, for nothing says which of them are text. */
export type BencodeValue = number | Uint8Array | BencodeValue[] | BencodeDictionary

/** Read it by the functions below: a stranger chose the keys, and `constructor` is no entry. */
export interface BencodeDictionary {
  readonly [key: string]: BencodeValue
}

/**
 * Decodes one value that fills the bytes. Nothing in the result refers to them.
 * @throws MalformedBencode
 */
export function decodeBencode(bytes: Uint8Array, limits: BencodeLimits): BencodeValue {
  return decodeGuarded(guardBencode(bytes, limits))
}

/** The same, of what the guard has passed. */
export function decodeGuarded(guarded: GuardedBencode): BencodeValue {
  return bencode.decode(guarded.bytes)
}

/** What can be encoded. Text becomes UTF-8; undefined entries are left out; a Map takes keys that are no text. */
export type Bencodable =
  | number
  | string
  | Uint8Array
  | readonly Bencodable[]
  | ReadonlyMap<string | Uint8Array, Bencodable>
  | { readonly [key: string]: Bencodable | undefined }

/** @throws RangeError for a number that is not a safe integer */
export function encodeBencode(value: Bencodable): Uint8Array {
  return bencode.encode(prepared(value))
}

/** The library sorts keys by their text, which for bytes is not the order of the bytes. */
class RawKey extends Uint8Array {
  override toString(): string {
    return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString('latin1')
  }
}

function prepared(value: Bencodable): unknown {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new RangeError(`bencode has no ${value}`)
    return value
  }
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  if (isList(value)) return value.map(prepared)
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  const present = entries.filter(([, content]) => content !== undefined)
  return new Map(present.map(([key, content]) => [rawKey(key), prepared(content)]))
}

function isList(value: Bencodable): value is readonly Bencodable[] {
  return Array.isArray(value)
}

function rawKey(key: string | Uint8Array): RawKey {
  return new RawKey(typeof key === 'string' ? Buffer.from(key) : key)
}

/** The value as a dictionary, if it is one. */
export function asDictionary(value: BencodeValue | undefined): BencodeDictionary | undefined {
  return typeof value === 'object' && !(value instanceof Uint8Array) && !Array.isArray(value)
    ? value
    : undefined
}

/** The bytes under a key; undefined when there are none, or something else. The same holds for the next four. */
export function bytesAt(dictionary: BencodeDictionary, key: string): Uint8Array | undefined {
  const value = valueAt(dictionary, key)
  return value instanceof Uint8Array ? value : undefined
}

/** The string under a key as text; bytes that are not UTF-8 become replacement characters. */
export function textAt(dictionary: BencodeDictionary, key: string): string | undefined {
  const value = bytesAt(dictionary, key)
  return value === undefined ? undefined : Buffer.from(value).toString('utf8')
}

export function integerAt(dictionary: BencodeDictionary, key: string): number | undefined {
  const value = valueAt(dictionary, key)
  return typeof value === 'number' ? value : undefined
}

export function listAt(dictionary: BencodeDictionary, key: string): readonly BencodeValue[] | undefined {
  const value = valueAt(dictionary, key)
  return Array.isArray(value) ? value : undefined
}

export function dictionaryAt(dictionary: BencodeDictionary, key: string): BencodeDictionary | undefined {
  return asDictionary(valueAt(dictionary, key))
}

function valueAt(dictionary: BencodeDictionary, key: string): BencodeValue | undefined {
  return Object.hasOwn(dictionary, key) ? dictionary[key] : undefined
}
