/**
 * What a page asks of its share, and nothing beyond: everything is reached by walking from the share's root. `tree` is a
 * CAR of what lists its files, `blocks/PATH?from=N` one of a file's blocks from a byte on, both checked by the page;
 * `plain/PATH` is a file, or a directory as an archive, for a browser to save unchecked; `about` says what no block does.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { CID } from 'multiformats/cid'
import { DEFAULT_BUDGETS } from '../content/budgets.ts'
import { writeCar } from '../content/car-writer.ts'
import { dagBlocks } from '../content/dag-blocks.ts'
import { decodeNode } from '../content/dag-node.ts'
import { followPath } from '../content/dag-path.ts'
import { fetchNode } from '../content/dag-source.ts'
import { sizeOfLink } from '../content/tree.ts'
import { DAG_PB, printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { Blocks } from '../node/types.ts'
import { type Answer, onlyVerifiable } from './answer.ts'
import type { Asked } from './asked.ts'
import { contentAnswer } from './content.ts'

export interface PageRequest {
  readonly root: CID
  /** What the share is called here. */
  readonly name: string
  /** Decoded, behind the token. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly blocks: Pick<Blocks, 'node' | 'block'>
  readonly signal: AbortSignal
}

/** @throws ShareError NOT_FOUND for what is nothing of the share, USAGE */
export async function pageAnswer(request: PageRequest): Promise<Answer> {
  const [kind = '', ...segments] = request.path
  const names = segments.filter((name) => name !== '')
  if (kind === 'about' && names.length === 0) return about(request)
  if (kind === 'tree' && names.length === 0) return tree(request)
  if (kind === 'blocks') return blocksOf(request, names)
  if (kind === 'plain') return plain(request, names)
  throw new ShareError(
    'NOT_FOUND',
    `there is nothing at ${printable(request.path.join('/'))}`,
    'see the page',
  )
}

function about({ name }: PageRequest): Answer {
  const bytes = Buffer.from(JSON.stringify({ name }))
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'content-length': String(bytes.length) },
    async *body() {
      yield bytes
    },
  }
}

/** Every block but those that only hold bytes of a file: directories, and the first node of each file. */
function tree({ root, blocks, signal }: PageRequest): Answer {
  const { block: getBlock } = onlyVerifiable(blocks, signal)
  const below = ({ cid }: { cid: CID }, block: Uint8Array): { cid: CID }[] => {
    if (cid.code !== DAG_PB) return []
    const node = decodeNode(cid, block, DEFAULT_BUDGETS)
    if (node.kind !== 'directory' && node.kind !== 'shard') return []
    return node.links.filter((link) => sizeOfLink(link) === undefined)
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/vnd.ipld.car; version=1; order=dfs; dups=n' },
    body: () => writeCar([root], dagBlocks([{ cid: root }], { getBlock, below, signal })),
  }
}

async function blocksOf(request: PageRequest, names: readonly string[]): Promise<Answer> {
  const from = request.query.get('from') ?? '0'
  if (!/^\d{1,15}$/.test(from))
    throw new ShareError('USAGE', `bad from: ${printable(from)}`, 'it counts bytes')
  const bytes = { first: Number(from) }
  return answerTo(request, names, { kind: 'car', scope: 'entity', bytes, duplicates: true })
}

async function plain(request: PageRequest, names: readonly string[]): Promise<Answer> {
  const name = names.at(-1) ?? request.name
  const isTree = await isDirectory(request, names)
  return answerTo(request, names, { kind: isTree ? 'tar' : 'deserialized' }, isTree ? `${name}.tar` : name)
}

async function isDirectory(
  { root, blocks, signal }: PageRequest,
  names: readonly string[],
): Promise<boolean> {
  const { cid } = await followPath(root, names, blocks.node, signal)
  if (cid.code !== DAG_PB) return false
  const { kind } = await fetchNode(cid, blocks.node, DEFAULT_BUDGETS)
  return kind === 'directory' || kind === 'shard'
}

/** As the gateway answers it, to be saved and never shown. */
async function answerTo(
  { root, headers, blocks, signal }: PageRequest,
  names: readonly string[],
  format: Asked['format'],
  filename?: string,
): Promise<Answer> {
  const asked: Asked = {
    root,
    segments: names,
    path: '',
    query: '',
    format,
    filename,
    download: true,
    onlyIfCached: true,
    ifNoneMatch: undefined,
    range: headers.range,
    ifRange: typeof headers['if-range'] === 'string' ? headers['if-range'] : undefined,
  }
  const answer = await contentAnswer(asked, blocks, signal)
  return {
    ...answer,
    headers: { ...answer.headers, 'content-security-policy': "default-src 'none'; sandbox" },
  }
}
