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

export interface ChunkImport {
  /** The file's content in chunks of exactly the profile's size, the last one apart. A chunk is read before the next is asked for. */
  readonly chunks: AsyncIterable<Uint8Array>
  /** Bytes of content. */
  readonly size: number
  readonly profile: Profile
  readonly sink: ImportSink
}

const NOTHING = new Uint8Array(0)

export async function importChunks(file: ChunkImport): Promise<Imported> {
  return file.size > PROFILES[file.profile].chunkSize ? importLeaves(file) : importOneChunk(file)
}

/** A file of one chunk is its leaf. */
async function importOneChunk({ chunks, profile, sink }: ChunkImport): Promise<Imported> {
  let only: Imported | undefined
  for await (const chunk of chunks) only = await putWhole(chunk, profile, sink)
  return only ?? putWhole(NOTHING, profile, sink)
}

async function putWhole(content: Uint8Array, profile: Profile, sink: ImportSink): Promise<Imported> {
  const { leaf, block } = makeLeaf(content, profile)
  // raw it is a piece; dag-pb it is a DAG node that holds data
  if (PROFILES[profile].rawLeaves) await sink.putLeaf?.(leaf.cid, block)
  else await sink.putNode(leaf.cid, block)
  return { cid: leaf.cid, tsize: block.length }
}

async function importLeaves({ chunks, profile, sink }: ChunkImport): Promise<Imported> {
  const { maxLinks } = PROFILES[profile]
  const leaves = async function* (): AsyncGenerator<InProgressImportResult> {
    for await (const chunk of chunks) {
      const { leaf, block } = makeLeaf(chunk, profile)
      await sink.putLeaf?.(leaf.cid, block)
      yield part(leaf, chunk.length)
    }
  }
  const root = await balanced({ maxChildrenPerNode: maxLinks })(leaves(), (parts) =>
    importParent(parts, profile, sink),
  )
  return { cid: root.cid, tsize: Number(root.size) }
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

function makeLeaf(chunk: Uint8Array, profile: Profile): { leaf: Imported; block: Uint8Array } {
  const { cidVersion, rawLeaves } = PROFILES[profile]
  const block = rawLeaves
    ? chunk
    : encode({ Data: encodeUnixfs({ type: 'file', data: chunk, fileSize: chunk.length }), Links: [] })
  const multihash = Digest.create(SHA2_256, sha256(block))
  const cid = rawLeaves ? CID.createV1(RAW, multihash) : CID.create(cidVersion, DAG_PB, multihash)
  return { leaf: { cid, tsize: block.length }, block }
}
