/**
 * A thread that hashes pieces which are moved to it and back, up to four at once: that takes two thirds of the time of one
 * after the other. So while they come fast, one waits for others.
 */
import { hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { reply } from './calls.ts'
import { CHUNK_BYTES } from './files.ts'
import { DIGEST_BYTES, LANES, Lanes } from './lanes.ts'
import type { Hashed } from './pieces.ts'

/** Four lanes take as long as two and a half pieces one after the other, however many of them are in use. */
const WORTH_LANES = 3

/** Pieces come fast when four come within this, in ms; and so long one waits at most. */
const FAST_MS = 50

const NOTHING = new Uint8Array(0)

const lanes = new Lanes()
const waiting: Uint8Array<ArrayBuffer>[] = []
/** When the last four came, the oldest first. */
const came: number[] = Array(LANES).fill(Number.NEGATIVE_INFINITY)
let timer: NodeJS.Timeout | undefined

parentPort?.on('message', (piece: Uint8Array<ArrayBuffer>) => {
  waiting.push(piece)
  came.push(performance.now())
  came.shift()
  if (waiting.length === LANES || !isFull(piece)) hashAll()
  else timer ??= setTimeout(hashAll, isFast() ? FAST_MS : 0)
})

function isFast(): boolean {
  const [first = 0, last = 0] = [came[0], came.at(-1)]
  return last - first < FAST_MS
}

function hashAll(): void {
  clearTimeout(timer)
  timer = undefined
  const pieces = waiting.splice(0)
  const digests = digestsOf(pieces)
  for (const [at, piece] of pieces.entries())
    reply<Hashed>({ piece, digest: digests[at] ?? NOTHING }, [piece.buffer])
}

/** Lanes are of full pieces. */
function isFull({ length }: Uint8Array): boolean {
  return length === CHUNK_BYTES
}

function digestsOf(pieces: readonly Uint8Array[]): Uint8Array[] {
  if (pieces.length < WORTH_LANES || !pieces.every(isFull))
    return pieces.map((piece) => hash('sha256', piece, 'buffer'))
  const digests = lanes.digests(CHUNK_BYTES, (lane, at, into) => {
    const piece = pieces[lane]
    // a lane that nobody needs hashes what lies in it
    if (piece !== undefined) into.set(piece.subarray(at, at + into.length))
    return true
  })
  return pieces.map((_, lane) => digests?.subarray(lane * DIGEST_BYTES, (lane + 1) * DIGEST_BYTES) ?? NOTHING)
}
