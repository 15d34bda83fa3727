/** The thread that digest-thread.ts starts: digests of one piece after the other. */
import { hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { PieceDigest, PieceJob } from './digest-thread.ts'
import { blockHashes, pieceHash } from './merkle.ts'

parentPort?.on('message', (job: PieceJob) => {
  const digest = digestOf(job)
  parentPort?.postMessage(digest, [digest.buffer.buffer])
})

function digestOf({ buffer, size, zeros, file }: PieceJob): PieceDigest {
  buffer.fill(0, size, size + zeros)
  const blocks = file && blockHashes(buffer.subarray(0, size))
  return {
    sha1: hash('sha1', buffer.subarray(0, size + zeros), 'buffer'),
    hash:
      blocks === undefined ? new Uint8Array(0) : pieceHash(blocks, file?.size ?? 0, file?.pieceLength ?? 0),
    buffer,
  }
}
