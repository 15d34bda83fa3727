/**
 * What a link inside a file stands for, by the one rule that both ends of a download must share: a leaf when
 * its codec is raw, or dag-pb with a declared size at most 32 bytes above its payload (kubo's v0 leaves).
 */
import type { CID } from 'multiformats/cid'
import { RAW } from '../core/cid.ts'
import { badContent } from './bad-content.ts'
import type { Budgets } from './budgets.ts'
import { type FileNode, identityBytes } from './dag-node.ts'
import { sha256 } from './verify.ts'

/** Most that dag-pb and UnixFS wrap around a leaf's payload, in bytes. */
const MAX_WRAPPING = 32

/** `size` is content bytes. */
export type Child =
  /** A leaf to be asked for; `blockSize` is its bytes on the wire. */
  | { readonly kind: 'piece'; readonly cid: CID; readonly size: number; readonly blockSize: number }
  /** A leaf that lies in its identity CID. */
  | { readonly kind: 'inline'; readonly cid: CID; readonly size: number; readonly data: Uint8Array }
  /** A leaf without content: never asked for. */
  | { readonly kind: 'empty'; readonly cid: CID; readonly size: 0 }
  /** A DAG node, to be fetched while walking. */
  | { readonly kind: 'node'; readonly cid: CID; readonly size: number }

const EMPTY_DIGEST = sha256(new Uint8Array(0))

/** True for the name of the raw block without bytes, which nobody needs to be asked for. */
export function isEmptyRaw(cid: CID): boolean {
  return cid.code === RAW && Buffer.compare(cid.multihash.digest, EMPTY_DIGEST) === 0
}

/** A raw block of known length. @throws ShareError BAD_CONTENT */
export function rawChild(cid: CID, size: number, budgets: Budgets): Child {
  const data = identityBytes(cid)
  if (data !== undefined) {
    if (data.length !== size)
      throw badContent(`the leaf ${cid} has ${data.length} bytes, not the ${size} declared`)
    return size === 0 ? { kind: 'empty', cid, size } : { kind: 'inline', cid, size, data }
  }
  if (size > budgets.nodeBytes) throw badContent(`the leaf ${cid} has ${size} bytes, more than any block`)
  if (size > 0) return { kind: 'piece', cid, size, blockSize: size }
  if (!isEmptyRaw(cid)) throw badContent(`the leaf ${cid} is not empty as declared`)
  return { kind: 'empty', cid, size: 0 }
}

/** The links of a file node, in order. @throws ShareError BAD_CONTENT */
export function childrenOf(node: FileNode, budgets: Budgets): Child[] {
  return node.links.map(({ cid, tsize }, at): Child => {
    const size = node.sizes[at] ?? 0
    if (cid.code === RAW) {
      if (tsize !== undefined && tsize !== size)
        throw badContent(`the leaf ${cid} has two sizes, ${tsize} and ${size}`)
      return rawChild(cid, size, budgets)
    }
    const wrapping = tsize === undefined ? -1 : tsize - size
    if (identityBytes(cid) !== undefined || tsize === undefined || wrapping < 0 || wrapping > MAX_WRAPPING)
      return { kind: 'node', cid, size }
    if (size === 0) return { kind: 'empty', cid, size }
    if (tsize > budgets.nodeBytes) throw badContent(`the leaf ${cid} has ${tsize} bytes, more than any block`)
    return { kind: 'piece', cid, size, blockSize: tsize }
  })
}
