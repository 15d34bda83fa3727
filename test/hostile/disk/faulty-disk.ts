/**
 * A disk that fails. It takes the place of `node:fs/promises` for one directory, and of the calls of `node:fs` by which the
 * thread of small files writes, below everything that writes there, the libraries included: nothing in the program knows of it. Every operation is a step, and at one step it fails: with an
 * errno, half done, or with the power. When the power goes, what was not synced may be lost: each write to a file alone
 * (whole, or torn at a sector), and of each directory's changes the last ones. The names in a directory are durable only
 * after the directory was synced, as POSIX has it.
 */
import calls, { constants } from 'node:fs'
import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename, dirname, join } from 'node:path'
import type { Prng } from '../../../src/core/prng.ts'

/**
 * What happens at the step. `kill`: nothing is done any more, and what was done stays. `power`: nothing is done any more, and
 * what was not synced may be lost. `torn`: the same, in the middle of the step. `full`: no space from here on. Else an errno, once.
 */
export type FaultKind = 'kill' | 'power' | 'torn' | 'full' | 'ENOSPC' | 'EIO' | 'short'

export interface Fault {
  readonly kind: FaultKind
  /** Which step; the first is 0. */
  readonly step: number
}

/** Disks write sectors whole, in bytes. */
const SECTOR = 512

/** A change in a directory, and how to take it back. `where` gives the name that a path has now. */
interface Change {
  readonly order: number
  readonly directory: string
  undo(where: (path: string) => string): Promise<void>
  /** A directory that changed its name, and the names below it with it. */
  readonly moved?: readonly [from: string, to: string]
}

/** A file that was written: its bytes when it was last synced, and what was done since. */
interface Written {
  readonly fd: number
  durable: Buffer
  since: { readonly at: number; readonly bytes: Buffer | undefined }[]
}

const real = { ...fs }
type Real = typeof real
const realCalls = { ...calls }
type Calls = Pick<typeof realCalls, 'openSync' | 'writeSync' | 'fdatasync' | 'closeSync' | 'unlinkSync'>

export class FaultyDisk {
  /** Steps so far. */
  steps = 0
  /** The fault was met. */
  met = false
  /** Nothing works any more. */
  off = false
  /** Files made by calls of `node:fs`. */
  madeByCalls = 0
  /** What was done outside of the places where it may be done. */
  readonly trespasses: string[] = []
  readonly #root: string
  readonly #mayWrite: (path: string) => boolean
  readonly #fault: Fault | undefined
  readonly #prng: Prng
  readonly #graves: string
  #graveCount = 0
  #full = false
  #changes: Change[] = []
  #order = 0
  readonly #written = new Map<string, Written>()
  /** Files that calls of `node:fs` have open. */
  readonly #open = new Map<number, { readonly path: string; readonly written: Written }>()

  /** Fails below `root`; `graves` is a directory outside of it, on the same file system, that keeps what may come back. */
  constructor(
    root: string,
    options: { graves: string; mayWrite: (path: string) => boolean; fault: Fault | undefined; prng: Prng },
  ) {
    this.#root = root
    this.#graves = options.graves
    this.#mayWrite = options.mayWrite
    this.#fault = options.fault
    this.#prng = options.prng
  }

