/**
 * One pass over a share's bytes, which gives every digest that its torrents need: SHA-1 of each piece, and the node of v2's
 * hash tree that stands for it. Bytes are read ahead while others are hashed.
 */
import { availableParallelism } from 'node:os'
import { Calls, threadBeside } from '../content/hashing/calls.ts'
import { ShareError } from '../core/errors.ts'
import { SHA1_BYTES } from './info.ts'
import type { Layout, Placed } from './layout.ts'
import { HASH_BYTES } from './merkle.ts'
import type { PieceDigests } from './write-info.ts'

export interface DigestingOptions {
  readonly layout: Layout
  /** The layout is padded, and v2's hashes are wanted too. */
  readonly trees: boolean
  /** Of the first pieces, from a pass that was interrupted. */
  readonly known: PieceDigests
  /** The bytes of a file from an offset on, verified. A chunk may be used again once the next one is asked for. */
  readonly read: (file: Placed, offset: number) => AsyncIterable<Uint8Array>
  readonly signal?: AbortSignal
  /** Pieces done so far, now and then. */
  readonly onProgress?: (pieces: number) => void
  /** Called a few times on the way, and at the end however it comes: what is there by then. */
  readonly keep: (digests: PieceDigests) => Promise<void>
}

/** One buffer a piece goes to a thread and comes back with the digests: nothing is copied. */
export interface PieceJob {
  /** Room for a whole piece; what the piece has of bytes comes first. */
  readonly buffer: Uint8Array<ArrayBuffer>
  /** Bytes that are the file's. */
  readonly size: number
  /** Zeros behind them that count for SHA-1; undefined where that is not asked for. */
  readonly zeros: number | undefined
  /** For v2: the file that the piece is of; undefined where v2 is not asked for. */
  readonly file: { readonly size: number; readonly pieceLength: number } | undefined
  /** The piece is cut into leaves of a share from its start on, and their digests are wanted too. */
  readonly leaves: boolean
}

export interface PieceDigest {
  /** Of v1; empty where it was not asked for. */
  readonly sha1: Uint8Array
  /** Of v2; empty where it was not asked for. */
  readonly hash: Uint8Array
  /** Of the leaves, one after the other; empty where they were not asked for. */
  readonly leaves: Uint8Array
  /** To be used again. */
  readonly buffer: Uint8Array<ArrayBuffer>
}

/** A thread that digests up to four pieces at once: it takes less time than one after the other. */
export type DigestThread = Calls<readonly PieceJob[], readonly PieceDigest[]>

export const DIGEST_THREAD: URL = threadBeside(import.meta.url, 'digest-thread')

/** More threads than this would wait for the disk. */
const MOST_THREADS = 4

/** Pieces below which another thread is not worth its start. */
const PIECES_A_THREAD = 16

/** Pieces that a thread has: one that it hashes, and one to follow. */
const BUFFERS_A_THREAD = 2

/** Parts of the whole after which what is there is kept: a row is written whole each time. */
const KEEPS = 16

/** @throws the signal's reason when aborted; what `read` throws; ShareError SOURCE_CHANGED */
export async function digestPieces(options: DigestingOptions): Promise<PieceDigests> {
  const digesting = new Digesting(options)
  try {
    return await digesting.run()
  } finally {
    await digesting.end()
  }
}

class Digesting {
  readonly #options: DigestingOptions
  readonly #threads: readonly DigestThread[]
  readonly #sha1s: Uint8Array
  readonly #hashes: Uint8Array
  /** Pieces whose digests are here, and those of them that are kept. */
  #done: number
  #kept: number
  /** Pieces handed over and not back yet, in their order. */
  readonly #running: Promise<PieceDigest>[] = []
  #handedOver: number
  /** The piece that is being filled. */
  #buffer: Uint8Array<ArrayBuffer> | undefined
  #filled = 0

