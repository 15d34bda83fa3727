/** A thread that hashes pieces which are moved to it and back. Those that came while it was busy are hashed together, up to four at once. */
import { hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { reply } from './calls.ts'
import { CHUNK_BYTES } from './files.ts'
import { DIGEST_BYTES, LANES, Lanes } from './lanes.ts'
import type { Hashed } from './pieces.ts'

/** From two on, four lanes are sooner done than one after the other. */
const WORTH_LANES = 2

const NOTHING = new Uint8Array(0)

const lanes = new Lanes(CHUNK_BYTES)
const waiting: Uint8Array<ArrayBuffer>[] = []

parentPort?.on('message', (piece: Uint8Array<ArrayBuffer>) => {
  waiting.push(piece)
  if (waiting.length === 1) setImmediate(hashSome)
})

function hashSome(): void {
  const pieces = waiting.splice(0, LANES)
  const digests = digestsOf(pieces)
  for (const [at, piece] of pieces.entries())
    reply<Hashed>({ piece, digest: digests[at] ?? NOTHING }, [piece.buffer])
  if (waiting.length > 0) setImmediate(hashSome)
}

function digestsOf(pieces: readonly Uint8Array[]): Uint8Array[] {
  const isFull = ({ length }: Uint8Array): boolean => length === CHUNK_BYTES
  if (pieces.length < WORTH_LANES || !pieces.every(isFull))
    return pieces.map((piece) => hash('sha256', piece, 'buffer'))
  for (const [lane, piece] of pieces.entries()) lanes.chunks.set(piece, lane * CHUNK_BYTES)
  const digests = lanes.digests()
  return pieces.map((_, lane) => digests.subarray(lane * DIGEST_BYTES, (lane + 1) * DIGEST_BYTES))
}