  install(): void {
    Object.assign(fs, this.#functions())
    Object.assign(calls, this.#calls())
    syncBuiltinESMExports()
  }

  remove(): void {
    Object.assign(fs, real)
    const { openSync, writeSync, fdatasync, closeSync, unlinkSync } = realCalls
    Object.assign(calls, { openSync, writeSync, fdatasync, closeSync, unlinkSync } satisfies Calls)
    syncBuiltinESMExports()
  }

  /** One step of something else that writes, such as the database. `torn` is never asked of it: its batches are atomic. */
  enter(what: string): void {
    this.#step(what, true, () => undefined)
  }

  /** Whether a fault leaves the power on. */
  get powered(): boolean {
    return this.#fault === undefined || !['power', 'torn'].includes(this.#fault.kind)
  }

  /** The power is gone: of what was not synced, chance keeps a part. */
  async lose(): Promise<void> {
    await this.#loseNames()
    for (const written of this.#written.values()) this.#loseBytes(written)
    this.release()
  }

  /** Closes what is still open for `lose`. */
  release(): void {
    for (const { fd } of this.#written.values()) realCalls.closeSync(fd)
    this.#written.clear()
  }

  async #loseNames(): Promise<void> {
    const kept = new Map<string, number>()
    for (const { directory } of this.#changes) {
      const count = this.#changes.filter((change) => change.directory === directory).length
      if (!kept.has(directory)) kept.set(directory, this.#prng.below(count + 1))
    }
    const lost: Change[] = []
    const stays: Change[] = []
    for (const change of this.#changes) {
      const left = kept.get(change.directory) ?? 0
      kept.set(change.directory, left - 1)
      ;(left > 0 ? stays : lost).push(change)
    }
    for (const change of lost.reverse()) {
      const later = stays.filter(({ order }) => order > change.order)
      await change.undo((path) =>
        later.reduce(
          (now, { moved }) =>
            moved !== undefined && isBelow(now, moved[0]) ? moved[1] + now.slice(moved[0].length) : now,
          path,
        ),
      )
    }
    this.#changes = []
  }

  #loseBytes({ fd, durable, since }: Written): void {
    let content = durable
    for (const { at, bytes } of since) {
      const luck = this.#prng.below(3)
      if (luck === 0) continue
      content =
        bytes === undefined ? resized(content, at) : overlaid(content, at, this.#cut(bytes, luck === 1))
    }
    realCalls.ftruncateSync(fd, 0)
    realCalls.writeSync(fd, content, 0, content.length, 0)
  }

  #cut(bytes: Buffer, torn: boolean): Buffer {
    return torn ? bytes.subarray(0, this.#prng.below(bytes.length / SECTOR + 1) * SECTOR) : bytes
  }

  /** Counts a step, and fails if it is its turn; `half` does a part of the work. */
  #step(what: string, writes: boolean, half: () => void): void {
    if (this.off) throw gone(what)
    const step = this.steps++
    if (this.#full && writes) throw failure('ENOSPC', what)
    if (this.#fault === undefined || step < this.#fault.step || this.met) return
    const { kind } = this.#fault
    const space = kind === 'full' || kind === 'ENOSPC' || kind === 'short'
    // reading takes no space: the next step that writes is the one
    if (space && !writes) return
    this.met = true
    if (kind === 'torn' || kind === 'short') half()
    if (kind === 'kill' || kind === 'power' || kind === 'torn') {
      this.off = true
      throw gone(what)
    }
    this.#full = kind === 'full'
    throw failure(kind === 'EIO' ? 'EIO' : 'ENOSPC', what)
  }

  #allow(path: string): void {
    if (!this.#mayWrite(path)) this.trespasses.push(path)
  }

  #note(path: string, undo: Change['undo'], moved?: Change['moved']): void {
    const change = { order: this.#order++, directory: dirname(path), undo }
    this.#changes.push(moved === undefined ? change : { ...change, moved })
  }

  /** A place for what is taken away, from where it may come back. */
  #grave(): string {
    return join(this.#graves, String(this.#graveCount++))
  }

  #functions(): Partial<Real> {
    const reading = [
      'stat',
      'lstat',
      'readdir',
      'opendir',
      'realpath',
      'statfs',
      'access',
      'readlink',
      'readFile',
    ] as const
    const readers = reading.map((name) => [
      name,
      (path: string, ...more: unknown[]) => this.#read(name, path, more),
    ])
    return {
      ...Object.fromEntries(readers),
      open: (path: string, flags?: string | number, mode?: number) =>
        this.#mine(path) ? this.#openHandle(path, flags, mode) : real.open(path, flags, mode),
      writeFile: (path: string | FileHandle, data: string | Uint8Array, options?: { mode?: number }) =>
        typeof path === 'string' && this.#mine(path)
          ? this.#writeFile(path, data, options?.mode)
          : real.writeFile(path, data, options),
      mkdir: (path: string, options?: { recursive?: boolean; mode?: number }) =>
        this.#mine(path) ? this.#mkdir(path, options) : real.mkdir(path, options),
      rename: (from: string, to: string) =>
        this.#mine(from) ? this.#rename(from, to) : real.rename(from, to),
      link: (from: string, to: string) =>
        this.#mine(to) ? this.#added('link', to, () => real.link(from, to)) : real.link(from, to),
      symlink: (target: string, to: string) =>
        this.#mine(to)
          ? this.#added('symlink', to, () => real.symlink(target, to))
          : real.symlink(target, to),
      rm: (path: string, options?: { recursive?: boolean; force?: boolean }) =>
        this.#mine(path) ? this.#rm(path, options?.force === true) : real.rm(path, options),
      rmdir: (path: string) => (this.#mine(path) ? this.#rmdir(path) : real.rmdir(path)),
      unlink: (path: string) => (this.#mine(path) ? this.#rm(path, false) : real.unlink(path)),
    } as unknown as Partial<Real>
  }

  #mine(path: unknown): boolean {
    return typeof path === 'string' && isBelow(path, this.#root)
  }

  async #read(name: keyof Real, path: string, more: unknown[]): Promise<unknown> {
    if (this.#mine(path)) this.#step(`${name} ${path}`, false, () => undefined)
    const work = real[name] as (path: string, ...more: unknown[]) => Promise<unknown>
    return work(path, ...more)
  }

  async #openHandle(path: string, flags: string | number = 'r', mode?: number): Promise<FileHandle> {
    const writes = forWriting(flags)
    const isNew = writes && this.#beforeWriting(path)
    if (!writes) this.#step(`open ${path}`, false, () => undefined)
    const handle = await real.open(path, flags, mode)
    if (!writes) return this.#reader(handle, path)
    const written = this.#opened(handle.fd, path, isNew)
    if (typeof flags === 'string' && flags.startsWith('w') && !isNew)
      written.since.push({ at: 0, bytes: undefined })
    return this.#writer(handle, path, written)
  }

  /** Whether the file will be a new one. */
  #beforeWriting(path: string): boolean {
    const isNew = kindOf(path) === undefined
    this.#step(`open ${path}`, isNew, () => undefined)
    this.#allow(path)
    return isNew
  }

  #opened(fd: number, path: string, isNew: boolean): Written {
    if (isNew) this.#note(path, async (where) => this.#takeAway(where(path)))
    const { dev, ino } = realCalls.fstatSync(fd)
    const key = `${dev}:${ino}`
    const known = this.#written.get(key)
    if (known !== undefined && !isNew) return known
    if (known !== undefined) realCalls.closeSync(known.fd)
    const own = realCalls.openSync(path, 'r+')
    const written: Written = { fd: own, durable: isNew ? Buffer.alloc(0) : contentOf(own), since: [] }
    this.#written.set(key, written)
    return written
  }

  #reader(handle: FileHandle, path: string): FileHandle {
    return overriding(handle, {
      read: (...args: Parameters<FileHandle['read']>) => {
        this.#step(`read ${path}`, false, () => undefined)
        return handle.read(...args)
      },
      // only directories are synced through a handle that was opened to read, and blocks of blockstore-fs
      sync: () => this.#syncReader(handle, path),
      datasync: () => this.#syncReader(handle, path),
    })
  }

  async #syncReader(handle: FileHandle, path: string): Promise<void> {
    const found = realCalls.fstatSync(handle.fd)
    this.#step(`sync ${path}`, true, () => undefined)
    if (found.isDirectory()) {
      this.#changes = this.#changes.filter(({ directory }) => directory !== path)
      return
    }
    const written = this.#written.get(`${found.dev}:${found.ino}`)
    if (written !== undefined) this.#settle(written)
  }

  #settle(written: Written): void {
    written.durable = contentOf(written.fd)
    written.since = []
  }

