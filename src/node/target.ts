/** What people hand to `get`, `cat` and `ls`: a CID, a path under one, or a link, which is a magnet URI that carries the CID. */
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { parseCid, printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { parseMagnet } from '../torrent/magnet.ts'

export interface Target {
  readonly root: CID
  /** Names below the root; empty for the root itself. */
  readonly path: readonly string[]
  /** What to call it when nobody says otherwise. */
  readonly name: string | undefined
  readonly peers: readonly string[]
}

/** @throws ShareError BAD_CID, BAD_LINK, BAD_PATH, UNSUPPORTED */
export function parseTarget(text: string): Target {
  return text.startsWith('magnet:') ? parseLink(text) : parsePath(text)
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

function parseLink(text: string): Target {
  const { content, name, multiaddrs, v1, v2 } = parseMagnet(text)
  if (content === undefined) throw withoutCid(text, v1 !== undefined || v2 !== undefined)
  return {
    ...parsePath(content),
    name: name === undefined ? undefined : safeName(name),
    peers: multiaddrs.map(checkPeerAddress),
  }
}

function parsePath(text: string): Target {
  const [cid = '', ...rest] = text.split('/')
  const path = rest.filter((segment) => segment !== '')
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
function safeName(name: string): string | undefined {
  const clean = printable(name.replaceAll(/[/\\]/g, '_'), 200).trim()
  return clean === '' || clean === '.' || clean === '..' ? undefined : clean
}

function withoutCid(text: string, isTorrent: boolean): ShareError {
  const reason = isTorrent ? 'it names a torrent, but no CID' : 'it carries no CID'
  const hint = isTorrent
    ? 'what only BitTorrent peers have cannot be fetched yet; a link that `share link` printed carries both'
    : '`share link CID` prints one; copy it whole, in quotes'
  return new ShareError('BAD_LINK', `not a link: ${printable(text, 60)} (${reason})`, hint)
}
