/**
 * Phase one of the walk: the tree. First every distinct node of the tree is fetched once, in any order and in
 * parallel; then the entries are counted over distinct nodes, so that a tree that shares its children to grow beyond
 * measure is refused before it is written out; then it is written out, in order, with every name checked.
 */
import type { CID } from 'multiformats/cid'
import { RAW } from '../core/cid.ts'
import { badContent } from './bad-content.ts'
import type { Budgets } from './budgets.ts'
import { type DagNode, identityBytes, type Link } from './dag-node.ts'
import { blockKey, type FetchBlock, fetchBlock, fetchNode } from './dag-source.ts'
import type { Entry } from './manifest.ts'
import { checkName, checkSymlink, type Platform, SiblingNames } from './safe-names.ts'

export interface TreeOptions {
  readonly fetchNode: FetchBlock
  readonly budgets: Budgets
  /** Fetches under way at once. */
  readonly lookAhead: number
  readonly platform: Platform
}

/** What the tree needs to know of a node; of files only the size. */
type Known =
  | Extract<DagNode, { kind: 'directory' | 'shard' | 'symlink' }>
  | { readonly kind: 'file'; readonly size: number }

export type Tree = ReadonlyMap<string, Known>

/** How deep a node lies: directories above it, and shards above it in its own directory. */
interface Depth {
  readonly directories: number
  readonly shards: number
}

const TOP: Depth = { directories: 0, shards: 0 }

/**
 * Fetches every distinct node of the tree under `root`, and stops at files.
 * @throws ShareError BAD_CONTENT; whatever `fetchNode` throws
 */
export function fetchTree(root: CID, options: TreeOptions, signal?: AbortSignal): Promise<Tree> {
  const { budgets, lookAhead } = options
  const tree = new Map<string, Known>()
  const asked = new Set<string>()
  const queue: { cid: CID; depth: Depth }[] = []
  let head = 0
  let entries = 0

  const ask = (cid: CID, depth: Depth): void => {
    const key = blockKey(cid)
    if (asked.has(key)) return
    asked.add(key)
    queue.push({ cid, depth })
  }
  const visit = async ({ cid, depth }: { cid: CID; depth: Depth }): Promise<void> => {
    const node = await learn(cid, options)
    tree.set(blockKey(cid), node)
    if (node.kind !== 'directory' && node.kind !== 'shard') return
    entries += node.links.length
    if (entries > budgets.entries || asked.size > budgets.nodes) throw tooMany(budgets)
    checkDepth(depth, budgets)
    for (const link of node.links) {
      if (sizeOfLink(link) === undefined) ask(link.cid, below(node, link, depth))
    }
  }

  ask(root, TOP)
  return new Promise((resolve, reject) => {
    let running = 0
    let failed = false
    const fail = (reason: unknown): void => {
      failed = true
      reject(reason)
    }
    const pump = (): void => {
      while (!failed && signal?.aborted !== true && running < lookAhead) {
        const next = queue[head]
        if (next === undefined) break
        head++
        running++
        visit(next).then(() => {
          running--
          pump()
        }, fail)
      }
      if (running === 0 && head === queue.length) resolve(tree)
    }
    pump()
  })
}

