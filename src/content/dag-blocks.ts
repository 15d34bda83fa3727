/** The blocks of a DAG in depth-first order, parents first: the order of CAR files. Blocks are fetched ahead. */
import type { CID } from 'multiformats/cid'
import { orAborted, throwIfAborted } from './abort.ts'
import { badContent } from './bad-content.ts'
import { DEFAULT_BUDGETS } from './budgets.ts'
import type { CarBlock } from './car-reader.ts'
import { type FetchBlock, fetchBlock } from './dag-source.ts'
import { LookAhead } from './look-ahead.ts'

export interface DagBlocksOptions<Link extends { readonly cid: CID }> {
  /** Gives a whole block, verified. Never asked for identity CIDs. */
  readonly getBlock: FetchBlock
  /** The links to follow from a block, in order. */
  readonly below: (link: Link, block: Uint8Array) => readonly Link[]
  /** Blocks that come again are given again; without, only once. */
  readonly duplicates?: boolean
  readonly signal?: AbortSignal
}

const READ_AHEAD = 8

/** Levels of links. Trees of files have a few dozen; what is deeper is made to be. */
const MAX_DEPTH = 1024

/** Blocks in all, repeats included: what the largest manifest has, nodes and pieces and places. */
const MAX_BLOCKS = DEFAULT_BUDGETS.nodes + DEFAULT_BUDGETS.pieces + DEFAULT_BUDGETS.repeats

/**
 * Blocks that lie in identity CIDs are given like others, as kubo writes them.
 * @throws ShareError BAD_CONTENT, INTERRUPTED; what `getBlock` or `below` throws
 */
export async function* dagBlocks<Link extends { readonly cid: CID }>(
  first: readonly Link[],
  { getBlock, below, duplicates = false, signal }: DagBlocksOptions<Link>,
): AsyncGenerator<CarBlock> {
  const fetch = (cid: CID): Promise<Uint8Array> => fetchBlock(cid, getBlock, DEFAULT_BUDGETS)
  const ahead = new LookAhead({ fetch, weigh: (block) => block.length, parallel: READ_AHEAD })
  const seen = new Set<string>()
  const stack: Link[][] = []
  let count = 0
  const enter = (links: readonly Link[]): void => {
    if (stack.length > MAX_DEPTH) throw badContent(`it is nested more than ${MAX_DEPTH} deep`)
    const next = duplicates ? links : unseen(links, seen)
    stack.push(next.toReversed())
    ahead.enter(next.map((link) => link.cid))
  }
  try {
    enter(first)
    for (let links = stack.at(-1); links !== undefined; links = stack.at(-1)) {
      const link = links.pop()
      if (link === undefined) {
        stack.pop()
        ahead.leave()
        continue
      }
      throwIfAborted(signal)
      const block = await orAborted(ahead.take(), signal)
      if (++count > MAX_BLOCKS) throw badContent(`it has more than ${MAX_BLOCKS} blocks`)
      if (!duplicates) {
        // it may have come below an earlier sibling
        const key = keyOf(link.cid)
        if (seen.has(key)) continue
        seen.add(key)
      }
      yield { cid: link.cid, block }
      enter(below(link, block))
    }
  } finally {
    ahead.close()
  }
}

function unseen<Link extends { readonly cid: CID }>(
  links: readonly Link[],
  seen: ReadonlySet<string>,
): Link[] {
  const here = new Set<string>()
  return links.filter(({ cid }) => {
    const key = keyOf(cid)
    if (seen.has(key) || here.has(key)) return false
    here.add(key)
    return true
  })
}

function keyOf(cid: CID): string {
  return Buffer.from(cid.bytes).toString('latin1')
}
