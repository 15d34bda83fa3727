/**
 * A dag-pb block as what UnixFS says it is: part of a file, a directory, a shard of one, or a symlink.
 * Everything that can be checked on one node alone is checked here.
 */
import { decode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { DAG_PB, IDENTITY, unsupported } from '../core/cid.ts'
import { badContent } from './bad-content.ts'
import type { Budgets } from './budgets.ts'
import { SHARD_HASH } from './hamt.ts'
import { decodeUnixfs, type UnixfsData } from './unixfs-data.ts'

export interface Link {
  readonly name: string
  readonly cid: CID
  /** Declared bytes of everything under the link; many tools leave it out, and it may lie. */
  readonly tsize: number | undefined
}

/** Part of a file: `data` comes first, then what the links hold. */
export interface FileNode {
  readonly kind: 'file'
  /** Bytes of content: `data` and all `sizes`. */
  readonly size: number
  /** A view into the block. */
  readonly data: Uint8Array
  readonly links: readonly Link[]
  /** Bytes of content under each link. */
  readonly sizes: readonly number[]
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly links: readonly Link[]
}

/** A shard of a HAMT directory. Link names start with the slot in hex; nothing after it marks a shard below. */
export interface ShardNode {
  readonly kind: 'shard'
  /** Slots: a power of two. */
  readonly fanout: number
  /** Hex digits of the slot in front of each name. */
  readonly prefix: number
  readonly links: readonly Link[]
}

interface SymlinkNode {
  readonly kind: 'symlink'
  readonly target: string
}

export type DagNode = FileNode | DirectoryNode | ShardNode | SymlinkNode

/** As kubo: wider shards cost more to reject than they are worth. */
const MAX_FANOUT = 1024
const MIN_FANOUT = 8

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The bytes that an identity CID carries in its name, or undefined for every other CID. */
export function identityBytes(cid: CID): Uint8Array | undefined {
  return cid.multihash.code === IDENTITY ? cid.multihash.digest : undefined
}

/** `ours`: every link can be fetched and is part of UnixFS. `any`: who follows one has to look. */
export type Links = 'ours' | 'any'

/**
 * Decodes a verified dag-pb block.
 * @throws ShareError BAD_CONTENT when it is malformed, contradicts itself, or has other links than it may
 */
export function decodeNode(cid: CID, block: Uint8Array, budgets: Budgets, allowed: Links = 'ours'): DagNode {
  try {
    if (cid.code !== DAG_PB) throw new Error('it is not a dag-pb node')
    if (block.length > budgets.nodeBytes) throw new Error(`it has ${block.length} bytes`)
    const { Data, Links } = decode(block)
    if (Data === undefined) throw new Error('it is not UnixFS')
    const links = Links.map(
      ({ Hash, Name, Tsize }): Link => ({
        name: Name ?? '',
        cid: allowed === 'any' ? Hash : checkLink(Hash),
        tsize: checkTsize(Tsize),
      }),
    )
    return classify(decodeUnixfs(Data), links, budgets)
  } catch (cause) {
    throw badContent(
      `the block ${cid} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    )
  }
}

function classify(unixfs: UnixfsData, links: readonly Link[], budgets: Budgets): DagNode {
  switch (unixfs.type) {
    case 'raw':
    case 'file':
      return fileNode(unixfs, links, budgets)
    case 'directory':
      return { kind: 'directory', links }
    case 'hamt-sharded-directory':
      return shardNode(unixfs, links)
    case 'symlink':
      if (unixfs.data.length > budgets.pathBytes) throw new Error('it is a symlink with an overlong target')
      return { kind: 'symlink', target: utf8.decode(unixfs.data) }
    case 'metadata':
      throw new Error('UnixFS metadata nodes are not supported')
  }
}

function fileNode(unixfs: UnixfsData, links: readonly Link[], budgets: Budgets): FileNode {
  const { data, fileSize } = unixfs
  if (links.length > budgets.fileLinks) throw new Error(`it has ${links.length} links`)
  // some tools wrote block sizes into nodes without links; there they say nothing
  const sizes = links.length === 0 ? [] : unixfs.blockSizes
  if (sizes.length !== links.length)
    throw new Error(`it has ${links.length} links and ${sizes.length} block sizes`)
  const size = sizes.reduce((sum, each) => sum + each, data.length)
  if (size > budgets.size) throw new Error(`it declares ${size} bytes`)
  if (fileSize !== undefined && fileSize !== size)
    throw new Error(`it declares ${fileSize} bytes and holds ${size}`)
  return { kind: 'file', size, data, links, sizes }
}

function shardNode(unixfs: UnixfsData, links: readonly Link[]): ShardNode {
  const { fanout = 0, hashType } = unixfs
  if (hashType !== SHARD_HASH) throw new Error('its directory shards use an unknown hash')
  if (fanout < MIN_FANOUT || fanout > MAX_FANOUT || !Number.isInteger(Math.log2(fanout)))
    throw new Error(`its fanout is ${fanout}`)
  const prefix = (fanout - 1).toString(16).length
  for (const { name } of links) {
    const slot = name.slice(0, prefix)
    if (slot.length < prefix || !/^[0-9A-F]+$/.test(slot) || Number.parseInt(slot, 16) >= fanout) {
      throw new Error('a name in its directory shard lacks its slot')
    }
  }
  return { kind: 'shard', fanout, prefix, links }
}

function checkLink(cid: CID): CID {
  const reason = unsupported(cid)
  if (reason !== undefined) throw new Error(`it links to ${reason}`)
  return cid
}

function checkTsize(tsize: number | undefined): number | undefined {
  if (tsize !== undefined && !Number.isSafeInteger(tsize)) throw new Error('the size of a link is too large')
  return tsize
}
