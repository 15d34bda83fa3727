/** CIDs at the edges of the program: parsing what people type, and one canonical text for a root. */
import { base32, base32upper } from 'multiformats/bases/base32'
import { base36, base36upper } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { ShareError } from './errors.ts'
import { type BlockKey, type RootKey, rootKey } from './types.ts'

export const RAW = raw.code
export const DAG_PB = 0x70
export const DAG_CBOR = 0x71
export const TORRENT_INFO = 0x7b
export const SHA1 = 0x11
export const SHA2_256 = 0x12
export const IDENTITY = 0x00

/** Largest identity CID that is accepted, in digest bytes: they carry data in the name. */
export const MAX_IDENTITY_BYTES = 128

const bases = base32.decoder
  .or(base32upper.decoder)
  .or(base36.decoder)
  .or(base36upper.decoder)
  .or(base58btc.decoder)

/**
 * Parses a CID that a person typed, v0 or v1, in base32, base36 (in capitals too) or base58btc.
 * @throws ShareError BAD_CID when it is malformed, UNSUPPORTED when it names a codec or hash that cannot be checked
 */
export function parseCid(text: string): CID {
  const cid = readCid(text)
  const reason = unsupported(cid)
  if (reason !== undefined)
    throw new ShareError(
      'UNSUPPORTED',
      `cannot fetch ${text}: ${reason}`,
      'only UnixFS content (raw and dag-pb, sha2-256) is supported',
    )
  return cid
}

/**
 * Parses a CID, whatever it names.
 * @throws ShareError BAD_CID
 */
export function readCid(text: string): CID {
  try {
    return text.startsWith('Qm') ? CID.parse(text) : CID.parse(text, bases)
  } catch (cause) {
    throw new ShareError(
      'BAD_CID',
      `not a CID: ${printable(text)}`,
      'a CID looks like bafybei… or Qm…; copy it whole',
      { cause },
    )
  }
}

/** Why blocks under this CID cannot be used here, or undefined when they can. */
export function unsupported(cid: CID): string | undefined {
  return cid.code !== RAW && cid.code !== DAG_PB ? `codec 0x${cid.code.toString(16)}` : unverifiable(cid)
}

/** Why blocks under this CID cannot be checked, or undefined when they can. */
export function unverifiable(cid: CID): string | undefined {
  if (cid.multihash.code === IDENTITY) {
    return cid.multihash.digest.length > MAX_IDENTITY_BYTES ? 'an identity CID over 128 bytes' : undefined
  }
  if (cid.multihash.code !== SHA2_256) return `hash function 0x${cid.multihash.code.toString(16)}`
  return cid.multihash.digest.length === 32 ? undefined : 'a truncated hash'
}

/** The canonical text of a root: CIDv1 in base32, so that v0 and v1 of one block are one share. */
export function rootKeyOf(cid: CID): RootKey {
  return rootKey(cid.toV1().toString(base32))
}

export function cidOf(root: RootKey): CID {
  return CID.parse(root, base32)
}

/** Whether it stands for a torrent whose content has no CID yet: the CID of its info dictionary. */
export function isTorrentRoot(root: RootKey): boolean {
  return cidOf(root).code === TORRENT_INFO
}

/** A block's identity as a map key: its multihash, so that CIDs of one block that differ in version or codec meet. */
export function blockKey(cid: CID): BlockKey {
  return Buffer.from(cid.multihash.bytes).toString('latin1') as BlockKey
}

/** What a stranger or a shell gave us, safe to print: no control or bidi characters, bounded length. */
export function printable(text: string, limit = 200): string {
  const clean = text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '\ufffd')
  if (clean.length <= limit) return clean
  // not in the middle of a character of two units
  return `${clean.slice(0, limit).replace(/[\ud800-\udbff]$/, '')}…`
}
