/** Threads that read and hash long files, as many as there are cores; they start with the first file and end on disposal. */
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

/** Chunks are of this size, save for the last of a file. */
export const CHUNK_BYTES = 1 << 20

/** More would wait for each other's memory and disk. */
const MOST_THREADS = 4

/** Chunks of one job: two times what is hashed at once, for a thread never waits while the next one is asked for. */
const JOB_BYTES = 8 * CHUNK_BYTES

/** Jobs that a thread has: one that it works on, and one to follow. */
const JOBS_A_THREAD = 2

export interface Job {
  /** A descriptor that stays open until the answer. */
  readonly file: number
  readonly at: number
  readonly length: number
}

/** The digests of its chunks, one after the other; without any the file was shorter. */
export type Answer =
  | { readonly digests: Uint8Array | undefined }
  | { readonly message: string; readonly code: string | undefined }

// sources run as they are, or as what they were built into
const THREAD = new URL(`thread${extname(import.meta.url)}`, import.meta.url)

export class HashThreads {
  readonly #threads: HashThread[] = []

  /** The digests of a file's chunks in order, a job's at a time. Throws what reading throws; `undefined` where the file ends too soon. */
  async *digests(file: number, size: number): AsyncGenerator<Uint8Array | undefined, void, undefined> {
    const jobs: Promise<Uint8Array | undefined>[] = []
    const threads = this.#started()
    let at = 0
    const ask = (): void => {
      for (; at < size && jobs.length < threads.length * JOBS_A_THREAD; at += JOB_BYTES) {
        const length = Math.min(JOB_BYTES, size - at)
        const answer = leastBusy(threads).hash({ file, at, length })
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

  #started(): readonly HashThread[] {
    const wanted = Math.min(availableParallelism(), MOST_THREADS)
    while (this.#threads.length < wanted) this.#threads.push(new HashThread())
    return this.#threads
  }
}

/** One thread, and the jobs that it has not answered, in order. */
class HashThread {
  readonly #worker = new Worker(THREAD)
  readonly #waiting: PromiseWithResolvers<Uint8Array | undefined>[] = []

  constructor() {
    this.#worker.on('message', (answer: Answer) => this.#answered(answer))
    this.#worker.on('error', (error) => this.#failed(error))
    this.#worker.on('exit', () => this.#failed(new Error('the thread that hashes has ended')))
  }

  get jobs(): number {
    return this.#waiting.length
  }

  hash(job: Job): Promise<Uint8Array | undefined> {
    const waiting = Promise.withResolvers<Uint8Array | undefined>()
    this.#waiting.push(waiting)
    this.#worker.postMessage(job)
    return waiting.promise
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.shift()
    if ('digests' in answer) waiting?.resolve(answer.digests)
    else waiting?.reject(Object.assign(new Error(answer.message), { code: answer.code }))
  }

  #failed(error: unknown): void {
    for (const waiting of this.#waiting.splice(0)) waiting.reject(error)
  }
}

function leastBusy([first, ...others]: readonly HashThread[]): HashThread {
  if (first === undefined) throw new Error('there are no threads')
  return others.reduce((least, other) => (other.jobs < least.jobs ? other : least), first)
}