  #put(fd: number, written: Written, bytes: Buffer, at: number): void {
    realCalls.writeSync(fd, bytes, 0, bytes.length, at)
    written.since.push({ at, bytes: Buffer.from(bytes) })
  }

  #writer(handle: FileHandle, path: string, written: Written): FileHandle {
    const put = (bytes: Buffer, at: number): void => this.#put(handle.fd, written, bytes, at)
    const sync = async () => {
      this.#step(`sync ${path}`, true, () => undefined)
      this.#settle(written)
    }
    return overriding(handle, {
      read: (...args: Parameters<FileHandle['read']>) => {
        this.#step(`read ${path}`, false, () => undefined)
        return handle.read(...args)
      },
      write: async (
        from: Uint8Array,
        offset = 0,
        length = from.length - offset,
        position: number | null = null,
      ) => {
        const bytes = Buffer.from(from.buffer, from.byteOffset + offset, length)
        const at = position ?? realCalls.fstatSync(handle.fd).size
        this.#step(`write ${path}`, true, () => put(bytes.subarray(0, length >> 1), at))
        put(bytes, at)
        return { bytesWritten: length, buffer: from }
      },
      writeFile: async (data: string | Uint8Array) => {
        const bytes = Buffer.from(data as Uint8Array)
        const at = realCalls.fstatSync(handle.fd).size
        this.#step(`write ${path}`, true, () => put(bytes.subarray(0, bytes.length >> 1), at))
        put(bytes, at)
      },
      truncate: async (length = 0) => {
        this.#step(`truncate ${path}`, true, () => undefined)
        realCalls.ftruncateSync(handle.fd, length)
        written.since.push({ at: length, bytes: undefined })
      },
      sync,
      datasync: sync,
    })
  }

  async #writeFile(path: string, data: string | Uint8Array, mode?: number): Promise<void> {
    const handle = await this.#openHandle(path, 'w', mode)
    try {
      await handle.writeFile(data)
    } finally {
      await handle.close()
    }
  }

  async #mkdir(path: string, options?: { recursive?: boolean; mode?: number }): Promise<string | undefined> {
    if (options?.recursive === true) {
      if (kindOf(path) !== undefined) return undefined
      if (this.#mine(dirname(path))) await this.#mkdir(dirname(path), options)
    }
    await this.#added(
      'mkdir',
      path,
      async () => void (await real.mkdir(path, { mode: options?.mode ?? 0o777 })),
    )
    return path
  }

  async #added(what: string, path: string, work: () => Promise<void>): Promise<void> {
    this.#step(`${what} ${path}`, true, () => undefined)
    this.#allow(path)
    await work()
    this.#note(path, (where) => this.#takeAway(where(path)))
  }

  async #rename(from: string, to: string): Promise<void> {
    this.#step(`rename ${from} to ${basename(to)}`, true, () => undefined)
    this.#allow(from)
    this.#allow(to)
    const replaced = kindOf(to)
    const grave = this.#grave()
    if (replaced === 'file') await real.link(to, grave)
    await real.rename(from, to)
    const undo: Change['undo'] = async (where) => {
      await real.rename(where(to), where(from))
      if (replaced === 'file') await real.rename(grave, where(to))
      if (replaced === 'directory') await real.mkdir(where(to))
    }
    this.#note(to, undo, [from, to])
  }

  async #rm(path: string, force: boolean): Promise<void> {
    const kind = kindOf(path)
    this.#step(`rm ${path}`, false, () => undefined)
    if (kind === undefined && force) return
    this.#allow(path)
    if (kind === undefined) throw failure('ENOENT', `rm ${path}`)
    this.#bury(path)
  }

  #bury(path: string): void {
    const grave = this.#grave()
    realCalls.renameSync(path, grave)
    this.#note(path, (where) => real.rename(grave, where(path)))
  }

  async #rmdir(path: string): Promise<void> {
    this.#step(`rmdir ${path}`, false, () => undefined)
    this.#allow(path)
    await real.rmdir(path)
    this.#note(path, async (where) => void (await real.mkdir(where(path))))
  }

  #calls(): Calls {
    return {
      openSync: (path: string, flags: number, mode?: number) =>
        this.#mine(path) && forWriting(flags)
          ? this.#openSync(path, flags, mode)
          : realCalls.openSync(path, flags, mode),
      writeSync: (fd: number, from: Uint8Array, offset: number, length: number, at: number) => {
        const open = this.#open.get(fd)
        if (open === undefined) return realCalls.writeSync(fd, from, offset, length, at)
        const bytes = Buffer.from(from.buffer, from.byteOffset + offset, length)
        const put = (part: Buffer): void => this.#put(fd, open.written, part, at)
        this.#step(`write ${open.path}`, true, () => put(bytes.subarray(0, length >> 1)))
        put(bytes)
        return length
      },
      fdatasync: (fd: number, done: (thrown: unknown) => void) => {
        const open = this.#open.get(fd)
        if (open === undefined) realCalls.fdatasync(fd, done)
        else setImmediate(() => done(this.#synced(open)))
      },
      closeSync: (fd: number) => {
        this.#open.delete(fd)
        realCalls.closeSync(fd)
      },
      unlinkSync: (path: string) => {
        if (!this.#mine(path)) return realCalls.unlinkSync(path)
        this.#step(`unlink ${path}`, false, () => undefined)
        this.#allow(path)
        this.#bury(path)
      },
    } as unknown as Calls
  }

  #openSync(path: string, flags: number, mode?: number): number {
    const isNew = this.#beforeWriting(path)
    const fd = realCalls.openSync(path, flags, mode)
    this.#open.set(fd, { path, written: this.#opened(fd, path, isNew) })
    this.madeByCalls++
    return fd
  }

  /** What went wrong with it, or null. */
  #synced({ path, written }: { readonly path: string; readonly written: Written }): unknown {
    try {
      this.#step(`sync ${path}`, true, () => undefined)
      this.#settle(written)
      return null
    } catch (thrown) {
      return thrown
    }
  }

  async #takeAway(path: string): Promise<void> {
    // for good: in a grave it would be a second name of what is still there
    await real.rm(path, { recursive: true, force: true })
  }
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(`${root}/`)
}

