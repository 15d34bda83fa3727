/** A thread that hashes chunks of open files: four at once while there are so many, the rest one by one. */
import { hash } from 'node:crypto'
import { readSync } from 'node:fs'
import { answering } from './calls.ts'
import { CHUNK_BYTES, type Chunk, type Job } from './files.ts'
import { DIGEST_BYTES, LANES, Lanes } from './lanes.ts'

const lanes = new Lanes(CHUNK_BYTES)

answering<Job, Uint8Array | undefined>(({ file, chunks }) => {
  const digests = Buffer.alloc(chunks.length * DIGEST_BYTES)
  for (let done = 0; done < chunks.length; done += LANES) {
    const some = chunks.slice(done, done + LANES)
    for (const [lane, chunk] of some.entries()) if (!fill(file, chunk, lane)) return undefined
    digestsOf(some).copy(digests, done * DIGEST_BYTES)
  }
  return digests
})

/** False when the file ends before. */
function fill(file: number, { at, length }: Chunk, lane: number): boolean {
  const start = lane * CHUNK_BYTES
  for (let got = 0; got < length; ) {
    const read = readSync(file, lanes.chunks, start + got, length - got, at + got)
    if (read === 0) return false
    got += read
  }
  return true
}

/** Of chunks that lie in the lanes. */
function digestsOf(chunks: readonly Chunk[]): Buffer {
  if (chunks.length === LANES && chunks.every(({ length }) => length === CHUNK_BYTES)) return lanes.digests()
  return Buffer.concat(
    chunks.map(({ length }, lane) => {
      const start = lane * CHUNK_BYTES
      return hash('sha256', lanes.chunks.subarray(start, start + length), 'buffer')
    }),
  )
}
