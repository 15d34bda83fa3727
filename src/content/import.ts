/** Files and directory trees into UnixFS DAGs, in memory that does not grow with them. The bytes stay in the user's files. */
import type { CID } from 'multiformats/cid'
import { throwIfAborted } from './abort.ts'
import { CHUNK_BYTES, FileHasher, type KnownDigests } from './hashing/files.ts'
import { importDirectory, importSymlink, type NamedImport } from './import-directory.ts'
import {
  type Imported,
  type ImportSink,
  importFile,
  type Leaf,
  leavesOf,
  leavesOfDigests,
} from './import-file.ts'
import { PROFILES, type Profile } from './profile.ts'
import { FRESH_BUFFERS, type HashedFile, openSource, ReadBuffers, type SourceFile } from './source-file.ts'
import { listSource, type SourceEntry, within } from './source-tree.ts'
import { type Survey, survey } from './survey.ts'
import { WORTH_A_THREAD } from './verify.ts'

export interface ImportProgress {
  /** Bytes hashed so far, and in all. */
  readonly done: number
  readonly total: number
  /** Files in all. */
  readonly files: number
}

export interface ImportOptions {
  readonly profile?: Profile
  readonly sink: ImportSink
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ImportProgress) => void
  /** A file of the tree was hashed as a whole. `inside`: its path in the tree, joined by `/`; empty for its top. */
  readonly onHashed?: (inside: string, file: HashedFile) => void
  /** Digests of a file of this size that somebody has made already, of chunks as `unixfs-v1-2025` cuts them. */
  readonly known?: (inside: string, size: number) => KnownDigests | undefined
}

/** Least time between two progress reports, in milliseconds. */
const PROGRESS_EVERY = 100
/** Files of one chunk imported at once: their cost is waiting for the disk. Longer ones go one by one, with two read buffers. */
const PARALLEL_FILES = 8
/** Longer files at once where other threads read and hash them. */
const PARALLEL_LARGE = 4
/** Bytes of an import from which on threads are started for it: in the time that takes, a quarter of them is hashed here. */
const THREADS_FROM = 32 << 20

/**
 * Imports a file or a directory tree. The CID is the one that kubo computes with the same profile.
 * @throws ShareError NOT_FOUND, UNREADABLE, UNSUPPORTED, SOURCE_CHANGED, IO, INTERRUPTED; whatever the sink throws
 */
export async function importPath(
  path: string,
  options: ImportOptions,
): Promise<{ root: CID; kind: 'file' | 'directory' }> {
  const found = await survey(path, options.signal)
  return { root: await importSurveyed(found, options), kind: found.kind }
}

/** The same, of what was looked at just now. Returns the root. */
export async function importSurveyed(
  { kind, real, bytes, files }: Survey,
  options: ImportOptions,
): Promise<CID> {
  const run = new ImportRun(options, { total: bytes, files })
  try {
    const { cid } = kind === 'file' ? await run.file(real, '') : await run.tree(real)
    run.report()
    return cid
  } finally {
    await run.end()
  }
}

/** One import: its options, and how far it has come. */
class ImportRun {
  readonly #profile: Profile
  readonly #sink: ImportSink
  readonly #signal: AbortSignal | undefined
  readonly #onProgress: ((progress: ImportProgress) => void) | undefined
  readonly #onHashed: ImportOptions['onHashed'] | undefined
  readonly #known: ImportOptions['known'] | undefined
  readonly #totals: { readonly total: number; readonly files: number }
  readonly #small = new Gate(PARALLEL_FILES)
  readonly #large: Gate
  readonly #buffers: Pick<ReadBuffers, 'take' | 'give'>
  readonly #threads = new FileHasher()
  #failure: { readonly thrown: unknown } | undefined
  #done = 0
  #reported = 0

  constructor(options: ImportOptions, totals: { total: number; files: number }) {
    this.#profile = options.profile ?? 'unixfs-v1-2025'
    this.#sink = options.sink
    // whoever takes leaves may keep them
    this.#buffers = options.sink.putLeaf === undefined ? new ReadBuffers() : FRESH_BUFFERS
    this.#signal = options.signal
    this.#onProgress = options.onProgress
    this.#onHashed = options.onHashed
    this.#known = this.#onlyDigests ? options.known : undefined
    this.#totals = totals
    this.#large = new Gate(this.#usesThreads ? PARALLEL_LARGE : 1)
  }

