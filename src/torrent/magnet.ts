/**
 * Magnet links: one string that names the same content for several networks. `xt` carries the info hashes (BEP 9: `urn:btih:`
 * of v1, `urn:btmh:` of v2) and the CID (`urn:ipfs:`), `dn` a name, `x.pe` addresses of BitTorrent peers, `x.ma` multiaddrs of
 * libp2p ones, `tr` trackers, `ws` web seeds. Parameters that are not known are not looked at.
 */
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { checkedTiers } from './announce-list.ts'
import { HASH_BYTES } from './merkle.ts'
import { parseV1Hash } from './torrent-root.ts'
import { isWebUrl } from './tracker-url.ts'

export interface Magnet {
  /** The CID, and maybe a path under it, as it is written. */
  readonly content: string | undefined
  /** SHA-1, 20 bytes. */
  readonly v1: Uint8Array | undefined
  /** SHA-256, 32 bytes. */
  readonly v2: Uint8Array | undefined
  readonly name: string | undefined
  /** `host:port` of BitTorrent peers. */
  readonly peers: readonly string[]
  readonly multiaddrs: readonly string[]
  readonly trackers: readonly string[]
  readonly webSeeds: readonly string[]
}

const NOTHING: Magnet = {
  content: undefined,
  v1: undefined,
  v2: undefined,
  name: undefined,
  peers: [],
  multiaddrs: [],
  trackers: [],
  webSeeds: [],
}

const IPFS = 'urn:ipfs:'
const BTIH = 'urn:btih:'
const BTMH = 'urn:btmh:'
/** A multihash: sha2-256, of 32 bytes. */
const SHA2_256_PREFIX = '1220'

/** Longer ones are not made by hand, nor by any program. */
const MOST_LENGTH = 64 << 10
/** Of each parameter that may stand several times. */
const MOST_ADDRESSES = 100

export function formatMagnet(magnet: Partial<Magnet>): string {
  const { content, v1, v2, name, peers, multiaddrs, trackers, webSeeds } = { ...NOTHING, ...magnet }
  // simple programs look at the first topic alone, and know that of v1
  const fields = [
    ...(v1 === undefined ? [] : [`xt=${BTIH}${hex(v1)}`]),
    ...(v2 === undefined ? [] : [`xt=${BTMH}${SHA2_256_PREFIX}${hex(v2)}`]),
    ...(content === undefined ? [] : [`xt=${IPFS}${content}`]),
    ...(name === undefined ? [] : [`dn=${encodeURIComponent(name)}`]),
    ...trackers.map((url) => `tr=${encodeURIComponent(url)}`),
    ...webSeeds.map((url) => `ws=${encodeURIComponent(url)}`),
    ...peers.map((peer) => `x.pe=${peer}`),
    ...multiaddrs.map((address) => `x.ma=${encodeURIComponent(address)}`),
  ]
  return `magnet:?${fields.join('&')}`
}

/** Addresses that cannot be used are left out: others may do. @throws ShareError BAD_LINK */
export function parseMagnet(text: string): Magnet {
  if (text.length > MOST_LENGTH) throw badLink(text, 'it is too long')
  const question = text.indexOf('?')
  if (!text.startsWith('magnet:') || question < 0) throw badLink(text, 'it does not begin with magnet:?')
  const fields = new URLSearchParams(text.slice(question + 1))
  const topics = valuesOf(fields, 'xt')
  return {
    content: topics.find((topic) => topic.startsWith(IPFS))?.slice(IPFS.length),
    v1: hashIn(text, topics, BTIH, parseV1Hash),
    v2: hashIn(text, topics, BTMH, infoHashV2),
    name: fields.get('dn') ?? undefined,
    peers: valuesOf(fields, 'x.pe').filter(isHostAndPort),
    multiaddrs: valuesOf(fields, 'x.ma'),
    trackers: checkedTiers([valuesOf(fields, 'tr')]).flat(),
    webSeeds: valuesOf(fields, 'ws').filter(isWebUrl),
  }
}

/** Of `key`, and of `key.1`, `key.2`, … as some programs number them. */
function valuesOf(fields: URLSearchParams, key: string): string[] {
  const found = [...fields].filter(
    ([name]) => name === key || (name.startsWith(`${key}.`) && /^\d+$/.test(name.slice(key.length + 1))),
  )
  return found.slice(0, MOST_ADDRESSES).map(([, value]) => value)
}

function hashIn(
  text: string,
  topics: readonly string[],
  urn: string,
  read: (written: string) => Uint8Array | undefined,
): Uint8Array | undefined {
  const topic = topics.find((each) => each.startsWith(urn))
  if (topic === undefined) return undefined
  const hash = read(topic.slice(urn.length))
  if (hash === undefined) throw badLink(text, `${printable(topic, 80)} is no info hash`)
  return hash
}

/** A multihash in hex: `1220` and 64 digits; undefined for anything else. */
function infoHashV2(written: string): Uint8Array | undefined {
  const digits = written.slice(SHA2_256_PREFIX.length)
  const fits =
    written.startsWith(SHA2_256_PREFIX) && digits.length === 2 * HASH_BYTES && /^[0-9a-f]+$/i.test(digits)
  return fits ? Buffer.from(digits, 'hex') : undefined
}

/** `192.0.2.1:6881`, `[2001:db8::1]:6881`, `example.org:6881`. */
export function isHostAndPort(text: string): boolean {
  const [, host = '', port = ''] = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]{1,253}):(\d{1,5})$/i.exec(text) ?? []
  return host !== '' && Number(port) > 0 && Number(port) <= 65_535 && URL.canParse(`http://${host}`)
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function badLink(text: string, reason: string): ShareError {
  return new ShareError(
    'BAD_LINK',
    `not a link: ${printable(text, 60)} (${reason})`,
    '`share link CID` prints one; copy it whole, in quotes',
  )
}
