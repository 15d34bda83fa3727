/** Lists one directory, flat or sharded, as it streams in. */
import type { CID } from 'multiformats/cid'
import { RAW } from '../core/cid.ts'
import { orAborted, throwIfAborted } from './abort.ts'
import { badContent } from './bad-content.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import type { DagNode, Link, ShardNode } from './dag-node.ts'
import { blockKey, type FetchBlock, fetchBlock, fetchNode, nodeWeight } from './dag-source.ts'
import { LookAhead } from './look-ahead.ts'
import { entryName, isShardLink, sizeOfLink } from './tree.ts'

export interface DirectoryEntry {
  /** As the DAG has it, unchecked: print it with `printable`. Empty for a file that was listed itself. */
  readonly name: string
  readonly cid: CID
  readonly kind: 'file' | 'directory' | 'symlink'
  /** Bytes of content; only files have it. */
  readonly size: number | undefined
}

/** Children looked at in parallel to learn what they are. */
const LOOK_AHEAD = 32

/**
 * The entries of a directory in DAG order; a file or symlink yields itself.
 * @throws ShareError BAD_CONTENT, INTERRUPTED, or what `fetch` throws
 */
export async function* listDirectory(
  cid: CID,
  fetch: FetchBlock,
  signal?: AbortSignal,
): AsyncGenerator<DirectoryEntry> {
  throwIfAborted(signal)
  if (cid.code === RAW) {
    const { length } = await orAborted(fetchBlock(cid, fetch, DEFAULT_BUDGETS), signal)
    yield { name: '', cid, kind: 'file', size: length }
    return
  }
  const node = await orAborted(fetchNode(cid, fetch, DEFAULT_BUDGETS), signal)
  if (node.kind === 'file' || node.kind === 'symlink') yield described('', cid, node)
  else yield* listNode(node, fetch, signal)
}

async function* listNode(
  top: DagNode,
  fetch: FetchBlock,
  signal: AbortSignal | undefined,
): AsyncGenerator<DirectoryEntry> {
  const ahead = new LookAhead({
    fetch: (cid) => (cid.code === RAW ? rawFile(cid, fetch) : fetchNode(cid, fetch, DEFAULT_BUDGETS)),
    weigh: nodeWeight,
    parallel: LOOK_AHEAD,
  })
  const stack: { node: DagNode; links: readonly Link[]; next: number }[] = []
  const shards = new Set<string>()
  let seen = 0
  const enter = (node: DagNode): void => {
    const links = linksOf(node)
    seen += links.length
    if (seen > DEFAULT_BUDGETS.entries)
      throw badContent(`it has more than ${DEFAULT_BUDGETS.entries} entries`)
    if (stack.length > DEFAULT_BUDGETS.depth) throw badContent('its directory shards are nested too deep')
    stack.push({ node, links, next: 0 })
    ahead.enter(links.filter((link) => sizeOfLink(link) === undefined).map((link) => link.cid))
  }
  enter(top)
  try {
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const link = frame.links[frame.next++]
      if (link === undefined) {
        stack.pop()
        ahead.leave()
        continue
      }
      throwIfAborted(signal)
      const name = entryName(frame.node, link)
      const size = sizeOfLink(link)
      const child = size === undefined ? await orAborted(ahead.take(), signal) : undefined
      if (isShardLink(frame.node, link)) {
        // its names would stand there twice, or it is one of the empty shards that double without end
        if (shards.has(blockKey(link.cid)))
          throw badContent(`the directory shard ${link.cid} stands in it twice`)
        shards.add(blockKey(link.cid))
        enter(shard(child, link))
      } else if (child === undefined) yield { name, cid: link.cid, kind: 'file', size }
      else yield described(name, link.cid, child)
    }
  } finally {
    ahead.close()
  }
}

function linksOf(node: DagNode): readonly Link[] {
  return node.kind === 'directory' || node.kind === 'shard' ? node.links : []
}

function shard(child: DagNode | undefined, link: Link): ShardNode {
  if (child?.kind !== 'shard') throw badContent(`the directory shard at ${link.cid} is none`)
  return child
}

async function rawFile(cid: CID, fetch: FetchBlock): Promise<DagNode> {
  const data = await fetchBlock(cid, fetch, DEFAULT_BUDGETS)
  return { kind: 'file', size: data.length, data, links: [], sizes: [] }
}

function described(name: string, cid: CID, node: DagNode): DirectoryEntry {
  switch (node.kind) {
    case 'file':
      return { name, cid, kind: 'file', size: node.size }
    case 'symlink':
      return { name, cid, kind: 'symlink', size: undefined }
    case 'directory':
    case 'shard':
      return { name, cid, kind: 'directory', size: undefined }
  }
}
