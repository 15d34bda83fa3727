/** Threads that read and hash chunks of open files; they start with the first job and end on disposal. */
import { availableParallelism } from 'node:os'
import { Calls, threadBeside } from './calls.ts'
import { DIGEST_BYTES } from './lanes.ts'

/** Chunks are of this size, save for the last of a file. */
export const CHUNK_BYTES = 1 << 20

/** More would wait for each other's memory and disk. */
const MOST_THREADS = 4

/** Chunks of one job: two times what is hashed at once, for a thread never waits while the next one is asked for. */
const JOB_CHUNKS = 8

/** Jobs that a thread has: one that it works on, and one to follow. */
const JOBS_A_THREAD = 2

const THREAD = threadBeside(import.meta.url, 'file-thread')

export interface Chunk {
  readonly at: number
  /** `CHUNK_BYTES`, or what a file has left. */
  readonly length: number
}

export interface Job {
  /** A descriptor that stays open until the answer. */
  readonly file: number
  readonly chunks: readonly Chunk[]
}

/** A thread's answer: the digests of the chunks, one after the other; none where the file was shorter. */
type FileThread = Calls<Job, Uint8Array | undefined>

/** The digest of a file's chunk with this number, where it is known without reading. */
export type KnownDigests = (chunk: number) => Uint8Array | undefined

const NOTHING_KNOWN: KnownDigests = () => undefined

export class FileHasher {
  readonly #most: number
  readonly #threads: FileThread[] = []

  /** @param most threads; as many as there are cores unless said */
  constructor(most: number = Math.min(availableParallelism(), MOST_THREADS)) {
    this.#most = most
  }

  /** The digests of these chunks, one after the other; `undefined` where the file ends too soon. Throws what reading throws. */
  hash(job: Job): Promise<Uint8Array | undefined> {
    return leastBusy(this.#started()).ask(job)
  }

  /** The digests of a file's chunks in order, a job's at a time; only what is not known is read. */
  async *digests(
    file: number,
    size: number,
    known: KnownDigests = NOTHING_KNOWN,
  ): AsyncGenerator<Uint8Array | undefined, void, undefined> {
    const jobs: Promise<Uint8Array | undefined>[] = []
    const chunks = Math.ceil(size / CHUNK_BYTES)
    let next = 0
    const ask = (): void => {
      for (; next < chunks && jobs.length < this.#most * JOBS_A_THREAD; next += JOB_CHUNKS) {
        const end = Math.min(chunks, next + JOB_CHUNKS)
        const answer = this.#completed(file, chunksOf(size, next, end), known)
        // it is awaited in its turn
        answer.catch(() => {})
        jobs.push(answer)
      }
    }
    try {
      for (ask(); jobs.length > 0; ask()) yield await jobs.shift()
    } finally {
      // the file may be closed only when nobody reads from it
      await Promise.allSettled(jobs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()))
  }

  /** What is known of these chunks, with what has to be read. */
  async #completed(
    file: number,
    chunks: readonly Chunk[],
    known: KnownDigests,
  ): Promise<Uint8Array | undefined> {
    const digests = chunks.map(({ at }) => known(at / CHUNK_BYTES))
    const lacking = chunks.filter((_, at) => digests[at] === undefined)
    const read = lacking.length === 0 ? new Uint8Array(0) : await this.hash({ file, chunks: lacking })
    if (read === undefined || lacking.length === chunks.length) return read
    let taken = 0
    return Buffer.concat(
      digests.map((digest) => digest ?? read.subarray(taken * DIGEST_BYTES, ++taken * DIGEST_BYTES)),
    )
  }

  #started(): readonly FileThread[] {
    while (this.#threads.length < this.#most) this.#threads.push(new Calls(THREAD))
    return this.#threads
  }
}

/** The chunks of a file from one number up to another. */
function chunksOf(size: number, from: number, end: number): Chunk[] {
  return Array.from({ length: end - from }, (_, index) => chunkOf(size, from + index))
}

export function chunkOf(size: number, chunk: number): Chunk {
  const at = chunk * CHUNK_BYTES
  return { at, length: Math.min(CHUNK_BYTES, size - at) }
}

function leastBusy([first, ...others]: readonly FileThread[]): FileThread {
  if (first === undefined) throw new Error('there are no threads')
  return others.reduce((least, other) => (other.pending < least.pending ? other : least), first)
}
