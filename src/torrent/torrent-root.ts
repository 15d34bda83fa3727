/**
 * What a torrent is known by on this node before its content has a CID: the CID of its info dictionary (codec
 * `torrent-info`), of v1's hash where that is known, else of v2's. So all that goes by roots goes for torrents too.
 */
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { rootKeyOf, SHA1, SHA2_256, TORRENT_INFO } from '../core/cid.ts'
import type { RootKey } from '../core/types.ts'
import { type InfoHashes, SHA1_BYTES } from './info.ts'
import { HASH_BYTES } from './merkle.ts'

export function torrentRoot({ v1, v2 }: InfoHashes): RootKey {
  const digest = v1 === undefined ? v2 && Digest.create(SHA2_256, v2) : Digest.create(SHA1, v1)
  if (digest === undefined) throw new RangeError('no info hash')
  return rootKeyOf(CID.createV1(TORRENT_INFO, digest))
}

/**
 * An info hash as people write it: 40 digits of hex or 32 of base32 for v1; 64 digits of hex, with or without `1220`
 * before them, for v2; and the CID of an info dictionary. Undefined for anything else.
 */
export function parseInfoHash(text: string): InfoHashes | undefined {
  const v1 = parseV1Hash(text)
  if (v1 !== undefined) return { v1, v2: undefined }
  const [, digits] = /^(?:1220)?([0-9a-f]{64})$/i.exec(text) ?? []
  if (digits !== undefined) return { v1: undefined, v2: Buffer.from(digits, 'hex') }
  return hashesInCid(text)
}

/** 40 digits of hex, or 32 of base32; undefined for anything else. */
export function parseV1Hash(written: string): Uint8Array | undefined {
  if (/^[0-9a-f]{40}$/i.test(written)) return Buffer.from(written, 'hex')
  return /^[a-z2-7]{32}$/i.test(written) ? base32.baseDecode(written.toLowerCase()) : undefined
}

function hashesInCid(text: string): InfoHashes | undefined {
  if (!/^b[a-z2-7]{30,80}$/.test(text)) return undefined
  try {
    const { code, multihash } = CID.parse(text, base32)
    if (code !== TORRENT_INFO) return undefined
    const { code: kind, digest } = multihash
    if (kind === SHA1 && digest.length === SHA1_BYTES) return { v1: digest, v2: undefined }
    return kind === SHA2_256 && digest.length === HASH_BYTES ? { v1: undefined, v2: digest } : undefined
  } catch {
    return undefined
  }
}

/** Whether two sets of hashes name one torrent, as far as they tell. */
export function sameTorrent(one: InfoHashes, other: InfoHashes): boolean {
  return isSame(one.v1, other.v1) || isSame(one.v2, other.v2)
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one !== undefined && other !== undefined && Buffer.compare(one, other) === 0
}
