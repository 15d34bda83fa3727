/** Is this the block that the CID names, and which of its bytes are file content? */
import { hash } from 'node:crypto'
import { decode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { DAG_PB, IDENTITY, RAW, SHA2_256 } from '../core/cid.ts'
import { decodeUnixfs } from './unixfs-data.ts'

/** Bytes that take a millisecond; handing them to another thread and back takes a tenth of that. */
export const WORTH_A_THREAD = 256 << 10

/** The SHA-256 digest, 32 bytes. Synchronous: for blocks of up to 2 MiB nothing in Node is faster. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer')
}

/** True when `bytes` are what `cid` names. Unsupported hashes are never true. */
export function verifyBlock(cid: CID, bytes: Uint8Array): boolean {
  const { code, digest } = cid.multihash
  if (code === IDENTITY) return equal(digest, bytes)
  return code === SHA2_256 && equal(digest, sha256(bytes))
}

/**
 * The file bytes inside a verified leaf block, as a view of it. Undefined when the block is not the leaf that the
 * manifest promised (another length, links, not a file): its hash is right, so the root is at fault, not the sender.
 */
export function unwrapLeaf(codec: number, block: Uint8Array, payloadSize: number): Uint8Array | undefined {
  if (codec === RAW) return block.length === payloadSize ? block : undefined
  if (codec !== DAG_PB) return undefined
  try {
    const { Data, Links } = decode(block)
    if (Data === undefined || Links.length > 0) return undefined
    const { type, data, fileSize } = decodeUnixfs(Data)
    if (type !== 'file' && type !== 'raw') return undefined
    if (data.length !== payloadSize || (fileSize ?? payloadSize) !== payloadSize) return undefined
    return data
  } catch {
    return undefined
  }
}

/** How many bytes of a leaf block lie before and after its payload, which must be a view of it. */
export function leafWrapping(block: Uint8Array, payload: Uint8Array): { prefix: number; suffix: number } {
  const prefix = payload.byteOffset - block.byteOffset
  const suffix = block.length - prefix - payload.length
  if (payload.buffer !== block.buffer || prefix < 0 || suffix < 0)
    throw new RangeError('the payload is not a view of the block')
  return { prefix, suffix }
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0
}
