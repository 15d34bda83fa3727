/** DAGs made by hand for tests, and what a walk makes of them. Nothing here checks anything: hostile DAGs are made the same way. */
import { encode } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import type { Manifest } from '../../src/content/manifest.ts'
import { sha256, unwrapLeaf, verifyBlock } from '../../src/content/verify.ts'
import { type WalkEvent, type WalkOptions, walkManifest } from '../../src/content/walk.ts'
import { DAG_PB, IDENTITY, RAW, SHA2_256 } from '../../src/core/cid.ts'

export interface TestLink {
  readonly cid: CID
  readonly name?: string
  readonly tsize?: number | undefined
}

export interface UnixfsFields {
  readonly type: number
  readonly data?: Uint8Array
  readonly fileSize?: number
  readonly blockSizes?: readonly number[]
  readonly hashType?: number
  readonly fanout?: number
}

export const TYPE = { raw: 0, directory: 1, file: 2, metadata: 3, symlink: 4, shard: 5 } as const

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))]
}

/** The protobuf message, with exactly the fields given. */
export function unixfsBytes({
  type,
  data,
  fileSize,
  blockSizes = [],
  hashType,
  fanout,
}: UnixfsFields): Uint8Array {
  const number = (field: number, value: number | undefined): number[] =>
    value === undefined ? [] : [field << 3, ...varint(value)]
  return Buffer.concat([
    Buffer.from(number(1, type)),
    data === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x12, ...varint(data.length)]), data]),
    Buffer.from([
      ...number(3, fileSize),
      ...blockSizes.flatMap((size) => number(4, size)),
      ...number(5, hashType),
      ...number(6, fanout),
    ]),
  ])
}

/** A block store in memory that makes nodes. */
export class Blocks {
  readonly #blocks = new Map<string, Uint8Array>()
  /** What `fetch` was asked for, in order. */
  readonly asked: CID[] = []

  get cids(): CID[] {
    return [...this.#blocks.keys()].map((text) => CID.parse(text))
  }

  readonly put = async (cid: CID, block: Uint8Array): Promise<void> => {
    this.#blocks.set(cid.toV1().toString(), block.slice())
  }

  readonly fetch = async (cid: CID): Promise<Uint8Array> => {
    this.asked.push(cid)
    return this.block(cid)
  }

  block(cid: CID): Uint8Array {
    const block = this.#blocks.get(cid.toV1().toString())
    if (block === undefined) throw new Error(`asked for ${cid}, which is not there`)
    return block
  }

  #add(codec: number, block: Uint8Array): CID {
    const cid = CID.createV1(codec, Digest.create(SHA2_256, sha256(block)))
    this.#blocks.set(cid.toString(), block)
    return cid
  }

  raw(content: Uint8Array | string): CID {
    return this.#add(RAW, Buffer.from(content))
  }

  /** A dag-pb node of any UnixFS fields. Links stay in the order given for nameless ones, as files have them. */
  node(fields: UnixfsFields, links: readonly TestLink[] = []): CID {
    return this.#add(DAG_PB, nodeBytes(fields, links))
  }

  /** An inner file node, or one with data of its own; sizes as they should be unless told. */
  file(parts: {
    data?: Uint8Array | string
    links?: readonly (TestLink & { size: number })[]
    fileSize?: number
    blockSizes?: readonly number[]
  }): CID {
    const data = parts.data === undefined ? undefined : Buffer.from(parts.data)
    const blockSizes = parts.blockSizes ?? parts.links?.map(({ size }) => size) ?? []
    const fileSize = parts.fileSize ?? blockSizes.reduce((sum, size) => sum + size, data?.length ?? 0)
    return this.node({ type: TYPE.file, ...(data && { data }), fileSize, blockSizes }, parts.links)
  }

  directory(links: Readonly<Record<string, CID | TestLink>>): CID {
    const named = Object.entries(links).map(
      ([name, link]): TestLink => ({
        name,
        ...(link instanceof CID ? { cid: link, tsize: this.size(link) } : link),
      }),
    )
    return this.node({ type: TYPE.directory }, named)
  }

  symlink(target: string): CID {
    return this.node({ type: TYPE.symlink, data: Buffer.from(target) })
  }

  /** Bytes of a block, which is its right Tsize when it is a leaf. */
  size(cid: CID): number {
    return cid.multihash.code === IDENTITY ? cid.multihash.digest.length : this.block(cid).length
  }
}

export function nodeBytes(fields: UnixfsFields, links: readonly TestLink[] = []): Uint8Array {
  const sorted = links
    .map(({ cid, name = '', tsize }) => ({
      Hash: cid,
      Name: name,
      ...(tsize !== undefined && { Tsize: tsize }),
    }))
    .sort((left, right) => Buffer.compare(Buffer.from(left.Name), Buffer.from(right.Name)))
  return encode({ Data: unixfsBytes(fields), Links: sorted })
}

export function identity(codec: number, bytes: Uint8Array | string): CID {
  return CID.createV1(codec, Digest.create(IDENTITY, Buffer.from(bytes)))
}

/** Walks to the end. */
export async function walked(
  root: CID,
  options: WalkOptions,
): Promise<{ manifest: Manifest; events: WalkEvent[] }> {
  const { manifest, events } = walkManifest(root, options)
  return { manifest, events: await Array.fromAsync(events) }
}

/** The tree that a manifest and its inlines describe, with pieces from `blocks`: files by path, directories and symlinks as text. */
export function rebuilt(
  { manifest, events }: { manifest: Manifest; events: readonly WalkEvent[] },
  blocks: Blocks,
): Record<string, string> {
  const files = manifest.entries.map((entry) => Buffer.alloc(entry.kind === 'file' ? entry.size : 0, '?'))
  for (let piece = 0; piece < manifest.pieces.length; piece++) {
    const cid = manifest.pieces.cid(piece)
    const block = blocks.block(cid)
    const payload = unwrapLeaf(manifest.pieces.codec(piece), block, manifest.pieces.size(piece))
    if (
      payload === undefined ||
      block.length !== manifest.pieces.blockSize(piece) ||
      !verifyBlock(cid, block)
    ) {
      throw new Error(`piece ${piece} is not what the manifest says`)
    }
    for (const { entry, offset } of manifest.pieces.places(piece)) files[entry]?.set(payload, offset)
  }
  for (const event of events) {
    if (event.type === 'inline')
      files[event.inline.place.entry]?.set(event.inline.data, event.inline.place.offset)
  }
  return Object.fromEntries(
    manifest.entries.map((entry, at) => {
      if (entry.kind === 'directory') return [entry.path, 'directory']
      if (entry.kind === 'symlink') return [entry.path, `-> ${entry.target}`]
      return [entry.path, `file ${files[at]?.toString('latin1')}`]
    }),
  )
}
