/** What people hand to `get` that names a torrent and no CID: a magnet link, a .torrent file or a URL of one, an info hash. */
import { resolve } from 'node:path'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { Tiers } from '../torrent/announce-list.ts'
import type { InfoHashes } from '../torrent/info.ts'
import { parseMagnet } from '../torrent/magnet.ts'
import { parseInfoHash } from '../torrent/torrent-root.ts'
import { isGatewayUrl } from './content-url.ts'
import { isContent, safeName } from './target.ts'

export type TorrentTarget =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  | ({ readonly kind: 'hashes' } & NamedTorrent)

export interface NamedTorrent {
  readonly hashes: InfoHashes
  readonly name: string | undefined
  readonly trackers: Tiers
  readonly webSeeds: readonly string[]
  /** `host:port` of BitTorrent peers. */
  readonly peers: readonly string[]
  /** A CID, and maybe a path under it, that is said to be the same. */
  readonly claimed: string | undefined
}

/** The torrent that a link names beside its CID; undefined where it names none, or only a part of the content is asked for. */
export function torrentBesideCid(text: string): TorrentTarget | undefined {
  if (!text.startsWith('magnet:')) return undefined
  const { content } = parseMagnet(text)
  return content === undefined || content.includes('/') ? undefined : inMagnet(text)
}

/** Undefined for what names content by a CID. @throws ShareError BAD_LINK */
export function torrentTarget(text: string): TorrentTarget | undefined {
  if (text.startsWith('magnet:')) return parseMagnet(text).content === undefined ? inMagnet(text) : undefined
  const hashes = parseInfoHash(text)
  if (hashes !== undefined) return { kind: 'hashes', ...NAMES_NOTHING, hashes }
  if (/^https?:/i.test(text)) return isTorrentUrl(text) ? { kind: 'url', url: text } : undefined
  return /\.torrent$/i.test(text) && !isContent(text) ? { kind: 'file', path: resolve(text) } : undefined
}

const NAMES_NOTHING: Omit<NamedTorrent, 'hashes'> = {
  name: undefined,
  trackers: [],
  webSeeds: [],
  peers: [],
  claimed: undefined,
}

function inMagnet(text: string): TorrentTarget | undefined {
  const { content, name, v1, v2, trackers, webSeeds, peers } = parseMagnet(text)
  if (v1 === undefined && v2 === undefined) return undefined
  return {
    kind: 'hashes',
    hashes: { v1, v2 },
    name: name === undefined ? undefined : safeName(name),
    trackers: trackers.map((url) => [url]),
    webSeeds,
    peers,
    claimed: content,
  }
}

function isTorrentUrl(text: string): boolean {
  const { pathname = '' } = URL.parse(text) ?? {}
  return /\.torrent$/i.test(pathname) && !/^\/ip[fn]s\//.test(pathname)
}

/** Where a torrent may be fetched from by a person's word: web seeds, and BitTorrent peers. */
export interface NamedSources {
  readonly webSeeds: readonly string[]
  readonly peers: readonly string[]
}

/** @throws ShareError BAD_ADDRESS */
export function torrentSources(named: readonly string[]): NamedSources {
  const webSeeds = named.filter((address) => /^https?:/i.test(address) && URL.canParse(address))
  const peers = named.filter((address) => !webSeeds.includes(address))
  for (const address of peers) {
    if (isHostAndPort(address)) continue
    throw new ShareError(
      'BAD_ADDRESS',
      `not an address of a BitTorrent peer: ${printable(address)}`,
      'it looks like 192.0.2.1:6881; web seeds are URLs; multiaddrs are for what has a CID',
    )
  }
  return { webSeeds, peers }
}

/** `192.0.2.1:6881`, `[2001:db8::1]:6881`, `example.org:6881`. */
function isHostAndPort(text: string): boolean {
  const [, host = '', port = ''] = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]{1,253}):(\d{1,5})$/i.exec(text) ?? []
  return host !== '' && Number(port) > 0 && Number(port) <= 65_535 && isGatewayUrl(`http://${host}/`)
}
