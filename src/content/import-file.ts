/**
 * One file into a DAG. The shape is the balanced layout of `ipfs-unixfs-importer`; leaves and nodes are made here, because the library
 * writes the sizes of nodes of 2 to 4 GiB wrong (unixfs-data.ts). Leaves are hashed where they lie in the read buffer and forgotten
 * at once, so that memory does not grow with the file: 1024 siblings that wait for their parent are 1024 CIDs.
 */
import { encode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { InProgressImportResult } from 'ipfs-unixfs-importer'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { DAG_PB, RAW, SHA2_256 } from '../core/cid.ts'
import { PROFILES, type Profile } from './profile.ts'
import { encodeUnixfs } from './unixfs-data.ts'
import { sha256 } from './verify.ts'

/** Where blocks go. */
export interface ImportSink {
  /** Takes a DAG node: directories, their shards, inner file nodes, and whole dag-pb files of one chunk. */
  readonly putNode: (cid: CID, block: Uint8Array) => Promise<void>
  /** Takes every other leaf as well; without it leaves are only hashed, and stay in the user's file. */
  readonly putLeaf?: (cid: CID, block: Uint8Array) => Promise<void>
}

/** A DAG that was made: its root, and the bytes of all its blocks, which the link to it declares. */
export interface Imported {
  readonly cid: CID
  readonly tsize: number
}

const NOTHING = new Uint8Array(0)

/** A leaf that was made and, where somebody takes it, handed over. */
export interface Leaf extends Imported {
  /** Bytes of content. */
  readonly size: number
}

export interface FileImport {
  /** All of them, in order. */
  readonly leaves: AsyncIterable<Leaf>
  /** Bytes of content. */
  readonly size: number
  readonly profile: Profile
  readonly sink: ImportSink
}

/** A file of one chunk is its leaf. */
export async function importFile({ leaves, size, profile, sink }: FileImport): Promise<Imported> {
  const { chunkSize, maxLinks } = PROFILES[profile]
  if (size <= chunkSize) {
    for await (const { cid, tsize } of leaves) return { cid, tsize }
    throw new Error('a file without leaves')
  }
  const root = await balanced({ maxChildrenPerNode: maxLinks })(parts(leaves), (children) =>
    importParent(children, profile, sink),
  )
  return { cid: root.cid, tsize: Number(root.size) }
}

/** The leaves of these chunks, which are of exactly the profile's size, save for the last one. A chunk is not used after its leaf was taken. */
export async function* leavesOf(
  chunks: AsyncIterable<Uint8Array>,
  { size, profile, sink }: Omit<FileImport, 'leaves'>,
): AsyncGenerator<Leaf> {
  const { chunkSize, rawLeaves } = PROFILES[profile]
  // dag-pb that is all of a file is a DAG node that holds data; every other leaf is a piece
  const put = rawLeaves || size > chunkSize ? sink.putLeaf : sink.putNode
  for await (const chunk of size > 0 ? chunks : [NOTHING]) {
    const { leaf, block } = makeLeaf(chunk, profile)
    await put?.(leaf.cid, block)
    yield leaf
  }
}

/** Raw leaves of a file's chunks, of which only the digests are known. */
export async function* leavesOfDigests(
  digests: AsyncIterable<Uint8Array>,
  size: number,
  profile: Profile,
): AsyncGenerator<Leaf> {
  const { chunkSize } = PROFILES[profile]
  let at = 0
  for await (const digest of digests) {
    const bytes = Math.min(chunkSize, size - at)
    yield { cid: CID.createV1(RAW, Digest.create(SHA2_256, digest)), tsize: bytes, size: bytes }
    at += bytes
  }
}

async function* parts(leaves: AsyncIterable<Leaf>): AsyncGenerator<InProgressImportResult> {
  for await (const leaf of leaves) yield part(leaf, leaf.size)
}

async function importParent(
  parts: readonly InProgressImportResult[],
  profile: Profile,
  sink: ImportSink,
): Promise<InProgressImportResult> {
  const sizes = parts.map(contentSize)
  const size = sizes.reduce((sum, each) => sum + each, 0)
  const links = parts.map(({ cid, size: tsize }) => ({ Name: '', Hash: cid, Tsize: Number(tsize) }))
  const block = encode({
    Data: encodeUnixfs({ type: 'file', fileSize: size, blockSizes: sizes }),
    Links: links,
  })
  const cid = CID.create(PROFILES[profile].cidVersion, DAG_PB, Digest.create(SHA2_256, sha256(block)))
  await sink.putNode(cid, block)
  return part({ cid, tsize: links.reduce((sum, { Tsize }) => sum + Tsize, block.length) }, size)
}

/** A node or leaf as the library's layout passes it on: no bytes of it, only how many there are. */
function part({ cid, tsize }: Imported, size: number): InProgressImportResult {
  return { cid, size: BigInt(tsize), unixfs: new UnixFS({ type: 'file', blockSizes: [BigInt(size)] }) }
}

function contentSize({ unixfs }: InProgressImportResult): number {
  return Number(unixfs?.fileSize() ?? 0n)
}

function makeLeaf(chunk: Uint8Array, profile: Profile): { leaf: Leaf; block: Uint8Array } {
  const { cidVersion, rawLeaves } = PROFILES[profile]
  const block = rawLeaves
    ? chunk
    : encode({ Data: encodeUnixfs({ type: 'file', data: chunk, fileSize: chunk.length }), Links: [] })
  const multihash = Digest.create(SHA2_256, sha256(block))
  const cid = rawLeaves ? CID.createV1(RAW, multihash) : CID.create(cidVersion, DAG_PB, multihash)
  return { leaf: { cid, tsize: block.length, size: chunk.length }, block }
}
