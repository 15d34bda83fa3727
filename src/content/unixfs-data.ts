/**
 * The UnixFS protobuf message inside a dag-pb node. Own code for two reasons: reading needs the declared file size and views of
 * the payload, which the class in `ipfs-unixfs` does not give; and that class writes sizes from 2 GiB to 4 GiB wrong
 * (protons-runtime 7.1.2), and so wrong CIDs. Source: the UnixFS specification, https://specs.ipfs.tech/unixfs/.
 */

/** The `Type` of the message, by number. */
const UNIXFS_TYPES = ['raw', 'directory', 'file', 'metadata', 'symlink', 'hamt-sharded-directory'] as const

type UnixfsType = (typeof UNIXFS_TYPES)[number]

export interface UnixfsData {
  readonly type: UnixfsType
  /** A view into the message; empty when the field is absent. */
  readonly data: Uint8Array
  readonly fileSize: number | undefined
  readonly blockSizes: readonly number[]
  readonly hashType: number | undefined
  readonly fanout: number | undefined
}

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
/** A 64-bit varint takes ten bytes at most. */
const MAX_VARINT_BYTES = 10
const NOTHING = new Uint8Array(0)

/** @throws Error saying what is malformed */
export function decodeUnixfs(bytes: Uint8Array): UnixfsData {
  const reader = new Reader(bytes)
  const numbers: (number | undefined)[] = []
  const blockSizes: number[] = []
  let data = NOTHING
  while (!reader.done) {
    const key = reader.varint()
    const field = Math.floor(key / 8)
    const wire = key % 8
    if (field === 2 && wire === BYTES) data = reader.bytes()
    else if (field === 4 && wire === VARINT) blockSizes.push(reader.varint())
    else if (field === 4 && wire === BYTES) readPacked(reader.bytes(), blockSizes)
    else if (field >= 1 && field <= 6 && wire === VARINT) numbers[field] = reader.varint()
    else reader.skip(wire)
  }
  const type = UNIXFS_TYPES[numbers[1] ?? -1]
  if (type === undefined) throw new Error('it has no known UnixFS type')
  return { type, data, fileSize: numbers[3], blockSizes, hashType: numbers[5], fanout: numbers[6] }
}

/** Encodes the fields given, in the order of their numbers, as kubo does; empty `data` is left out. */
export function encodeUnixfs(fields: Pick<UnixfsData, 'type'> & Partial<UnixfsData>): Uint8Array {
  const { type, data = NOTHING, fileSize, blockSizes = [], hashType, fanout } = fields
  const head = number(1, UNIXFS_TYPES.indexOf(type))
  if (data.length > 0) head.push((2 << 3) | BYTES, ...varint(data.length))
  const tail = [
    ...number(3, fileSize),
    ...blockSizes.flatMap((size) => number(4, size)),
    ...number(5, hashType),
    ...number(6, fanout),
  ]
  const bytes = new Uint8Array(head.length + data.length + tail.length)
  bytes.set(head)
  bytes.set(data, head.length)
  bytes.set(tail, head.length + data.length)
  return bytes
}

function number(field: number, value: number | undefined): number[] {
  return value === undefined ? [] : [(field << 3) | VARINT, ...varint(value)]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let left = value
  // not by shifts: they work on 32 bits
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80)
  return [...bytes, left]
}

function readPacked(bytes: Uint8Array, into: number[]): void {
  const reader = new Reader(bytes)
  while (!reader.done) into.push(reader.varint())
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length
  }

  varint(): number {
    let value = 0
    for (let place = 0; place < MAX_VARINT_BYTES; place++) {
      const byte = this.#byte()
      value += (byte & 0x7f) * 2 ** (7 * place)
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new Error('a number is too large')
        return value
      }
    }
    throw new Error('a number does not end')
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const length = this.varint()
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length) as Uint8Array<ArrayBuffer>
  }

  skip(wire: number): void {
    if (wire === VARINT) while (this.#byte() >= 0x80);
    else if (wire === FIXED64) this.#advance(8)
    else if (wire === BYTES) this.bytes()
    else if (wire === FIXED32) this.#advance(4)
    else throw new Error(`it has a field of unknown wire type ${wire}`)
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new Error('it is cut off')
    return byte
  }

  #advance(length: number): number {
    const start = this.#at
    if (length > this.#bytes.length - start) throw new Error('it is cut off')
    this.#at += length
    return start
  }
}
