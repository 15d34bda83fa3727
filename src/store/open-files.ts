/**
 * Open file descriptors, few and shared: reading one piece after another opens a file once, and a tree of
 * ten thousand files never holds more than the bound. A descriptor in use is never closed.
 */
import type { FileHandle } from 'node:fs/promises'

interface OpenFile {
  readonly path: string
  readonly handle: Promise<FileHandle>
  users: number
  /** Milliseconds of `performance.now()`. */
  lastUsed: number
  /** No longer in the table; closes with its last user. */
  dropped: boolean
  readonly closed: PromiseWithResolvers<void>
}

export class OpenFiles {
  readonly #limit: number
  /** Least recently used first. */
  readonly #files = new Map<string, OpenFile>()
  readonly #closing = new Set<OpenFile>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Works with the file of that name, opened by `open` if it is not open yet. */
  async use<T>(
    path: string,
    open: () => Promise<FileHandle>,
    work: (handle: FileHandle) => Promise<T>,
  ): Promise<T> {
    const file = this.#take(path, open)
    try {
      return await work(await file.handle)
    } finally {
      this.#release(file)
    }
  }

  /** The next use opens the file anew. */
  drop(path: string): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    this.#files.delete(path)
    file.dropped = true
    this.#closing.add(file)
    if (file.users === 0) this.#close(file)
  }

  /** Closes what was not used for `idle` milliseconds: an open file that was deleted keeps its disk space. */
  closeIdle(idle: number): void {
    const before = performance.now() - idle
    for (const file of this.#files.values())
      if (file.users === 0 && file.lastUsed < before) this.drop(file.path)
  }

  /** Closes everything; resolves when no descriptor is left. */
  async close(): Promise<void> {
    for (const path of [...this.#files.keys()]) this.drop(path)
    await Promise.all([...this.#closing].map((file) => file.closed.promise))
  }

  #take(path: string, open: () => Promise<FileHandle>): OpenFile {
    const known = this.#files.get(path)
    const file = known ?? {
      path,
      handle: open(),
      users: 0,
      lastUsed: 0,
      dropped: false,
      closed: Promise.withResolvers<void>(),
    }
    file.users++
    this.#files.delete(path)
    this.#files.set(path, file)
    if (known === undefined) {
      file.handle.catch(() => this.drop(path))
      this.#trim()
    }
    return file
  }

  #release(file: OpenFile): void {
    file.users--
    file.lastUsed = performance.now()
    if (file.users > 0) return
    if (file.dropped) this.#close(file)
    else this.#trim()
  }

  #trim(): void {
    if (this.#files.size <= this.#limit) return
    for (const file of this.#files.values()) {
      if (file.users === 0) this.drop(file.path)
      if (this.#files.size <= this.#limit) return
    }
  }

  #close(file: OpenFile): void {
    const done = () => {
      this.#closing.delete(file)
      file.closed.resolve()
    }
    // closing reports write errors of some network file systems; what must be durable was fsynced before
    file.handle.then((handle) => handle.close()).then(done, done)
  }
}
