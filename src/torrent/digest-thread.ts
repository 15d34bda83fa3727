/** A thread that digests up to four pieces at once, as the torrents of both versions name them, and a share's leaves. */
import { createHash } from 'node:crypto'
import { answeringWith } from '../content/hashing/calls.ts'
import { Digests, partsOf } from '../content/hashing/digests.ts'
import { CHUNK_BYTES } from '../content/hashing/files.ts'
import { Lanes, WORTH_LANES } from '../content/hashing/lanes.ts'
import { SHA1 } from '../content/hashing/sha1-code.ts'
import type { PieceDigest, PieceJob } from './digesting.ts'
import { BLOCK_BYTES, pieceHash } from './merkle.ts'

const NOTHING = new Uint8Array(0)

/** Pads are hashed in steps of these. */
const ZEROS = new Uint8Array(64 << 10)

// most torrents need one of them alone
const sha1Lanes = once(() => new Lanes(SHA1))
const sha256 = once(() => new Digests())

answeringWith(digestAll, (digests) => digests.map(({ buffer }) => buffer.buffer))

function digestAll(jobs: readonly PieceJob[]): PieceDigest[] {
  const sha1s = isEven(jobs) ? sha1Lanes().digestsOf(jobs.map(bytesOf)) : jobs.map(sha1Of)
  const leaves = leafDigests(jobs)
  return jobs.map((job, at) => ({
    sha1: sha1s[at] ?? NOTHING,
    hash: treeHash(job),
    leaves: leaves[at] ?? NOTHING,
    buffer: job.buffer,
  }))
}

const bytesOf = ({ buffer, size }: PieceJob): Uint8Array => buffer.subarray(0, size)

/** Enough pieces, all of one size, to be hashed side by side. */
function isEven(jobs: readonly PieceJob[]): boolean {
  const size = jobs[0]?.size ?? 0
  return (
    jobs.length >= WORTH_LANES &&
    size % BLOCK_BYTES === 0 &&
    jobs.every((job) => job.zeros === 0 && job.size === size)
  )
}

function sha1Of(job: PieceJob): Uint8Array {
  if (job.zeros === undefined) return NOTHING
  const hash = createHash('sha1').update(bytesOf(job))
  for (let left = job.zeros; left > 0; left -= ZEROS.length) hash.update(ZEROS.subarray(0, left))
  return hash.digest()
}

/** Of each piece: the leaves of all of them are hashed together. */
function leafDigests(jobs: readonly PieceJob[]): Uint8Array[] {
  const leaves = jobs.map((job) => (job.leaves ? partsOf(bytesOf(job), CHUNK_BYTES) : []))
  const all = leaves.flat()
  if (all.length === 0) return []
  const digests = sha256().of(all)
  return leaves.map(({ length }) => Buffer.concat(digests.splice(0, length)))
}

function treeHash(job: PieceJob): Uint8Array {
  const { file } = job
  if (file === undefined) return NOTHING
  const blocks = sha256().of(partsOf(bytesOf(job), BLOCK_BYTES))
  return pieceHash(Buffer.concat(blocks), file.size, file.pieceLength)
}

function once<T>(make: () => T): () => T {
  let made: T | undefined
  return () => (made ??= make())
}
