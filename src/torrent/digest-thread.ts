/** A thread that digests one piece after the other, as the torrents of both versions name it. */
import { createHash } from 'node:crypto'
import { answeringWith } from '../content/hashing/calls.ts'
import type { PieceDigest, PieceJob } from './digesting.ts'
import { blockHashes, pieceHash } from './merkle.ts'

const NOTHING = new Uint8Array(0)

/** Pads are hashed in steps of these. */
const ZEROS = new Uint8Array(64 << 10)

answeringWith(digestOf, ({ buffer }) => buffer.buffer)

function digestOf({ buffer, size, zeros, file }: PieceJob): PieceDigest {
  const bytes = buffer.subarray(0, size)
  const blocks = file && blockHashes(bytes)
  return {
    sha1: zeros === undefined ? NOTHING : sha1(bytes, zeros),
    hash: blocks === undefined ? NOTHING : pieceHash(blocks, file?.size ?? 0, file?.pieceLength ?? 0),
    buffer,
  }
}

function sha1(bytes: Uint8Array, zeros: number): Uint8Array {
  const hash = createHash('sha1').update(bytes)
  for (let left = zeros; left > 0; left -= ZEROS.length) hash.update(ZEROS.subarray(0, left))
  return hash.digest()
}