  constructor(options: DigestingOptions) {
    this.#options = options
    const { layout, known, trees } = options
    this.#sha1s = new Uint8Array(layout.pieces * SHA1_BYTES)
    this.#hashes = new Uint8Array(trees ? layout.pieces * HASH_BYTES : 0)
    this.#sha1s.set(known.sha1s)
    this.#hashes.set(known.hashes)
    this.#done = known.sha1s.length / SHA1_BYTES
    this.#kept = this.#done
    this.#handedOver = this.#done
    const worthwhile = Math.ceil((layout.pieces - this.#done) / PIECES_A_THREAD)
    const count = Math.max(1, Math.min(availableParallelism(), MOST_THREADS, worthwhile))
    this.#threads = Array.from({ length: count }, () => new Calls(DIGEST_THREAD))
  }

  async run(): Promise<PieceDigests> {
    const { layout, trees, read, signal } = this.#options
    const from = this.#done * layout.pieceLength
    for (const file of layout.files) {
      if (file.start + file.size <= from || file.size === 0) continue
      const offset = Math.max(0, from - file.start)
      let left = file.size - offset
      for await (const chunk of read(file, offset)) {
        signal?.throwIfAborted()
        left -= chunk.length
        if (left >= 0) await this.#add(chunk, file)
      }
      if (left !== 0) throw changed(file)
      if (trees && this.#filled > 0) await this.#handOver(file)
    }
    if (this.#filled > 0) await this.#handOver(undefined)
    while (this.#running.length > 0) await this.#collect()
    return { sha1s: this.#sha1s, hashes: this.#hashes }
  }

  /** Keeps what is there, and stops the threads. */
  async end(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.end()))
    if (this.#done > this.#kept) await this.#keep()
  }

  async #add(chunk: Uint8Array, file: Placed): Promise<void> {
    const { pieceLength } = this.#options.layout
    for (let at = 0; at < chunk.length; ) {
      this.#buffer ??= await this.#room()
      const part = chunk.subarray(at, at + pieceLength - this.#filled)
      this.#buffer.set(part, this.#filled)
      this.#filled += part.length
      at += part.length
      if (this.#filled === pieceLength) await this.#handOver(file)
    }
  }

  async #handOver(file: Placed | undefined): Promise<void> {
    const { layout, trees } = this.#options
    const { pieceLength, length } = layout
    const size = this.#filled
    const zeros = Math.min(pieceLength, length - this.#handedOver * pieceLength) - size
    const buffer = this.#buffer ?? (await this.#room())
    const tree = trees && file !== undefined ? { size: file.size, pieceLength } : undefined
    const thread = this.#threads[this.#handedOver % this.#threads.length]
    if (thread === undefined) throw new RangeError('there are no threads')
    const digest = digestAlone(thread, { buffer, size, zeros, file: tree, leaves: false })
    // it may fail while nobody waits for it yet
    digest.catch(() => {})
    this.#running.push(digest)
    this.#handedOver++
    this.#buffer = undefined
    this.#filled = 0
  }

  async #room(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#running.length < BUFFERS_A_THREAD * this.#threads.length)
      return new Uint8Array(this.#options.layout.pieceLength)
    return this.#collect()
  }

  /** Takes the oldest piece's digests; gives its buffer. */
  async #collect(): Promise<Uint8Array<ArrayBuffer>> {
    const digest = await this.#running.shift()
    if (digest === undefined) throw new RangeError('nothing is being hashed')
    this.#sha1s.set(digest.sha1, this.#done * SHA1_BYTES)
    if (this.#options.trees) this.#hashes.set(digest.hash, this.#done * HASH_BYTES)
    this.#done++
    this.#options.onProgress?.(this.#done)
    if (this.#done - this.#kept >= this.#options.layout.pieces / KEEPS) await this.#keep()
    return digest.buffer
  }

  async #keep(): Promise<void> {
    this.#kept = this.#done
    await this.#options.keep({
      sha1s: this.#sha1s.subarray(0, this.#done * SHA1_BYTES),
      hashes: this.#options.trees ? this.#hashes.subarray(0, this.#done * HASH_BYTES) : this.#hashes,
    })
  }
}

async function digestAlone(thread: DigestThread, job: PieceJob): Promise<PieceDigest> {
  const [digest] = await thread.ask([job], [job.buffer.buffer])
  if (digest === undefined) throw new RangeError('the thread has given no digest')
  return digest
}

function changed(file: Placed): ShareError {
  return new ShareError(
    'SOURCE_CHANGED',
    `${file.path === '' ? 'the file' : file.path} changed while it was read`,
    '`share verify` says what is wrong with it',
  )
}
