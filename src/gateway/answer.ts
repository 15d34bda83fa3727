/** What is answered: status, headers, and bytes as they come. */
import type { CID } from 'multiformats/cid'
import { throwIfAborted } from '../content/abort.ts'
import type { DagPath } from '../content/dag-path.ts'
import { unverifiable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { Blocks } from '../node/types.ts'
import type { Asked } from './asked.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Not begun for HEAD. Throws what is wrong with the content, or that it did not come. */
  readonly body?: () => AsyncIterable<Uint8Array>
}

/** What the formats work with. */
export interface Work {
  readonly asked: Asked
  readonly at: DagPath
  readonly blocks: Pick<Blocks, 'node' | 'block'>
  readonly signal: AbortSignal
}

/** A year less a day, as long as caches keep anything: what a CID names never changes. */
export const FOR_EVER = 'public, max-age=29030400, immutable'

/** A week; then an old one will do while a new one is fetched. Pages are ours, and change with versions. */
export const FOR_NOW = 'public, max-age=604800, stale-while-revalidate=2678400'

/** A 304 where the asker has it already, else what `make` answers; either with the headers that all have. */
export async function unlessKnown(
  { asked, at }: Work,
  headers: { readonly etag: string; readonly 'cache-control': string },
  make: () => Promise<Answer> | Answer,
): Promise<Answer> {
  const all = {
    ...headers,
    'x-ipfs-path': asked.path,
    'x-ipfs-roots': at.roots.join(','),
  }
  if (isKnown(asked.ifNoneMatch, headers.etag)) return { status: 304, headers: all }
  const answer = await make()
  return { ...answer, headers: { ...all, ...answer.headers } }
}

/** Compares weakly, as RFC 9110 section 13.1.2 says. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  if (ifNoneMatch.trim() === '*') return true
  const known: readonly string[] = ifNoneMatch.match(/"[^"]*"/g) ?? []
  return known.includes(etag.replace(/^W\//, ''))
}

/** Blocks that cannot be checked are not asked for, wherever they are linked from. */
export function onlyVerifiable(blocks: Work['blocks'], signal: AbortSignal): Work['blocks'] {
  const check = (cid: CID): void => {
    throwIfAborted(signal)
    const reason = unverifiable(cid)
    if (reason !== undefined)
      throw new ShareError('UNSUPPORTED', `${cid} cannot be checked: ${reason}`, 'only sha2-256 is supported')
  }
  return {
    node: async (cid) => {
      check(cid)
      return blocks.node(cid)
    },
    block: async (cid) => {
      check(cid)
      return blocks.block(cid)
    },
  }
}

/** `Content-Disposition`. The plain name has an underscore for whatever is not ASCII. */
export function disposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.replace(/[^\x20-\x7e]/gu, '_').replace(/["\\]/g, '_')
  const full = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${kind}; filename="${plain}"; filename*=UTF-8''${full}`
}