function kindOf(path: string): 'file' | 'directory' | undefined {
  const found = realCalls.lstatSync(path, { throwIfNoEntry: false })
  return found && (found.isDirectory() ? 'directory' : 'file')
}

function forWriting(flags: string | number): boolean {
  return typeof flags === 'string'
    ? /[wa+]/.test(flags)
    : (flags & (constants.O_WRONLY | constants.O_RDWR)) !== 0
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: injected, ${what}`), { code })
}

function gone(what: string): Error {
  return failure('EIO', `the machine is off: ${what}`)
}

function contentOf(fd: number): Buffer {
  const content = Buffer.alloc(realCalls.fstatSync(fd).size)
  realCalls.readSync(fd, content, 0, content.length, 0)
  return content
}

function resized(content: Buffer, length: number): Buffer {
  const sized = Buffer.alloc(length)
  content.copy(sized)
  return sized
}

function overlaid(content: Buffer, at: number, bytes: Buffer): Buffer {
  const sized = resized(content, Math.max(content.length, at + bytes.length))
  bytes.copy(sized, at)
  return sized
}

/** The handle with some of its methods replaced; all else goes to the real one. */
function overriding(handle: FileHandle, methods: Record<string, unknown>): FileHandle {
  return new Proxy(handle, {
    get(target, name) {
      if (typeof name === 'string' && Object.hasOwn(methods, name)) return methods[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
