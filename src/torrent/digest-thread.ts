/** A thread that digests one piece after the other, as the torrents of both versions name it. */
import { hash } from 'node:crypto'
import { answeringWith } from '../content/hashing/calls.ts'
import type { PieceDigest, PieceJob } from './digesting.ts'
import { blockHashes, pieceHash } from './merkle.ts'

const NOTHING = new Uint8Array(0)

answeringWith(digestOf, ({ buffer }) => buffer.buffer)

function digestOf({ buffer, size, zeros, file }: PieceJob): PieceDigest {
  buffer.fill(0, size, size + zeros)
  const blocks = file && blockHashes(buffer.subarray(0, size))
  return {
    sha1: hash('sha1', buffer.subarray(0, size + zeros), 'buffer'),
    hash: blocks === undefined ? NOTHING : pieceHash(blocks, file?.size ?? 0, file?.pieceLength ?? 0),
    buffer,
  }
}
