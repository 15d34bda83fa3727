/** A thread that hashes chunks of open files: four at once while there are so many, the rest one by one. */
import { hash } from 'node:crypto'
import { readSync } from 'node:fs'
import { answering } from './calls.ts'
import { CHUNK_BYTES, type Job } from './files.ts'
import { DIGEST_BYTES, Lanes } from './lanes.ts'

const lanes = new Lanes(CHUNK_BYTES)

answering<Job, Uint8Array | undefined>(({ file, at, length }) => {
  const digests = Buffer.alloc(Math.ceil(length / CHUNK_BYTES) * DIGEST_BYTES)
  for (let done = 0, filled = 0; done < length; ) {
    const bytes = lanes.chunks.subarray(0, Math.min(lanes.chunks.length, length - done))
    if (!fill(file, at + done, bytes)) return undefined
    filled += (bytes.length === lanes.chunks.length ? lanes.digests() : oneByOne(bytes)).copy(digests, filled)
    done += bytes.length
  }
  return digests
})

/** False when the file ends before. */
function fill(file: number, at: number, bytes: Uint8Array): boolean {
  for (let got = 0; got < bytes.length; ) {
    const read = readSync(file, bytes, got, bytes.length - got, at + got)
    if (read === 0) return false
    got += read
  }
  return true
}

function oneByOne(bytes: Uint8Array): Buffer {
  const digests: Buffer[] = []
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
    digests.push(hash('sha256', bytes.subarray(at, at + CHUNK_BYTES), 'buffer'))
  return Buffer.concat(digests)
}
