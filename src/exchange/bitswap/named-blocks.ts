/** The CIDs of blocks that came without: only what a block hashes to tells which want it answers. */
import { hash } from 'node:crypto'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { DAG_PB, SHA2_256 } from '../../core/cid.ts'
import { decodePrefix, MalformedMessage, type PrefixedBlock } from './message.ts'

/** What every implementation agrees on. */
const MAX_BLOCK_BYTES = 2 << 20

/** A block's bytes, and their SHA-256 digest. */
interface Hashed {
  readonly piece: Uint8Array<ArrayBuffer>
  readonly digest: Uint8Array
}

/** SHA-256, perhaps by another thread: the buffer that is given is gone, and comes back with the digest. */
export type HashBlock = (block: Uint8Array<ArrayBuffer>) => Promise<Hashed>

export interface NamedBlock {
  readonly cid: CID
  readonly data: Uint8Array
}

/** Bytes that are hashed in less time than it takes to hand them to another thread and back. */
const SMALL = 64 << 10

/**
 * The blocks of one frame under their CIDs. A large one that is alone there, as kubo sends them, is left to `hashBlock`;
 * those that share a frame share its buffer, so they are hashed here.
 * @throws MalformedMessage
 */
export function nameBlocks(
  blocks: readonly PrefixedBlock<ArrayBuffer>[],
  hashBlock: HashBlock,
): Promise<NamedBlock[]> {
  const [first] = blocks
  const away = blocks.length === 1 && first !== undefined && first.data.byteLength > SMALL
  return Promise.all(blocks.map((block) => nameBlock(block, away ? hashBlock : hashHere)))
}

async function nameBlock(
  { prefix, data }: PrefixedBlock<ArrayBuffer>,
  hashBlock: HashBlock,
): Promise<NamedBlock> {
  const { version, codec, hash: code, length } = decodePrefix(prefix)
  if (code !== SHA2_256 || length !== 32)
    throw new MalformedMessage('a block named by a hash that nobody asked for')
  if (data.byteLength > MAX_BLOCK_BYTES) throw new MalformedMessage(`a block of ${data.byteLength} bytes`)
  const { piece, digest } = await hashBlock(data)
  const multihash = Digest.create(SHA2_256, Uint8Array.from(digest))
  return { cid: CID.createV1(version === 0 ? DAG_PB : codec, multihash), data: piece }
}

async function hashHere(block: Uint8Array<ArrayBuffer>): Promise<Hashed> {
  return { piece: block, digest: hash('sha256', block, 'buffer') }
}
