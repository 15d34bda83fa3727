/**
 * What people hand to `get`, `cat` and `ls`: a CID, a path under one, or a link. A link is a magnet URI that
 * carries the CID (`xt=urn:ipfs:`), a name (`dn`) and multiaddrs of peers (`x.ma`).
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { parseCid, printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'

export interface Target {
  readonly root: CID
  /** Names below the root; empty for the root itself. */
  readonly path: readonly string[]
  /** What to call it when nobody says otherwise. */
  readonly name: string | undefined
  readonly peers: readonly string[]
}

const URN = 'urn:ipfs:'

/** Links of more than this are not links that somebody made by hand or by `share link`. */
const MOST_LENGTH = 64 << 10

/** @throws ShareError BAD_CID, BAD_LINK, BAD_PATH, UNSUPPORTED */
export function parseTarget(text: string): Target {
  if (text.length > MOST_LENGTH) throw badLink(text, 'it is too long')
  return text.startsWith('magnet:') ? parseLink(text) : parsePath(text)
}

/** The shortest string that lets somebody else fetch this from here. */
export function formatLink(share: { cid: string; name: string; addresses: readonly string[] }): string {
  const fields = [`xt=${URN}${share.cid}`]
  if (share.name !== share.cid) fields.push(`dn=${encodeURIComponent(share.name)}`)
  for (const address of share.addresses) fields.push(`x.ma=${encodeURIComponent(address)}`)
  return `magnet:?${fields.join('&')}`
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
  const question = text.indexOf('?')
  const fields = new URLSearchParams(question < 0 ? '' : text.slice(question + 1))
  const topic = fields.getAll('xt').find((value) => value.startsWith(URN))
  if (topic === undefined) throw badLink(text, 'it carries no CID')
  const { root, path } = parsePath(topic.slice(URN.length))
  const name = fields.get('dn')
  return {
    root,
    path,
    name: name === null ? undefined : safeName(name),
    peers: fields.getAll('x.ma').map(checkPeerAddress),
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

function badLink(text: string, reason: string): ShareError {
  return new ShareError(
    'BAD_LINK',
    `not a link: ${printable(text, 60)} (${reason})`,
    '`share link CID` prints one; copy it whole, in quotes',
  )
}
