/**
 * The digests of a share's pieces as they are kept: those of the first so many pieces, so that hashing goes on where it was
 * interrupted. They belong to the content, like the CID: neither the torrent's name nor where the bytes lie changes them.
 */
import { asDictionary, bytesAt, decodeBencode, encodeBencode, integerAt } from '../core/bencode.ts'
import { MalformedBencode } from '../core/bencode-guard.ts'
import { SHA1_BYTES } from './info.ts'
import type { Layout } from './layout.ts'
import { HASH_BYTES } from './merkle.ts'
import type { PieceDigests } from './write-info.ts'

const VERSION = 1

/** @param digests of the first pieces of the layout */
export function encodeDigests(
  { pieceLength }: Pick<Layout, 'pieceLength'>,
  digests: PieceDigests,
): Uint8Array {
  return encodeBencode({
    hashes: digests.hashes,
    'piece length': pieceLength,
    sha1s: digests.sha1s,
    v: VERSION,
  })
}

/**
 * What a row has of this layout's digests: of all pieces, or of the first ones. None where the row is of another form.
 * @param trees the layout is padded, so there are hashes of v2 too
 */
export function decodeDigests(
  row: Uint8Array | undefined,
  { pieceLength, pieces }: Pick<Layout, 'pieceLength' | 'pieces'>,
  trees: boolean,
): PieceDigests {
  const none = { sha1s: new Uint8Array(0), hashes: new Uint8Array(0) }
  const kept = row && dictionaryOf(row)
  if (
    kept === undefined ||
    integerAt(kept, 'v') !== VERSION ||
    integerAt(kept, 'piece length') !== pieceLength
  )
    return none
  const sha1s = bytesAt(kept, 'sha1s') ?? none.sha1s
  const hashes = bytesAt(kept, 'hashes') ?? none.hashes
  const count = sha1s.length / SHA1_BYTES
  const fits =
    Number.isInteger(count) && count <= pieces && hashes.length === (trees ? count * HASH_BYTES : 0)
  return fits ? { sha1s, hashes } : none
}

function dictionaryOf(row: Uint8Array) {
  try {
    return asDictionary(decodeBencode(row, { maxBytes: row.length }))
  } catch (thrown) {
    if (thrown instanceof MalformedBencode) return undefined
    throw thrown
  }
}
