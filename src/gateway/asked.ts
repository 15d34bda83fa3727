/** What a request asks for: the content's path, the format, and what is to be left out. */
import type { IncomingHttpHeaders } from 'node:http'
import type { CID } from 'multiformats/cid'
import type { EntityBytes, Scope } from '../content/dag-scope.ts'
import { printable, readCid, unverifiable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { type Accepted, accepted } from './accept.ts'

export interface CarFormat {
  readonly kind: 'car'
  readonly scope: Scope
  readonly bytes: EntityBytes | undefined
  readonly duplicates: boolean
}

/** `deserialized`: a file as its bytes, a directory as a page. */
type Format = { readonly kind: 'deserialized' | 'raw' | 'tar' } | CarFormat

export interface Asked {
  readonly root: CID
  /** Decoded names below the root. */
  readonly segments: readonly string[]
  /** As it was asked for, encoded, without the query. */
  readonly path: string
  /** With the question mark, or empty. */
  readonly query: string
  readonly format: Format
  /** What the answer is to be called. */
  readonly filename: string | undefined
  /** To be saved, not shown. */
  readonly download: boolean
  /** Nobody else is to be asked. */
  readonly onlyIfCached: boolean
  readonly ifNoneMatch: string | undefined
  readonly range: string | undefined
  readonly ifRange: string | undefined
}

/** @throws ShareError BAD_CID, USAGE, UNSUPPORTED */
export function askedBy(url: string, headers: IncomingHttpHeaders): Asked {
  const [path = '', ...queries] = url.split('?')
  const query = queries.length === 0 ? '' : `?${queries.join('?')}`
  const params = new URLSearchParams(query)
  const [, namespace, cid = '', ...names] = path.split('/')
  if (namespace !== 'ipfs') throw notHere(path)
  return {
    root: checked(readCid(decoded(cid))),
    segments: names.filter((name) => name !== '').map(decoded),
    path,
    query,
    format: formatOf(params, accepted(headers.accept ?? '')),
    filename: params.get('filename') || undefined,
    download: params.get('download') === 'true',
    onlyIfCached: (headers['cache-control'] ?? '').includes('only-if-cached'),
    ifNoneMatch: headers['if-none-match'],
    range: headers.range,
    ifRange: header(headers['if-range']),
  }
}

function formatOf(params: URLSearchParams, accept: Accepted | undefined): Format {
  const kind = params.get('format') ?? accept?.kind ?? 'deserialized'
  switch (kind) {
    case 'deserialized':
    case 'raw':
    case 'tar':
      return { kind }
    case 'car':
      return carFormat(params, accept?.kind === 'car' ? accept.params : new Map())
    default:
      throw new ShareError('USAGE', `no such format: ${printable(kind)}`, 'formats are raw, car and tar')
  }
}

function carFormat(params: URLSearchParams, accept: ReadonlyMap<string, string>): CarFormat {
  const param = <T extends string>(name: string, inAccept: string, choices: readonly [T, ...T[]]): T => {
    const text = params.get(name) ?? accept.get(inAccept)
    const [first] = choices
    const choice = text === undefined ? first : choices.find((each) => each === text)
    if (choice !== undefined) return choice
    throw new ShareError(
      'USAGE',
      `bad ${name}: ${printable(text ?? '')}`,
      `it is one of ${choices.join(', ')}`,
    )
  }
  param('car-version', 'version', ['1'])
  // any order will do for who asks for none
  param('car-order', 'order', ['dfs', 'unk'])
  const bytes = params.get('entity-bytes')
  return {
    kind: 'car',
    // a range is of the entity
    scope: param('dag-scope', '', bytes === null ? ['all', 'entity', 'block'] : ['entity', 'all', 'block']),
    bytes: bytes === null ? undefined : entityBytes(bytes),
    duplicates: param('car-dups', 'dups', ['n', 'y']) === 'y',
  }
}

/** `FROM:TO`, where either may count from the end and `*` is the end. */
function entityBytes(text: string): EntityBytes {
  const [, from = '', to = ''] = /^(-?\d{1,15}):(-?\d{1,15}|\*)$/.exec(text) ?? []
  const first = Number(from)
  const last = to === '*' ? undefined : Number(to)
  const backwards = last !== undefined && first < 0 === last < 0 && last < first
  if (from !== '' && !backwards) return last === undefined ? { first } : { first, last }
  throw new ShareError('USAGE', `bad entity-bytes: ${printable(text)}`, 'it looks like 0:99, 100:* or -5:*')
}

function checked(root: CID): CID {
  const reason = unverifiable(root)
  if (reason === undefined) return root
  throw new ShareError('UNSUPPORTED', `${root} cannot be checked: ${reason}`, 'only sha2-256 is supported')
}

function notHere(path: string): ShareError {
  if (path.startsWith('/ipns/'))
    return new ShareError('UNSUPPORTED', 'IPNS names are not supported', 'name the content itself: /ipfs/CID')
  return new ShareError('NOT_FOUND', `there is nothing at ${printable(path)}`, 'content is at /ipfs/CID/path')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ShareError('USAGE', `bad path: ${printable(text)}`, 'encode it as URLs are')
  }
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
