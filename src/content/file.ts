/** Reads one file in order, or a range of it, with blocks fetched ahead. */
import type { CID } from 'multiformats/cid'
import { RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { orAborted, throwIfAborted } from './abort.ts'
import { badContent } from './bad-content.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import { decodeNode, type FileNode } from './dag-node.ts'
import { type FetchBlock, fetchBlock } from './dag-source.ts'
import { LookAhead } from './look-ahead.ts'

export interface ReadOptions {
  /** Gives a whole block, verified; leaves as well as DAG nodes. Never asked for identity CIDs. */
  readonly getBlock: FetchBlock
  /** Byte offsets, both inclusive; what lies past the end is not there. */
  readonly range?: { readonly first: number; readonly last?: number }
  /** Blocks fetched ahead. */
  readonly readAhead?: number
  readonly signal?: AbortSignal
}

const READ_AHEAD = 8

/** A part of the file: the bytes from `offset` that the block `cid` stands for. */
export interface Part {
  readonly cid: CID
  readonly offset: number
  readonly size: number
}

/**
 * The file's bytes, in views of the blocks. Parts outside of the range are not fetched.
 * @throws ShareError BAD_PATH for what is not a file, BAD_CONTENT, INTERRUPTED, or what `getBlock` throws
 */
export async function* readFile(cid: CID, options: ReadOptions): AsyncGenerator<Uint8Array> {
  const { getBlock, range, readAhead = READ_AHEAD, signal } = options
  const window = { first: range?.first ?? 0, end: (range?.last ?? Number.MAX_SAFE_INTEGER) + 1 }
  throwIfAborted(signal)
  const fetch = (each: CID): Promise<Uint8Array> => fetchBlock(each, getBlock, DEFAULT_BUDGETS)
  const root = await orAborted(fetch(cid), signal)
  const ahead = new LookAhead({ fetch, weigh: (block) => block.length, parallel: readAhead })
  const stack: Part[][] = []
  /** Goes into a block: its own bytes are returned, its links come next. */
  const open = (at: CID, block: Uint8Array, offset: number, size: number | undefined): Uint8Array => {
    const node = at.code === RAW ? rawNode(block) : fileNode(at, block)
    if (size !== undefined && node.size !== size)
      throw badContent(`the block ${at} holds ${node.size} bytes, not the ${size} declared`)
    if (stack.length > DEFAULT_BUDGETS.depth) throw badContent('the file is nested too deep')
    const parts = partsOf(node, offset).filter(
      (part) => part.size > 0 && part.offset < window.end && part.offset + part.size > window.first,
    )
    stack.push(parts.toReversed())
    ahead.enter(parts.map((part) => part.cid))
    return node.data.subarray(Math.max(0, window.first - offset), Math.max(0, window.end - offset))
  }
  try {
    const data = open(cid, root, 0, undefined)
    if (data.length > 0) yield data
    for (let parts = stack.at(-1); parts !== undefined; parts = stack.at(-1)) {
      const part = parts.pop()
      if (part === undefined) {
        stack.pop()
        ahead.leave()
        continue
      }
      throwIfAborted(signal)
      const block = await orAborted(ahead.take(), signal)
      const bytes = open(part.cid, block, part.offset, part.size)
      if (bytes.length > 0) yield bytes
    }
  } finally {
    ahead.close()
  }
}

/** What the links of a file's node stand for, when the node itself begins at `start`. */
export function partsOf(node: FileNode, start: number): Part[] {
  let offset = start + node.data.length
  return node.links.map(({ cid }, at) => {
    const size = node.sizes[at] ?? 0
    offset += size
    return { cid, offset: offset - size, size }
  })
}

function rawNode(data: Uint8Array): FileNode {
  return { kind: 'file', size: data.length, data, links: [], sizes: [] }
}

function fileNode(cid: CID, block: Uint8Array): FileNode {
  const node = decodeNode(cid, block, DEFAULT_BUDGETS)
  if (node.kind === 'file') return node
  const kind = node.kind === 'symlink' ? 'symlink' : 'directory'
  throw new ShareError('BAD_PATH', `${cid} is a ${kind}, not a file`, 'name a file in it, or use `share get`')
}
