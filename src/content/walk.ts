/**
 * The manifest walk: from a root CID to its files and pieces, the same on both ends. Phase one resolves the tree
 * (tree.ts) and checks every name; phase two goes through the files in order and appends their pieces, so that leaves
 * can be fetched while later nodes are still to come. The order depends on the DAG alone, never on when nodes arrive.
 */
import type { CID } from 'multiformats/cid'
import { RAW } from '../core/cid.ts'
import { orAborted, throwIfAborted } from './abort.ts'
import { badContent } from './bad-content.ts'
import { type Budgets, DEFAULT_BUDGETS } from './budgets.ts'
import type { DagNode, FileNode } from './dag-node.ts'
import { blockKey, type FetchBlock, NodeCache, nodeWeight } from './dag-source.ts'
import { type Child, childrenOf, rawChild } from './leaf.ts'
import { LookAhead } from './look-ahead.ts'
import { type File, type Inline, type Manifest, PieceTable } from './manifest.ts'
import { PieceIndex } from './piece-index.ts'
import type { Platform } from './safe-names.ts'
import { fetchTree, treeEntries } from './tree.ts'

export type WalkEvent =
  /** The entries are complete and every name is checked. Comes once, first. */
  | { readonly type: 'entries' }
  /** Pieces `from` to `from + count - 1` were appended. */
  | { readonly type: 'pieces'; readonly from: number; readonly count: number }
  /** These known pieces got a further place: one that is stored already is to be written there too. */
  | { readonly type: 'places'; readonly pieces: readonly number[] }
  /** File bytes that lie in a DAG node. */
  | { readonly type: 'inline'; readonly inline: Inline }

export interface WalkOptions {
  /**
   * Gives a DAG node's bytes, verified; asked again for the same node in phase two, so it should keep what it fetched.
   * Never asked for identity CIDs, nor for leaves, except a raw root and raw directory entries of undeclared size.
   */
  readonly fetchNode: FetchBlock
  readonly budgets?: Partial<Budgets>
  /** Nodes fetched in parallel, in phase one. */
  readonly lookAhead?: number
  readonly signal?: AbortSignal
  /** Whose file names must be possible; this machine's unless told. */
  readonly platform?: Platform
}

const LOOK_AHEAD = 32
/** Phase two needs few nodes ahead: each names up to a thousand leaves. */
const FILE_LOOK_AHEAD = 4
/** Entries, nodes or pieces worked through in one go. */
const BATCH = 1024

/**
 * Starts nothing until `events` is iterated; the manifest fills as the events come, and is complete when they end.
 * The iteration throws ShareError BAD_CONTENT, INTERRUPTED, or what `fetchNode` throws.
 */
export function walkManifest(
  root: CID,
  options: WalkOptions,
): { manifest: Manifest; events: AsyncIterable<WalkEvent> } {
  const manifest: Manifest = { root, entries: [], pieces: new PieceTable(), size: 0 }
  return { manifest, events: walk(manifest, options) }
}

async function* walk(manifest: Manifest, options: WalkOptions): AsyncGenerator<WalkEvent> {
  const budgets = { ...DEFAULT_BUDGETS, ...options.budgets }
  const { fetchNode, lookAhead = LOOK_AHEAD, platform = process.platform, signal } = options
  throwIfAborted(signal)
  const treeOptions = { fetchNode, budgets, lookAhead, platform }
  const tree = await orAborted(fetchTree(manifest.root, treeOptions, signal), signal)
  for (const entry of treeEntries(manifest.root, tree, treeOptions)) {
    manifest.entries.push(entry)
    if (entry.kind === 'file') manifest.size += entry.size
    if (manifest.entries.length % BATCH === 0) await pause(signal)
  }
  yield { type: 'entries' }
  const files = new FileWalk(manifest, budgets, fetchNode, signal)
  try {
    yield* files.events()
  } finally {
    files.close()
  }
}

/** Lets others run: a million entries or pieces take seconds. */
async function pause(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  throwIfAborted(signal)
}

interface Frame {
  readonly children: readonly Child[]
  next: number
}

/** Phase two. */
class FileWalk {
  readonly #manifest: Manifest
  readonly #budgets: Budgets
  readonly #signal: AbortSignal | undefined
  readonly #ahead: LookAhead<DagNode>
  readonly #index: PieceIndex
  readonly #seen = new Set<string>()
  /** Pieces told so far, and known pieces whose new places are not told yet. */
  #told = 0
  #replaced: number[] = []
  #nodes = 0
  #repeatedNodes = 0
  #repeats = 0

