/**
 * Hashes pieces on a thread of its own, for the main one moves data meanwhile. One buffer a piece goes there and comes back
 * with its digests: nothing is copied, and no more is under way than there are buffers.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'

export interface PieceJob {
  /** Room for a whole piece; what the piece has of bytes comes first. */
  readonly buffer: Uint8Array<ArrayBuffer>
  /** Bytes that are the file's. */
  readonly size: number
  /** Zeros behind them that count for SHA-1. */
  readonly zeros: number
  /** For v2: the file that the piece is of; undefined where v2 is not asked for. */
  readonly file: { readonly size: number; readonly pieceLength: number } | undefined
}

export interface PieceDigest {
  readonly sha1: Uint8Array
  /** Of v2; empty where it was not asked for. */
  readonly hash: Uint8Array
  /** To be used again. */
  readonly buffer: Uint8Array<ArrayBuffer>
}

// sources run as they are, or as what they were built into
const WORKER = new URL(`digest-worker${extname(import.meta.url)}`, import.meta.url)

export class DigestThread {
  readonly #worker = new Worker(WORKER)
  /** In the order of the jobs, which is that of the answers. */
  readonly #waiting: { resolve: (digest: PieceDigest) => void; reject: (reason: unknown) => void }[] = []

  /** Why there are no more answers. */
  #ended: unknown

  constructor() {
    this.#worker.on('message', (digest: PieceDigest) => this.#waiting.shift()?.resolve(digest))
    this.#worker.on('error', (error) => this.#fail(error))
  }

  /** The buffer is gone until it comes back. */
  digest(job: PieceJob): Promise<PieceDigest> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#worker.postMessage(job, [job.buffer.buffer])
    })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
    this.#fail(new Error('the hashing was stopped'))
  }

  #fail(reason: unknown): void {
    this.#ended = reason
    for (const { reject } of this.#waiting.splice(0)) reject(reason)
  }
}
