/** A thread that hashes chunks of open files: four at once while there are so many, the rest one by one. */
import { hash } from 'node:crypto'
import { readSync } from 'node:fs'
import { answering } from './calls.ts'
import { CHUNK_BYTES, type Chunk, type Job } from './files.ts'
import { DIGEST_BYTES, LANES, Lanes } from './lanes.ts'

const lanes = new Lanes()

/** For what does not go by lanes. */
let alone: Uint8Array | undefined

answering<Job, Uint8Array | undefined>(({ file, chunks }) => {
  const digests = Buffer.alloc(chunks.length * DIGEST_BYTES)
  for (let done = 0; done < chunks.length; done += LANES) {
    const some = chunks.slice(done, done + LANES)
    const made = isFull(some) ? fourAtOnce(file, some) : oneByOne(file, some)
    if (made === undefined) return undefined
    made.copy(digests, done * DIGEST_BYTES)
  }
  return digests
})

function isFull(chunks: readonly Chunk[]): boolean {
  return chunks.length === LANES && chunks.every(({ length }) => length === CHUNK_BYTES)
}

function fourAtOnce(file: number, chunks: readonly Chunk[]): Buffer | undefined {
  return lanes.digests(CHUNK_BYTES, (lane, at, into) => fill(file, (chunks[lane]?.at ?? 0) + at, into))
}

function oneByOne(file: number, chunks: readonly Chunk[]): Buffer | undefined {
  const digests: Buffer[] = []
  for (const { at, length } of chunks) {
    alone ??= new Uint8Array(CHUNK_BYTES)
    const bytes = alone.subarray(0, length)
    if (!fill(file, at, bytes)) return undefined
    digests.push(hash('sha256', bytes, 'buffer'))
  }
  return Buffer.concat(digests)
}

/** False when the file ends before. */
function fill(file: number, at: number, into: Uint8Array): boolean {
  for (let got = 0; got < into.length; ) {
    const read = readSync(file, into, got, into.length - got, at + got)
    if (read === 0) return false
    got += read
  }
  return true
}