  async end(): Promise<void> {
    await this.#threads[Symbol.asyncDispose]()
  }

  report(): void {
    this.#onProgress?.({ done: this.#done, ...this.#totals })
  }

  #checkGoing(): void {
    throwIfAborted(this.#signal)
    if (this.#failure !== undefined) throw this.#failure.thrown
  }

  /** Settles when nothing reads from a file nor calls the sink any more, also after a failure; the first one is thrown. */
  async tree(path: string): Promise<Imported> {
    const { made } = await this.#directory(path, '')
    return made
  }

  /** Returns when everything below has been started, and never throws; `made` settles when everything below is over. */
  async #directory(path: string, inside: string): Promise<{ made: Promise<Imported> }> {
    const children: NamedImport[] = []
    const over = Promise.withResolvers<void>()
    // the listing itself is one that is under way
    let underWay = 1
    const end = (): void => {
      if (--underWay === 0) over.resolve()
    }
    const add = (name: string, made: Promise<Imported>): void => {
      underWay++
      made
        .then(
          (imported) => children.push({ name, ...imported }),
          (thrown) => this.#fail(thrown),
        )
        .finally(end)
    }
    try {
      this.#checkGoing()
      for await (const entry of listSource(path, inside)) {
        if (entry.kind === 'directory') {
          const { made } = await this.#directory(entry.path, within(inside, entry.name))
          add(entry.name, made)
        } else {
          await this.#small.enter()
          const made = this.#leaf(entry, within(inside, entry.name))
          add(
            entry.name,
            made.finally(() => this.#small.leave()),
          )
        }
        this.#checkGoing()
      }
    } catch (thrown) {
      this.#fail(thrown)
    }
    const made = over.promise.then(() => {
      this.#checkGoing()
      return importDirectory(children, this.#profile, this.#sink)
    })
    end()
    return { made }
  }

  /** The first failure ends the import; those that follow from it are nobody's news. */
  #fail(thrown: unknown): void {
    this.#failure ??= { thrown }
  }

  #leaf(entry: Exclude<SourceEntry, { kind: 'directory' }>, inside: string): Promise<Imported> {
    return entry.kind === 'symlink'
      ? importSymlink(entry.target, this.#profile, this.#sink)
      : this.file(entry.path, inside)
  }

  async file(path: string, inside: string): Promise<Imported> {
    this.#checkGoing()
    const source = await openSource(path)
    const large = source.size > PROFILES[this.#profile].chunkSize
    const known = this.#known?.(inside, source.size)
    try {
      if (large) await this.#large.enter()
      const made = await this.#content(source, known).finally(() => large && this.#large.leave())
      // of what was not read here nobody knows in which state of the file it was hashed
      if (known === undefined) this.#onHashed?.(inside, source.hashed)
      return made
    } finally {
      await source.close()
    }
  }

  async #content(source: SourceFile, known: KnownDigests | undefined): Promise<Imported> {
    const file = { size: source.size, profile: this.#profile, sink: this.#sink }
    const leaves =
      known !== undefined || (this.#usesThreads && source.size >= WORTH_A_THREAD)
        ? leavesOfDigests(source.digests(this.#threads, known), source.size, this.#profile)
        : leavesOf(source.chunks(PROFILES[this.#profile].chunkSize, this.#buffers), file)
    const made = await importFile({ ...file, leaves: this.#counted(leaves) })
    await source.checkUnchanged()
    return made
  }

  /** Only digests of chunks are wanted, and enough of them. */
  get #usesThreads(): boolean {
    return this.#onlyDigests && this.#totals.total >= THREADS_FROM
  }

  get #onlyDigests(): boolean {
    const { rawLeaves, chunkSize } = PROFILES[this.#profile]
    return rawLeaves && chunkSize === CHUNK_BYTES && this.#sink.putLeaf === undefined
  }

  async *#counted(leaves: AsyncIterable<Leaf>): AsyncGenerator<Leaf> {
    for await (const leaf of leaves) {
      this.#checkGoing()
      this.#done += leaf.size
      this.#reportSometimes()
      yield leaf
    }
  }

  #reportSometimes(): void {
    const now = performance.now()
    if (now - this.#reported < PROGRESS_EVERY) return
    this.#reported = now
    this.report()
  }
}

/** Lets so many in at once. */
class Gate {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(places: number) {
    this.#free = places
  }

  async enter(): Promise<void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
