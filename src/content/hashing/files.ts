/** Threads that read and hash long files, as many as there are cores; they start with the first file and end on disposal. */
import { availableParallelism } from 'node:os'
import { Calls, threadBeside } from './calls.ts'

/** Chunks are of this size, save for the last of a file. */
export const CHUNK_BYTES = 1 << 20

/** More would wait for each other's memory and disk. */
const MOST_THREADS = 4

/** Chunks of one job: two times what is hashed at once, for a thread never waits while the next one is asked for. */
const JOB_BYTES = 8 * CHUNK_BYTES

/** Jobs that a thread has: one that it works on, and one to follow. */
const JOBS_A_THREAD = 2

const THREAD = threadBeside(import.meta.url, 'file-thread')

export interface Job {
  /** A descriptor that stays open until the answer. */
  readonly file: number
  readonly at: number
  readonly length: number
}

/** A thread's answer: the digests of the chunks, one after the other; none where the file was shorter. */
type FileThread = Calls<Job, Uint8Array | undefined>

export class FileHasher {
  readonly #threads: FileThread[] = []

  /** The digests of a file's chunks in order, a job's at a time. Throws what reading throws; `undefined` where the file ends too soon. */
  async *digests(file: number, size: number): AsyncGenerator<Uint8Array | undefined, void, undefined> {
    const jobs: Promise<Uint8Array | undefined>[] = []
    const threads = this.#started()
    let at = 0
    const ask = (): void => {
      for (; at < size && jobs.length < threads.length * JOBS_A_THREAD; at += JOB_BYTES) {
        const length = Math.min(JOB_BYTES, size - at)
        const answer = leastBusy(threads).ask({ file, at, length })
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

  #started(): readonly FileThread[] {
    const wanted = Math.min(availableParallelism(), MOST_THREADS)
    while (this.#threads.length < wanted) this.#threads.push(new Calls(THREAD))
    return this.#threads
  }
}

function leastBusy([first, ...others]: readonly FileThread[]): FileThread {
  if (first === undefined) throw new Error('there are no threads')
  return others.reduce((least, other) => (other.pending < least.pending ? other : least), first)
}
