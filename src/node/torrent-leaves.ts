/**
 * The CID of a torrent's content is made while that comes. Pieces that are cut into leaves from their start on have those
 * hashed by who checks them. Of others a leaf of which all bytes are checked and written is read back, from the system's
 * cache, and hashed by another thread. What is not known at the end, as leaves with bytes from a former run, is read then.
 */
import { CHUNK_BYTES, chunkOf, FileHasher, type KnownDigests } from '../content/hashing/files.ts'
import { DIGEST_BYTES, LANES } from '../content/hashing/lanes.ts'
import { IncomingLeaves } from '../content/incoming-leaves.ts'
import { WORTH_A_THREAD } from '../content/verify.ts'
import type { TorrentDownload, TorrentTree } from '../store/torrent-types.ts'

/** Bytes of a tree from which on that is worth a thread: what is smaller is read at the end in less than its start takes. */
const WORTH_IT = 32 << 20

/** Jobs that the thread has: one that it works on, and one to follow. */
const MOST_JOBS = 2

/** It hashes faster than torrents come. */
const THREADS = 1

interface Job {
  readonly entry: number
  readonly file: IncomingLeaves
  readonly leaves: readonly number[]
}

export class TorrentLeaves {
  readonly #tree: Pick<TorrentTree, 'entries' | 'bytes' | 'runs'>
  readonly #download: Pick<TorrentDownload, 'lend'>
  readonly #log: (line: string) => void
  readonly #threads = new FileHasher(THREADS)
  /** By their paths in the tree. */
  readonly #files = new Map<string, IncomingLeaves>()
  /** Whole leaves that wait for others of their file, to be hashed at once with them. */
  readonly #waiting = new Map<number, number[]>()
  readonly #jobs: Job[] = []
  readonly #running = new Set<Promise<void>>()
  #ended = false

  constructor(
    tree: Pick<TorrentTree, 'entries' | 'bytes' | 'runs'>,
    download: Pick<TorrentDownload, 'lend'>,
    log: (line: string) => void,
  ) {
    this.#tree = tree
    this.#download = download
    this.#log = log
  }

  /** Whether leaves of one file are all that a piece holds: the digests are wanted of who checks it. */
  areAllOf(piece: number): boolean {
    return this.#onlyLeaves(piece) !== undefined
  }

  /** A piece that holds nothing but leaves was checked; it has these digests, one after the other. */
  learn(piece: number, digests: Uint8Array): void {
    const run = this.#onlyLeaves(piece)
    for (let at = 0; run !== undefined && at < digests.length; at += DIGEST_BYTES)
      run.file.learn(run.leaf + at / DIGEST_BYTES, digests.subarray(at, at + DIGEST_BYTES))
  }

  /** A piece was checked and is written. */
  stored(piece: number): void {
    for (const run of this.#tree.runs(piece)) {
      const file = run.kind === 'file' ? this.#file(run.entry) : undefined
      if (run.kind !== 'file' || file === undefined) continue
      const waiting = this.#waiting.get(run.entry) ?? []
      for (const leaf of file.wrote(run.offset, run.length))
        if (file.digest(leaf) === undefined) waiting.push(leaf)
      while (waiting.length >= LANES || (file.whole && waiting.length > 0))
        this.#jobs.push({ entry: run.entry, file, leaves: waiting.splice(0, LANES) })
      if (waiting.length > 0) this.#waiting.set(run.entry, waiting)
      else this.#waiting.delete(run.entry)
    }
    this.#pump()
  }

  /** What is whole is hashed; to be called while the download is open. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** What is known of a file of the tree by its path. */
  known(path: string, size: number): KnownDigests | undefined {
    const file = this.#files.get(path)
    return file?.size === size ? (leaf) => file.digest(leaf) : undefined
  }

  /** Nothing is read any more once this resolves. */
  async end(): Promise<void> {
    this.#ended = true
    this.#jobs.length = 0
    await this.settle()
    await this.#threads[Symbol.asyncDispose]()
  }

  #onlyLeaves(piece: number): { file: IncomingLeaves; leaf: number } | undefined {
    const [run, another] = this.#tree.runs(piece)
    const file = run?.kind === 'file' && another === undefined ? this.#file(run.entry) : undefined
    if (run?.kind !== 'file' || file === undefined || run.offset % CHUNK_BYTES !== 0) return undefined
    const end = run.offset + run.length
    return end % CHUNK_BYTES === 0 || end === file.size ? { file, leaf: run.offset / CHUNK_BYTES } : undefined
  }

  #file(entry: number): IncomingLeaves | undefined {
    if (this.#tree.bytes < WORTH_IT) return undefined
    const found = this.#tree.entries[entry]
    if (found?.kind !== 'file' || found.size < WORTH_A_THREAD) return undefined
    const file = this.#files.get(found.path) ?? new IncomingLeaves(found.size)
    this.#files.set(found.path, file)
    return file
  }

  #pump(): void {
    while (this.#running.size < MOST_JOBS && !this.#ended) {
      const job = this.#jobs.shift()
      if (job === undefined) return
      const running = this.#run(job).finally(() => {
        this.#running.delete(running)
        this.#pump()
      })
      this.#running.add(running)
    }
  }

  /** What cannot be read now is read at the end, where its failure is somebody's. */
  async #run({ entry, file, leaves }: Job): Promise<void> {
    const chunks = leaves.map((leaf) => chunkOf(file.size, leaf))
    try {
      const digests = await this.#download.lend(entry, (fd) => this.#threads.hash({ file: fd, chunks }))
      for (const [at, leaf] of leaves.entries())
        if (digests !== undefined)
          file.learn(leaf, digests.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES))
    } catch (thrown) {
      this.#log(`hashing what came of a torrent: ${thrown}`)
    }
  }
}
