/** Resolves a path under a root, fetching only the nodes on the way. */
import type { CID } from 'multiformats/cid'
import { DAG_PB, printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { orAborted, throwIfAborted } from './abort.ts'
import { badContent } from './bad-content.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import type { DagNode, Links, ShardNode } from './dag-node.ts'
import { type FetchBlock, fetchNode } from './dag-source.ts'
import { slotPath } from './hamt.ts'
import { symlinkProblem } from './safe-names.ts'

/** Symlinks followed on one path, as Linux does. */
const MAX_SYMLINKS = 40

/**
 * The CID at `segments` under `root`. Symlinks on the way and at the end are followed inside the root; with no
 * segments the root itself is the answer and nothing is fetched.
 * @throws ShareError NOT_FOUND naming the segment, BAD_CONTENT for a symlink out of the root, INTERRUPTED
 */
export async function resolvePath(
  root: CID,
  segments: readonly string[],
  fetch: FetchBlock,
  signal?: AbortSignal,
): Promise<CID> {
  const done: { name: string; cid: CID }[] = []
  const todo = segments.toReversed()
  let symlinks = 0
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    throwIfAborted(signal)
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (done.pop() === undefined) throw badContent('the path leads out of its root')
      continue
    }
    const cid = await orAborted(child(done.at(-1)?.cid ?? root, name, fetch), signal)
    const target = cid.code === DAG_PB ? await orAborted(symlinkTarget(cid, fetch), signal) : undefined
    if (target === undefined) {
      done.push({ name, cid })
      continue
    }
    const at = [...done.map((step) => step.name), name].join('/')
    const problem = ++symlinks > MAX_SYMLINKS ? 'is one of too many' : symlinkProblem(at, target)
    if (problem !== undefined)
      throw badContent(`the symlink "${printable(at)}" -> "${printable(target)}" ${problem}`)
    todo.push(...target.split('/').toReversed())
  }
  return done.at(-1)?.cid ?? root
}

async function symlinkTarget(cid: CID, fetch: FetchBlock): Promise<string | undefined> {
  const node = await fetchNode(cid, fetch, DEFAULT_BUDGETS)
  return node.kind === 'symlink' ? node.target : undefined
}

async function child(directory: CID, name: string, fetch: FetchBlock): Promise<CID> {
  const node: DagNode | undefined =
    directory.code === DAG_PB ? await fetchNode(directory, fetch, DEFAULT_BUDGETS) : undefined
  return (await childOf(node, name, fetch)).cid
}

/**
 * What stands under a name in a directory, and the shards between the directory's own node and it.
 * @throws ShareError NOT_FOUND, BAD_CONTENT
 */
export async function childOf(
  node: DagNode | undefined,
  name: string,
  fetch: FetchBlock,
  links?: Links,
): Promise<{ cid: CID; shards: readonly CID[] }> {
  if (node?.kind === 'shard') return childOfShard(node, name, fetch, links)
  if (node?.kind !== 'directory') return missing(name, 'what stands before it is not a directory')
  return { cid: node.links.find((link) => link.name === name)?.cid ?? missing(name), shards: [] }
}

async function childOfShard(top: ShardNode, name: string, fetch: FetchBlock, links: Links | undefined) {
  const slots = await slotPath(name)
  const shards: CID[] = []
  for (let node = top; ; ) {
    const slot = slots.next(node.fanout)
    const entry = node.links.find((link) => link.name === `${slot}${name}`)
    if (entry !== undefined) return { cid: entry.cid, shards }
    const deeper = slot === undefined ? undefined : node.links.find((link) => link.name === slot)
    if (deeper === undefined) return missing(name)
    const below = await fetchNode(deeper.cid, fetch, DEFAULT_BUDGETS, links)
    if (below.kind !== 'shard') throw badContent(`the directory shard at ${deeper.cid} is none`)
    shards.push(deeper.cid)
    node = below
  }
}

export function missing(name: string, why = 'there is no such name'): never {
  throw new ShareError(
    'NOT_FOUND',
    `"${printable(name)}" is not in this content: ${why}`,
    'list what is there with `share ls`',
  )
}
