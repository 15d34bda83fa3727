/**
 * Addresses of content as browsers have them: `ipfs://CID/path`, and those of HTTP gateways, with the CID in the path
 * or in the host's name. Only what they name is taken from them: which gateway serves it does not matter.
 */
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'

export interface ContentAddress {
  readonly cid: string
  /** Decoded names below it, not checked. */
  readonly path: readonly string[]
  /** What it is to be called, where the address says so. */
  readonly name: string | undefined
}

const SCHEME = /^(https?|ipfs|ipns):/i

export function isContentUrl(text: string): boolean {
  return SCHEME.test(text)
}

/** What `/ipfs/CID` is put behind: no query, no name and password. */
export function isGatewayUrl(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    return false
  return text.replace(/\/+$/, '') === `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

/** @throws ShareError BAD_LINK, UNSUPPORTED for names that change their content */
export function parseContentUrl(text: string): ContentAddress {
  const [, scheme = ''] = SCHEME.exec(text) ?? []
  return scheme.toLowerCase().startsWith('http') ? gatewayUrl(text) : ipfsUrl(text)
}

/** By hand, not as a URL: letter case matters in `Qm…`, which URL takes for a host. */
function ipfsUrl(text: string): ContentAddress {
  const [, namespace = '', rest = ''] = /^(ipfs|ipns):\/\/(.*)$/is.exec(text) ?? []
  checkNamespace(namespace, text)
  const [address = ''] = rest.split(/[?#]/, 1)
  const [cid = '', ...path] = address.split('/')
  return { cid, path: decoded(path, text), name: filename(rest.slice(address.length)) }
}

function gatewayUrl(text: string): ContentAddress {
  const { hostname, pathname, search } = urlOf(text)
  const [, first = '', ...rest] = pathname.split('/')
  const name = filename(search)
  if (first === 'ipfs' || first === 'ipns') {
    checkNamespace(first, text)
    const [cid = '', ...path] = rest
    return { cid, path: decoded(path, text), name }
  }
  const [, cid, namespace = ''] = /^([^.]+)\.(ipfs|ipns)\./.exec(hostname) ?? []
  if (cid === undefined) throw badUrl(text, 'it names no content')
  checkNamespace(namespace, text)
  return { cid, path: decoded([first, ...rest], text), name }
}

/** @throws ShareError UNSUPPORTED for IPNS */
export function checkNamespace(namespace: string, text: string): void {
  const kind = namespace.toLowerCase()
  if (kind === 'ipfs') return
  if (kind !== 'ipns') throw badUrl(text, 'it names no content')
  throw new ShareError(
    'UNSUPPORTED',
    `${printable(text)} is an IPNS name, which changes what it stands for`,
    'name the content itself: `ipfs resolve` and gateways tell the CID',
  )
}

function urlOf(text: string): URL {
  const url = URL.parse(text)
  if (url === null) throw badUrl(text, 'it is no URL')
  return url
}

function filename(search: string): string | undefined {
  return new URLSearchParams(search.split('#', 1)[0]).get('filename') ?? undefined
}

function decoded(path: readonly string[], text: string): string[] {
  try {
    return path.map(decodeURIComponent)
  } catch {
    throw badUrl(text, 'its path is not encoded as URLs are')
  }
}

function badUrl(text: string, reason: string): ShareError {
  return new ShareError(
    'BAD_LINK',
    `not a link to content: ${printable(text, 60)} (${reason})`,
    'it looks like ipfs://CID/path or https://gateway/ipfs/CID/path; copy it whole, in quotes',
  )
}
