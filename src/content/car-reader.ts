/**
 * Reads a CAR file, version 1 or 2, from a stream: its roots, then block by block, each checked against its CID. No
 * length that the file claims is taken before it is bounded. Source: https://ipld.io/specs/transport/car/
 */
import { decode } from '@ipld/dag-cbor'
import { varint } from 'multiformats'
import { CID } from 'multiformats/cid'
import { IDENTITY, SHA2_256 } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import { verifyBlock } from './verify.ts'

export interface CarBlock {
  readonly cid: CID
  readonly block: Uint8Array
}

export interface Car {
  readonly roots: readonly CID[]
  /**
   * Verified, in the order of the file. @throws ShareError BAD_CONTENT when it is cut off or malformed,
   * VERIFICATION_FAILED when a block is not what its CID says, UNSUPPORTED when that cannot be known
   */
  readonly blocks: AsyncIterable<CarBlock>
}

/** Longest header, in bytes: some 25,000 roots. */
const MAX_HEADER = 2 ** 20

/** Longest section, in bytes: the largest block that Bitswap carries, with a CID in front of it. */
const MAX_SECTION = DEFAULT_BUDGETS.nodeBytes + 256

/** A varint of eight bytes holds more than a double does exactly. */
const MAX_VARINT = 8

/** What follows the first header of version 2: characteristics, data offset, data size, index offset. */
const V2_HEADER = 40

/** @throws ShareError BAD_CONTENT */
export async function readCar(source: AsyncIterable<Uint8Array>): Promise<Car> {
  const bytes = new Bytes(source)
  const header = await readHeader(bytes)
  if (header.version === 1) return { roots: header.roots, blocks: readBlocks(bytes) }
  const fixed = Buffer.from(await bytes.take(V2_HEADER))
  const offset = Number(fixed.readBigUInt64LE(16))
  const size = Number(fixed.readBigUInt64LE(24))
  if (offset < bytes.at) throw badCar('its data begins inside its header')
  await bytes.skip(offset - bytes.at)
  bytes.end = offset + size
  const inner = await readHeader(bytes)
  if (inner.version !== 1) throw badCar('it holds another one that is not of version 1')
  return { roots: inner.roots, blocks: readBlocks(bytes) }
}

async function readHeader(bytes: Bytes): Promise<{ version: 1 | 2; roots: CID[] }> {
  const length = await bytes.varint()
  if (length === 0 || length > MAX_HEADER) throw badCar(`its header claims ${length} bytes`)
  const { version, roots = [] } = header(await bytes.take(length))
  if (version !== 1 && version !== 2) throw badCar('it has no known version')
  if (!Array.isArray(roots)) throw badCar('its roots are no list')
  return { version, roots: roots.map((root) => CID.asCID(root) ?? notCid()) }
}

function header(bytes: Uint8Array): { version?: unknown; roots?: unknown } {
  try {
    const value: unknown = decode(bytes)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (cause) {
    throw badCar('its header is not DAG-CBOR', cause)
  }
  throw badCar('its header is no map')
}

function notCid(): never {
  throw badCar('one of its roots is no CID')
}

async function* readBlocks(bytes: Bytes): AsyncGenerator<CarBlock> {
  while (!(await bytes.done())) {
    const { at } = bytes
    const length = await bytes.varint()
    if (length === 0 || length > MAX_SECTION) throw badCar(`the section at byte ${at} claims ${length} bytes`)
    const { cid, block } = split(await bytes.take(length), at)
    const { code } = cid.multihash
    if (code !== SHA2_256 && code !== IDENTITY) {
      const hint = 'only sha2-256 is supported; make the content again with it'
      throw new ShareError('UNSUPPORTED', `${cid} has the hash function 0x${code.toString(16)}`, hint)
    }
    if (!verifyBlock(cid, block)) {
      const message = `the CAR file is wrong: at byte ${at} it has other bytes than ${cid} names`
      throw new ShareError('VERIFICATION_FAILED', message, HINT)
    }
    yield { cid, block }
  }
}

function split(section: Uint8Array, at: number): CarBlock {
  try {
    const [cid, block] = CID.decodeFirst(section)
    return { cid, block }
  } catch (cause) {
    throw badCar(`the section at byte ${at} does not begin with a CID`, cause)
  }
}

const HINT = 'get the file again from whoever made it; nothing false was stored'

function badCar(message: string, cause?: unknown): ShareError {
  const options = cause === undefined ? undefined : { cause }
  return new ShareError('BAD_CONTENT', `the CAR file cannot be used: ${message}`, HINT, options)
}

/** A stream of bytes as something to take exact amounts from. */
class Bytes {
  readonly #source: AsyncIterator<Uint8Array>
  #rest: Uint8Array = new Uint8Array(0)
  /** Bytes taken so far. */
  at = 0
  /** Nothing is taken from here on. */
  end = Number.POSITIVE_INFINITY

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Nothing is left. Short of an `end` that was set, the stream is cut off, which the next read says. */
  async done(): Promise<boolean> {
    if (this.at >= this.end) return true
    await this.#fill(1)
    return this.#rest.length === 0 && this.end === Number.POSITIVE_INFINITY
  }

  async varint(): Promise<number> {
    await this.#fill(MAX_VARINT)
    const head = this.#rest.subarray(0, Math.min(MAX_VARINT, this.end - this.at))
    const length = head.findIndex((byte) => byte < 0x80) + 1
    if (length === 0 && head.length < MAX_VARINT) throw badCar(CUT_OFF)
    const value = numberOf(head.subarray(0, length))
    if (value === undefined) throw badCar(`there is no length at byte ${this.at}`)
    await this.skip(length)
    return value
  }

  /** A view of one chunk where it lies in one, else a copy. */
  async take(length: number): Promise<Uint8Array> {
    if (this.at + length > this.end) throw badCar(CUT_OFF)
    await this.#fill(length)
    if (this.#rest.length < length) throw badCar(CUT_OFF)
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    this.at += length
    return taken
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      await this.#fill(1)
      if (this.#rest.length === 0) throw badCar(CUT_OFF)
      left -= (await this.take(Math.min(left, this.#rest.length))).length
    }
  }

  /** Reads on until there are so many bytes, or no more. */
  async #fill(length: number): Promise<void> {
    const chunks = [this.#rest]
    let have = this.#rest.length
    while (have < length) {
      const { done, value } = await this.#source.next()
      if (done === true) break
      chunks.push(value)
      have += value.length
    }
    if (chunks.length > 1) this.#rest = Buffer.concat(chunks, have)
  }
}

const CUT_OFF = 'it is cut off'

/** Undefined for what is no varint, or not the shortest one. */
function numberOf(bytes: Uint8Array): number | undefined {
  try {
    return varint.decode(bytes)[0]
  } catch {
    return undefined
  }
}
