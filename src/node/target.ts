/**
 * What people hand to `get`, `cat`, `ls` and `export`: a CID, a path under one (`/ipfs/CID/path` too), an address of a
 * gateway or an `ipfs://` one, or a link, which is a magnet URI that carries the CID.
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { parseCid, printable, readCid } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { parseMagnet } from '../torrent/magnet.ts'
import { checkNamespace, isContentUrl, isGatewayUrl, parseContentUrl } from './content-url.ts'

export interface Target {
  readonly root: CID
  /** Names below the root; empty for the root itself. */
  readonly path: readonly string[]
  /** What to call it when nobody says otherwise. */
  readonly name: string | undefined
  readonly peers: readonly string[]
  /** The link itself, where it names a torrent beside the root; then the root is what that holds. */
  readonly magnet?: string
}

/** Longer ones are not made by hand, nor by any program. */
const MOST_LENGTH = 64 << 10

/** @throws ShareError BAD_CID, BAD_LINK, BAD_PATH, UNSUPPORTED */
export function parseTarget(text: string): Target {
  if (text.length > MOST_LENGTH) throw badLink(text, 'it is too long', HOW_TO_LINK)
  if (text.startsWith('magnet:')) return parseLink(text)
  return isContentUrl(text) ? parseUrl(text) : parsePath(text)
}

/** Whether it is a path below a CID, rather than one on the disk. */
export function isContent(text: string): boolean {
  if (/^\/?ip[fn]s\//.test(text)) return true
  const [first = ''] = text.split('/')
  try {
    readCid(first)
    return true
  } catch {
    return false
  }
}

/** @throws ShareError BAD_ADDRESS unless it is a multiaddr that ends in a peer id */
export function checkPeerAddress(address: string): string {
  try {
    const parts = multiaddr(address).getComponents()
    if (parts.at(-1)?.name === 'p2p' && parts.length > 1) return address
  } catch {
    // falls through to the one message for all of it
  }
  throw new ShareError(
    'BAD_ADDRESS',
    `not a peer address: ${printable(address)}`,
    'it looks like /ip4/192.0.2.1/tcp/4141/p2p/12D3Koo…; `share id` prints those of a node',
  )
}

/** Where to fetch from: a peer, or a gateway. @throws ShareError BAD_ADDRESS */
export function checkSource(address: string): string {
  return isGatewayUrl(address) ? address : checkPeerAddress(address)
}

function parseLink(text: string): Target {
  const { content, name, multiaddrs, v1, v2 } = parseMagnet(text)
  if (content === undefined) throw withoutCid(text, v1 !== undefined || v2 !== undefined)
  const target = parsePath(content)
  const isTorrent = (v1 !== undefined || v2 !== undefined) && target.path.length === 0
  return {
    ...target,
    ...(isTorrent && { magnet: text }),
    name: name === undefined ? undefined : safeName(name),
    peers: multiaddrs.map(checkPeerAddress),
  }
}

function parseUrl(text: string): Target {
  const { cid, path, name } = parseContentUrl(text)
  const target = targetAt(cid, path, text)
  return name === undefined ? target : { ...target, name: safeName(name) }
}

export function parsePath(text: string): Target {
  const [first = '', ...rest] = text.split('/')
  if (first !== '' || rest.length === 0) return targetAt(first, rest, text)
  const [namespace = '', cid = '', ...path] = rest
  checkNamespace(namespace, text)
  return targetAt(cid, path, text)
}

function targetAt(cid: string, segments: readonly string[], text: string): Target {
  const path = segments.filter((segment) => segment !== '')
  for (const segment of path) {
    if (segment !== '.' && segment !== '..') continue
    throw new ShareError(
      'BAD_PATH',
      `${printable(text)} goes through \`${segment}\``,
      'name the entries themselves',
    )
  }
  return { root: parseCid(cid), path, name: path.at(-1), peers: [] }
}

/** A stranger's name may only name one entry of the directory that it is put in. */
export function safeName(name: string): string | undefined {
  const clean = printable(name.replaceAll(/[/\\]/g, '_'), 200).trim()
  return clean === '' || clean === '.' || clean === '..' ? undefined : clean
}

const HOW_TO_LINK = '`share link CID` prints one; copy it whole, in quotes'

function withoutCid(text: string, isTorrent: boolean): ShareError {
  if (!isTorrent) return badLink(text, 'it carries neither a CID nor an info hash', HOW_TO_LINK)
  return badLink(text, 'it names a torrent, but no CID', '`share get` it first; what has come has a CID')
}

function badLink(text: string, reason: string, hint: string): ShareError {
  return new ShareError('BAD_LINK', `not a link: ${printable(text, 60)} (${reason})`, hint)
}