  constructor(manifest: Manifest, budgets: Budgets, fetch: FetchBlock, signal: AbortSignal | undefined) {
    this.#manifest = manifest
    this.#budgets = budgets
    this.#signal = signal
    const cache = new NodeCache(fetch, budgets)
    this.#ahead = new LookAhead({
      fetch: (cid) => cache.get(cid),
      weigh: nodeWeight,
      parallel: FILE_LOOK_AHEAD,
    })
    this.#index = new PieceIndex(manifest.pieces)
  }

  close(): void {
    this.#ahead.close()
  }

  async *events(): AsyncGenerator<WalkEvent> {
    const { entries } = this.#manifest
    this.#ahead.enter(
      entries
        .filter((entry) => entry.kind === 'file' && entry.cid.code !== RAW)
        .map((entry) => (entry as File).cid),
    )
    for (const [at, entry] of entries.entries()) {
      if (entry.kind === 'file') yield* this.#file(at, entry)
    }
    if (this.#untold > 0) yield* this.#tell()
  }

  async *#file(entry: number, { cid, size }: File): AsyncGenerator<WalkEvent> {
    const root: Child = cid.code === RAW ? rawChild(cid, size, this.#budgets) : { kind: 'node', cid, size }
    const stack: Frame[] = [{ children: [root], next: 0 }]
    let offset = 0
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const child = frame.children[frame.next++]
      if (child === undefined) {
        stack.pop()
        // the outermost frame is shared by all files
        if (stack.length > 0) this.#ahead.leave()
      } else if (child.kind === 'node') {
        if (this.#untold > 0) yield* this.#tell()
        const node = await this.#takeNode(child, stack.length)
        if (node.data.length > 0) {
          yield { type: 'inline', inline: { cid: child.cid, place: { entry, offset }, data: node.data } }
          offset += node.data.length
        }
        const children = childrenOf(node, this.#budgets)
        stack.push({ children, next: 0 })
        this.#ahead.enter(children.filter(({ kind }) => kind === 'node').map((each) => each.cid))
      } else {
        if (child.kind === 'piece') this.#place(child, entry, offset)
        if (child.kind === 'inline') {
          if (this.#untold > 0) yield* this.#tell()
          yield { type: 'inline', inline: { cid: child.cid, place: { entry, offset }, data: child.data } }
        }
        offset += child.size
        if (this.#untold >= BATCH) {
          yield* this.#tell()
          await pause(this.#signal)
        }
      }
    }
  }

  async #takeNode(child: Child, depth: number): Promise<FileNode> {
    throwIfAborted(this.#signal)
    const node = await orAborted(this.#ahead.take(), this.#signal)
    if (node.kind !== 'file') throw badContent(`the block ${child.cid} is a ${node.kind} inside a file`)
    if (node.size !== child.size)
      throw badContent(`the block ${child.cid} holds ${node.size} bytes, not the ${child.size} declared`)
    if (depth > this.#budgets.depth)
      throw badContent(`a file in it is nested more than ${this.#budgets.depth} deep`)
    if (++this.#nodes > this.#budgets.nodes)
      throw badContent(`it has more than ${this.#budgets.nodes} DAG nodes`)
    if (this.#nodes % BATCH === 0) await pause(this.#signal)
    if (node.links.length > 0) this.#countRepeat(child.cid)
    return node
  }

  #countRepeat(cid: CID): void {
    const key = blockKey(cid)
    if (this.#seen.has(key)) this.#repeatedNodes++
    if (this.#repeatedNodes > this.#budgets.repeatedNodes)
      throw badContent('it repeats the same parts too often')
    this.#seen.add(key)
  }

  #place(leaf: Extract<Child, { kind: 'piece' }>, entry: number, offset: number): void {
    const { pieces } = this.#manifest
    const { digest } = leaf.cid.multihash
    const place = { entry, offset }
    const known = this.#index.find(digest, leaf.cid.code)
    if (known === undefined) {
      if (pieces.length >= this.#budgets.pieces)
        throw badContent(`it has more than ${this.#budgets.pieces} pieces`)
      this.#index.add(
        pieces.push({ digest, codec: leaf.cid.code, size: leaf.size, blockSize: leaf.blockSize, place }),
      )
      return
    }
    if (pieces.size(known) !== leaf.size || pieces.blockSize(known) !== leaf.blockSize) {
      throw badContent(`the leaf ${leaf.cid} is declared with two sizes`)
    }
    if (++this.#repeats > this.#budgets.repeats) throw badContent('it repeats the same parts too often')
    pieces.addPlace(known, place)
    this.#replaced.push(known)
  }

  get #untold(): number {
    return this.#manifest.pieces.length - this.#told + this.#replaced.length
  }

  /** Tells of new pieces, and of new places of pieces told before. */
  *#tell(): Generator<WalkEvent> {
    const from = this.#told
    const count = this.#manifest.pieces.length - from
    this.#told += count
    const replaced = [...new Set(this.#replaced.splice(0))].filter((piece) => piece < from)
    if (count > 0) yield { type: 'pieces', from, count }
    if (replaced.length > 0) yield { type: 'places', pieces: replaced }
  }
}
