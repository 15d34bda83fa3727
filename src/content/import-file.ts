/**
 * One file into a DAG, by `ipfs-unixfs-importer` with leaves of our own making: hashed where they lie in the
 * read buffer and forgotten at once, so that memory does not grow with the file, and 1024 siblings that wait for
 * their parent are 1024 CIDs.
 */
import { encode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { type BufferImporterResult, importFile, type WritableStorage } from 'ipfs-unixfs-importer'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { DAG_PB, RAW, SHA2_256 } from '../core/cid.ts'
import { PROFILES, type Profile } from './profile.ts'
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

/** A file of one chunk is its leaf. Done without the importer library, whose machinery costs more than the file. */
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
  const leaves = async function* (file: {
    readonly content: AsyncIterable<Uint8Array>
  }): AsyncGenerator<() => Promise<BufferImporterResult>> {
    for await (const chunk of file.content) {
      // hashed before the next chunk is asked for, since the reader will fill this buffer again
      const { leaf, block } = makeLeaf(chunk, profile)
      await sink.putLeaf?.(leaf.cid, block)
      yield async () => leaf
    }
  }
  const made = await importFile({ content: chunks }, nodeStorage(sink), {
    profile,
    chunker: (source) => source,
    bufferImporter: leaves,
    fileImportConcurrency: 1,
    blockWriteConcurrency: 1,
  })
  return { cid: made.cid, tsize: Number(made.size) }
}

function makeLeaf(chunk: Uint8Array, profile: Profile): { leaf: BufferImporterResult; block: Uint8Array } {
  const { cidVersion, rawLeaves } = PROFILES[profile]
  const block = rawLeaves
    ? chunk
    : encode({ Data: new UnixFS({ type: 'file', data: chunk }).marshal(), Links: [] })
  const multihash = Digest.create(SHA2_256, sha256(block))
  const cid = rawLeaves ? CID.createV1(RAW, multihash) : CID.create(cidVersion, DAG_PB, multihash)
  const leaf: BufferImporterResult = { cid, size: BigInt(block.length), block: NOTHING }
  // the parent needs the payload's length only; given as a block size it holds no bytes
  if (!rawLeaves) leaf.unixfs = new UnixFS({ type: 'file', blockSizes: [BigInt(chunk.length)] })
  return { leaf, block }
}

/** The sink as the importer library wants it. */
export function nodeStorage({ putNode }: ImportSink): WritableStorage {
  return {
    put: async (cid, block) => {
      if (!(block instanceof Uint8Array)) throw new TypeError('the importer stores whole blocks')
      await putNode(cid, block)
      return cid
    },
  }
}
