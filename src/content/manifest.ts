/**
 * The manifest: what a root CID resolves to. Its entries are the tree in walk order; its pieces are the
 * distinct leaf blocks in the order of their first place. Both ends derive the same piece indexes from
 * the root alone, so bitfields compare.
 */
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { DAG_PB, RAW, SHA2_256 } from '../core/cid.ts'

interface Directory {
  readonly kind: 'directory'
  /** Relative to the root, joined by `/`; empty for the root itself. */
  readonly path: string
}

interface Symlink {
  readonly kind: 'symlink'
  readonly path: string
  readonly target: string
}

export interface File {
  readonly kind: 'file'
  readonly path: string
  readonly cid: CID
  /** Bytes of content. */
  readonly size: number
}

export type Entry = Directory | Symlink | File

/** What a tree on the disk consists of; a file's CID may not be known. */
export type TreeEntry = Directory | Symlink | Omit<File, 'cid'>

/** Where a piece's payload goes: an index into the manifest's entries, and a byte offset in that file. */
export interface Place {
  readonly entry: number
  readonly offset: number
}

const DIGEST_BYTES = 32
const FIRST_CAPACITY = 64

/**
 * The pieces of a manifest, packed: 53 bytes a piece, and more only for pieces with several places.
 * Appended to while the DAG is walked; an index never changes its meaning.
 */
export class PieceTable {
  #length = 0
  #digests = new Uint8Array(FIRST_CAPACITY * DIGEST_BYTES)
  #blockSizes = new Uint32Array(FIRST_CAPACITY)
  #sizes = new Uint32Array(FIRST_CAPACITY)
  #wrapped = new Uint8Array(FIRST_CAPACITY)
  #entries = new Uint32Array(FIRST_CAPACITY)
  #offsets = new Float64Array(FIRST_CAPACITY)
  readonly #more = new Map<number, Place[]>()

  get length(): number {
    return this.#length
  }

  /** Appends a piece and returns its index. The caller makes sure that the block is not in the table yet. */
  push(piece: { digest: Uint8Array; codec: number; size: number; blockSize: number; place: Place }): number {
    const index = this.#length
    if (index === this.#sizes.length) this.#grow()
    this.#digests.set(piece.digest, index * DIGEST_BYTES)
    this.#blockSizes[index] = piece.blockSize
    this.#sizes[index] = piece.size
    this.#wrapped[index] = piece.codec === DAG_PB ? 1 : 0
    this.#entries[index] = piece.place.entry
    this.#offsets[index] = piece.place.offset
    this.#length++
    return index
  }

  addPlace(index: number, place: Place): void {
    const places = this.#more.get(index)
    if (places === undefined) this.#more.set(index, [place])
    else places.push(place)
  }

  /** The SHA-256 of the block; a view, not a copy. */
  digest(index: number): Uint8Array {
    return this.#digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES)
  }

  /** `RAW`, or `DAG_PB` for a leaf that wraps its payload. */
  codec(index: number): number {
    return this.#wrapped[index] === 1 ? DAG_PB : RAW
  }

  cid(index: number): CID {
    return CID.createV1(this.codec(index), Digest.create(SHA2_256, this.digest(index).slice()))
  }

  /** Bytes of file content in the piece. */
  size(index: number): number {
    return this.#sizes[index] ?? 0
  }

  /** Bytes of the block on the wire: the payload, and for dag-pb leaves what wraps it. */
  blockSize(index: number): number {
    return this.#blockSizes[index] ?? 0
  }

  places(index: number): readonly Place[] {
    const first = { entry: this.#entries[index] ?? 0, offset: this.#offsets[index] ?? 0 }
    const more = this.#more.get(index)
    return more === undefined ? [first] : [first, ...more]
  }

  /** Block sizes as one array, a view of the part in use: what the scheduler knows of the pieces. */
  get blockSizes(): Uint32Array {
    return this.#blockSizes.subarray(0, this.#length)
  }

  #grow(): void {
    const wider = this.#length * 2
    this.#digests = widened(this.#digests, new Uint8Array(wider * DIGEST_BYTES))
    this.#blockSizes = widened(this.#blockSizes, new Uint32Array(wider))
    this.#sizes = widened(this.#sizes, new Uint32Array(wider))
    this.#wrapped = widened(this.#wrapped, new Uint8Array(wider))
    this.#entries = widened(this.#entries, new Uint32Array(wider))
    this.#offsets = widened(this.#offsets, new Float64Array(wider))
  }
}

function widened<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}

/** File bytes that lie in a DAG node and not in a piece: small v0 files, and hand-made DAGs. */
export interface Inline {
  readonly cid: CID
  readonly place: Place
  readonly data: Uint8Array
}

export interface Manifest {
  readonly root: CID
  /** Complete, and every name checked, before the first piece is appended. */
  readonly entries: Entry[]
  readonly pieces: PieceTable
  /** Bytes of content over all files. */
  size: number
}
