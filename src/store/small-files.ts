/**
 * Small files, many at a time, on a thread of their own: what is asked for while it works goes to it as one message, and
 * there each file takes a few system calls one after the other. A promise a call, on the main thread, cost more than the
 * calls themselves. The thread starts with the first file and ends when none has come for a while.
 */
import { Worker } from 'node:worker_threads'
import { threadBeside } from '../content/hashing/calls.ts'
import { WORTH_A_THREAD } from '../content/verify.ts'
import type { Failure, Question, ReadFile, Reply, Wanted } from './small-files-thread.ts'

/** Files below this count as small. Others are worth calls of their own. */
export const SMALL_BYTES = WORTH_A_THREAD

/** A share with so many files is worth the thread. */
export const MANY_FILES = 64

const THREAD = threadBeside(import.meta.url, 'small-files-thread')

/** Files of one message, and bytes. */
const MOST_FILES = 64
const MOST_BYTES = 1 << 20

/** Messages that the thread has: one that it works on, and one to follow. */
const MOST_MESSAGES = 2

/** Ms without a file until the thread ends. */
const IDLE_MS = 10_000

/** A file that was made: stored. */
export interface Made {
  /** It is durable. */
  readonly synced: Promise<void>
}

/** What was read, and the bytes. */
export type Read = ReadFile & { readonly bytes: Uint8Array }

interface MakeJob {
  readonly kind: 'make'
  readonly path: string
  readonly directory: string
  readonly bytes: Uint8Array
  readonly length: number
  readonly made: PromiseWithResolvers<Made>
  readonly synced: PromiseWithResolvers<void>
}

interface ReadJob {
  readonly kind: 'read'
  readonly wanted: Wanted
  readonly length: number
  readonly read: PromiseWithResolvers<Read>
}

type Job = MakeJob | ReadJob

export class SmallFiles {
  #worker: Worker | undefined
  #idle: NodeJS.Timeout | undefined
  readonly #waiting: Job[] = []
  #turn: NodeJS.Immediate | undefined
  /** By message: what was asked and is not answered, and what is not durable yet. */
  readonly #asked = new Map<number, readonly Job[]>()
  readonly #unsynced = new Map<number, readonly Job[]>()
  /** For the bytes of a message, back from the thread. */
  readonly #buffers: ArrayBuffer[] = []
  #messages = 0

  /** Makes a file that must not be there, in a directory whose real path must be `directory`. @throws what system calls throw, ELOOP when something else lies there */
  make(path: string, directory: string, bytes: Uint8Array): Promise<Made> {
    const [made, synced] = [Promise.withResolvers<Made>(), Promise.withResolvers<void>()]
    // somebody asks when it has to be durable, or nobody
    synced.promise.catch(() => undefined)
    this.#add({ kind: 'make', path, directory, bytes, length: bytes.length, made, synced })
    return made.promise
  }

  /** Reads a part of a file, and hashes it unless its stamp is trusted. @throws what system calls throw */
  read(wanted: Wanted): Promise<Read> {
    const read = Promise.withResolvers<Read>()
    this.#add({ kind: 'read', wanted, length: wanted.length, read })
    return read.promise
  }

  /** Call when nothing is asked for any more. */
  async close(): Promise<void> {
    clearTimeout(this.#idle)
    clearImmediate(this.#turn)
    await this.#worker?.terminate()
  }

  #add(job: Job): void {
    this.#waiting.push(job)
    // what comes in the same turn goes along
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined
      this.#send()
    })
  }

  #send(): void {
    while (this.#waiting.length > 0 && this.#asked.size < MOST_MESSAGES) {
      const jobs = this.#take()
      const message = this.#messages++
      this.#asked.set(message, jobs)
      const question = this.#question(message, jobs)
      this.#thread().postMessage(question, question.kind === 'make' ? [question.buffer] : [])
    }
  }

  /** The next jobs, all of one kind. */
  #take(): Job[] {
    let bytes = 0
    const [first] = this.#waiting
    const end = this.#waiting.findIndex(({ kind, length }, at) => {
      bytes += length
      return kind !== first?.kind || at === MOST_FILES || bytes > MOST_BYTES
    })
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : end)
  }

  #question(message: number, jobs: readonly Job[]): Question {
    const wanted = jobs.flatMap((job) => (job.kind === 'read' ? [job.wanted] : []))
    if (wanted.length > 0) return { kind: 'read', message, files: wanted }
    const buffer = this.#buffers.pop() ?? new ArrayBuffer(MOST_BYTES)
    const bytes = new Uint8Array(buffer)
    let end = 0
    const files = jobs.flatMap((job) => {
      if (job.kind !== 'make') return []
      bytes.set(job.bytes, end)
      end += job.length
      return [{ path: job.path, directory: job.directory, length: job.length }]
    })
    return { kind: 'make', message, files, buffer }
  }

  #thread(): Worker {
    clearTimeout(this.#idle)
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(THREAD)
    worker.unref()
    worker.on('message', (reply: Reply) => this.#replied(reply))
    worker.on('error', (error) => this.#lost(worker, error))
    worker.on('exit', () => this.#lost(worker, new Error('the thread for small files has ended')))
    this.#worker = worker
    return worker
  }

  #replied(reply: Reply): void {
    const { message } = reply
    if (reply.kind === 'synced') {
      for (const [at, job] of (this.#unsynced.get(message) ?? []).entries())
        if (job.kind === 'make') settle(job.synced, reply.failures[at], undefined)
      this.#unsynced.delete(message)
    } else {
      const jobs = this.#asked.get(message) ?? []
      this.#asked.delete(message)
      if (reply.kind === 'made') {
        this.#unsynced.set(message, jobs)
        this.#buffers.push(reply.buffer)
      }
      answer(jobs, reply)
      this.#send()
    }
    if (this.#asked.size + this.#unsynced.size === 0) this.#endLater()
  }

  #endLater(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      this.#buffers.splice(0)
      void this.#worker?.terminate()
      this.#worker = undefined
    }, IDLE_MS).unref()
  }

  #lost(worker: Worker, reason: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const jobs of [...this.#asked.values(), ...this.#unsynced.values(), this.#waiting.splice(0)]) {
      for (const job of jobs) {
        if (job.kind === 'read') job.read.reject(reason)
        else {
          job.made.reject(reason)
          job.synced.reject(reason)
        }
      }
    }
    this.#asked.clear()
    this.#unsynced.clear()
  }
}

function answer(jobs: readonly Job[], reply: Exclude<Reply, { kind: 'synced' }>): void {
  let end = 0
  for (const [at, job] of jobs.entries()) {
    if (reply.kind === 'made') {
      if (job.kind === 'make') settle(job.made, reply.failures[at], { synced: job.synced.promise })
      continue
    }
    const begin = end
    end += job.length
    const file = reply.files[at]
    if (job.kind !== 'read' || file === undefined) continue
    if ('message' in file) job.read.reject(errorOf(file))
    else job.read.resolve({ ...file, bytes: reply.bytes.subarray(begin, end) })
  }
}

function settle<T>(waiting: PromiseWithResolvers<T>, failure: Failure | undefined, value: T): void {
  if (failure === undefined) waiting.resolve(value)
  else waiting.reject(errorOf(failure))
}

function errorOf({ message, code }: Failure): Error {
  return Object.assign(new Error(message), { code })
}
