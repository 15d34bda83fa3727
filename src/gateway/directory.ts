/** A directory: its index.html, or a page that lists it. */
import type { CID } from 'multiformats/cid'
import { DEFAULT_BUDGETS } from '../content/budgets.ts'
import type { DagNode } from '../content/dag-node.ts'
import { directoryLinks } from '../content/dag-scope.ts'
import { fetchBlock, fetchNode } from '../content/dag-source.ts'
import { childOf } from '../content/path.ts'
import { DAG_PB, RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { type Answer, FOR_NOW, unlessKnown, type Work } from './answer.ts'
import { fileAnswer } from './file.ts'
import { listing } from './listing.ts'

const INDEX = 'index.html'

/** Changes when the page does, so that caches drop the old one. */
const PAGE_VERSION = 1

export async function directoryAnswer(work: Work, node: DagNode): Promise<Answer> {
  const { asked, at, blocks, signal } = work
  // links on a page are relative to its address
  if (!asked.path.endsWith('/')) return { status: 301, headers: { location: `${asked.path}/${asked.query}` } }
  const index = await indexOf(node, blocks)
  if (index !== undefined) return fileAnswer(work, { ...index, name: INDEX, tag: at.cid })
  const etag = `"DirIndex-${PAGE_VERSION}_CID-${at.cid}"`
  return unlessKnown(work, { etag, 'cache-control': FOR_NOW }, () => ({
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    },
    body: () => listing(asked, directoryLinks(at.cid, { getBlock: blocks.node, signal })),
  }))
}

async function indexOf(
  node: DagNode,
  blocks: Work['blocks'],
): Promise<{ cid: CID; size: number } | undefined> {
  const child = await childOf(node, INDEX, blocks.node, 'any').catch((thrown: unknown) => {
    if (thrown instanceof ShareError && thrown.code === 'NOT_FOUND') return undefined
    throw thrown
  })
  return child && fileAt(child.cid, blocks)
}

async function fileAt(cid: CID, blocks: Work['blocks']): Promise<{ cid: CID; size: number } | undefined> {
  if (cid.code === RAW) return { cid, size: (await fetchBlock(cid, blocks.block, DEFAULT_BUDGETS)).length }
  if (cid.code !== DAG_PB) return undefined
  const found = await fetchNode(cid, blocks.node, DEFAULT_BUDGETS, 'any')
  return found.kind === 'file' ? { cid, size: found.size } : undefined
}
