/** Shares that are read and not kept: paths, files, directories, blocks and whole DAGs, from here or from peers. */
import type { CID } from 'multiformats/cid'
import { writeCar } from '../content/car-writer.ts'
import { dagBlocks } from '../content/dag-blocks.ts'
import { linksOf } from '../content/dag-links.ts'
import { listDirectory } from '../content/directory.ts'
import { readFile } from '../content/file.ts'
import { resolvePath } from '../content/path.ts'
import { rootKeyOf } from '../core/cid.ts'
import type { RootKey } from '../core/types.ts'
import { copyOut } from './place.ts'
import type { RateLimits } from './rate-limits.ts'
import { type ReadingContext, ReadSession } from './session.ts'
import { checkSource, parseTarget, type Target } from './target.ts'
import type * as Api from './types.ts'

export class Reading {
  readonly #context: ReadingContext
  readonly #limits: RateLimits

  constructor(context: ReadingContext, limits: RateLimits) {
    this.#context = context
    this.#limits = limits
  }

  /** What the target's path leads to. */
  async resolve(target: Target, signal: AbortSignal | undefined): Promise<CID> {
    if (target.path.length === 0) return target.root
    using session = this.#session(target, signal)
    return await resolvePath(target.root, target.path, session.node, signal)
  }

  /** Writes files of their own. */
  async copyOut(target: Target, root: CID, path: string, signal: AbortSignal | undefined): Promise<void> {
    using session = this.#session(target, signal)
    await copyOut(root, path, session.block, signal)
  }

  async *cat(text: string, options: Api.CatOptions = {}): AsyncGenerator<Uint8Array> {
    const { range, signal } = options
    const target = targetOf(text, options.peers)
    using session = this.#session(target, signal)
    const cid = await resolvePath(target.root, target.path, session.node, signal)
    yield* readFile(cid, {
      getBlock: session.block,
      ...(range !== undefined && { range }),
      ...(signal !== undefined && { signal }),
    })
  }

  async *ls(text: string, options: Api.SourceOptions = {}): AsyncGenerator<Api.ListEntry> {
    const target = targetOf(text, options.peers)
    using session = this.#session(target, options.signal)
    const cid = await resolvePath(target.root, target.path, session.node, options.signal)
    for await (const { name, cid: entry, kind, size } of listDirectory(cid, session.node, options.signal)) {
      yield { name, cid: entry.toString(), kind, size }
    }
  }

  blocks(root: CID, options: Api.BlocksOptions = {}): Api.Blocks {
    const { peers = [], upload = false, ...reading } = options
    const session = new ReadSession(this.#context, root, { ...reading, peers: peers.map(checkSource) })
    return upload ? heldBack(session, rootKeyOf(root), this.#limits, options.signal) : session
  }

  async *export(text: string, options: Api.SourceOptions = {}): AsyncGenerator<Uint8Array> {
    const { signal } = options
    const target = targetOf(text, options.peers)
    using session = this.#session(target, signal)
    const root = await resolvePath(target.root, target.path, session.node, signal)
    const blocks = dagBlocks([{ cid: root }], {
      getBlock: session.block,
      below: ({ cid }, block) => linksOf(cid, block).map((below) => ({ cid: below })),
      ...(signal !== undefined && { signal }),
    })
    yield* writeCar([root], blocks)
  }

  #session(target: Target, signal: AbortSignal | undefined): ReadSession {
    return new ReadSession(this.#context, target.root, {
      peers: target.peers,
      ...(signal !== undefined && { signal }),
    })
  }
}

/** @throws ShareError BAD_CID, BAD_ADDRESS */
export function targetOf(text: string, peers: readonly string[] | undefined): Target {
  const target = parseTarget(text)
  return { ...target, peers: [...(peers ?? []).map(checkSource), ...target.peers] }
}

/** What is read goes out of this node, as fast as the limits let it. */
function heldBack(
  session: ReadSession,
  root: RootKey,
  limits: RateLimits,
  signal: AbortSignal | undefined,
): Api.Blocks {
  const block = async (cid: CID): Promise<Uint8Array> => {
    const bytes = await session.block(cid)
    await limits.passUp(root, bytes.length, signal)
    return bytes
  }
  return { node: session.node, block, [Symbol.dispose]: () => session[Symbol.dispose]() }
}