/** The entries of the tree, in walk order. @throws ShareError BAD_CONTENT */
export function* treeEntries(root: CID, tree: Tree, { budgets, platform }: TreeOptions): Generator<Entry> {
  const counts = new Map<string, number>()
  if (countEntries(root, tree, TOP, counts, budgets) > budgets.entries) throw tooMany(budgets)
  let allPathBytes = 0
  let size = 0

  function* entry(cid: CID, link: Link | undefined, path: string, depth: Depth): Generator<Entry> {
    const pathBytes = Buffer.byteLength(path)
    allPathBytes += pathBytes
    if (pathBytes > budgets.pathBytes || allPathBytes > budgets.allPathBytes)
      throw badContent('the paths in it are too long')
    const known = link === undefined ? undefined : sizeOfLink(link)
    const node: Known = known === undefined ? nodeOf(cid, tree) : { kind: 'file', size: known }
    switch (node.kind) {
      case 'file':
        size += node.size
        if (size > budgets.size) throw badContent(`it declares more than ${budgets.size} bytes`)
        yield { kind: 'file', path, cid, size: node.size }
        return
      case 'symlink':
        checkSymlink(path, node.target)
        yield { kind: 'symlink', path, target: node.target }
        return
      case 'directory':
      case 'shard':
        yield { kind: 'directory', path }
        yield* children(node, path, depth, new SiblingNames(path, platform))
    }
  }

  function* children(node: Known, path: string, depth: Depth, siblings: SiblingNames): Generator<Entry> {
    if (node.kind !== 'directory' && node.kind !== 'shard') return
    checkDepth(depth, budgets)
    for (const link of node.links) {
      const under = below(node, link, depth)
      if (isShardLink(node, link)) {
        yield* children(shardUnder(node, link, tree), path, under, siblings)
        continue
      }
      const name = entryName(node, link)
      checkName(name, path, platform)
      siblings.add(name)
      yield* entry(link.cid, link, path === '' ? name : `${path}/${name}`, under)
    }
  }

  yield* entry(root, undefined, '', TOP)
}

/** Entries at and below a node. Doubles may overflow into infinity, which is more than any budget. */
function countEntries(
  cid: CID,
  tree: Tree,
  depth: Depth,
  counts: Map<string, number>,
  budgets: Budgets,
): number {
  const key = blockKey(cid)
  const known = counts.get(key)
  if (known !== undefined) return known
  const node = tree.get(key)
  let count = 1
  if (node?.kind === 'directory' || node?.kind === 'shard') {
    checkDepth(depth, budgets)
    for (const link of node.links)
      count += countEntries(link.cid, tree, below(node, link, depth), counts, budgets)
  }
  counts.set(key, count)
  return count
}

/** True for the link of a shard to a shard below it, as opposed to an entry. */
export function isShardLink(node: DagNode | Known, link: Link): boolean {
  return node.kind === 'shard' && link.name.length === node.prefix
}

export function entryName(node: DagNode | Known, link: Link): string {
  return node.kind === 'shard' ? link.name.slice(node.prefix) : link.name
}

/** Content bytes of a link that needs no fetching to know them, and to know that it is a file. */
export function sizeOfLink(link: Link): number | undefined {
  return link.cid.code === RAW ? (identityBytes(link.cid)?.length ?? link.tsize) : undefined
}

async function learn(cid: CID, { fetchNode: fetch, budgets }: TreeOptions): Promise<Known> {
  if (cid.code === RAW) return { kind: 'file', size: (await fetchBlock(cid, fetch, budgets)).length }
  const node = await fetchNode(cid, fetch, budgets)
  return node.kind === 'file' ? { kind: 'file', size: node.size } : node
}

function nodeOf(cid: CID, tree: Tree): Known {
  const node = tree.get(blockKey(cid))
  if (node === undefined) throw new RangeError('the tree is not complete')
  return node
}

function shardUnder(parent: Known, link: Link, tree: Tree): Known {
  const child = sizeOfLink(link) === undefined ? nodeOf(link.cid, tree) : undefined
  if (child?.kind !== 'shard' || parent.kind !== 'shard' || child.fanout !== parent.fanout) {
    throw badContent(`the directory shard at ${link.cid} is none`)
  }
  return child
}

function below(node: Known, link: Link, depth: Depth): Depth {
  if (isShardLink(node, link)) return { directories: depth.directories, shards: depth.shards + 1 }
  return { directories: depth.directories + 1, shards: 0 }
}

function checkDepth({ directories, shards }: Depth, budgets: Budgets): void {
  if (directories > budgets.depth || shards > budgets.depth)
    throw badContent(`its directories are nested more than ${budgets.depth} deep`)
}

function tooMany(budgets: Budgets): Error {
  return badContent(`it has more than ${budgets.entries} entries`)
}
