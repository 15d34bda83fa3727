/**
 * DAG nodes and loose blocks, in blockstore-fs under their multihash. It writes without fsync, so every
 * block is hashed when read, and a bad one is deleted and counts as missing. Blocks that an add or a
 * download in progress has touched are remembered, for no share links to them yet.
 */
import { open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FsBlockstore } from 'blockstore-fs'
import { NextToLast } from 'blockstore-fs/sharding'
import type { CID } from 'multiformats/cid'
import { verifyBlock } from '../content/verify.ts'
import { SHA2_256 } from '../core/cid.ts'
import { errno, ShareError } from '../core/errors.ts'
import { syncDirectory } from './place.ts'

/** Largest block that is read back, in bytes: twice what any exchange carries. */
const MAX_BLOCK = 4 * 1024 * 1024
/** Blocks written since the last fsync at most; more wait for one. */
const UNSYNCED = 1024
/** Files fsynced at once. */
const SYNCS_AT_ONCE = 8

export class NodeStore {
  readonly #location: string
  readonly #blocks: FsBlockstore
  readonly #layout = new NextToLast()
  /** Work under way by file: two writers of one file would share a temporary name. */
  readonly #busy = new Map<string, Promise<unknown>>()
  #unsynced = new Set<string>()
  #holds = 0
  readonly #touched = new Set<string>()

  constructor(location: string) {
    this.#location = location
    this.#blocks = new FsBlockstore(location)
  }

  open(): Promise<void> {
    return this.#blocks.open()
  }

  /** Until it is released, blocks put or read are kept by `deleteUnheld`. */
  hold(): () => void {
    this.#holds++
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#holds--
      if (this.#holds === 0) this.#touched.clear()
    }
  }

  /** Undefined when it is not here, was not what it should be, or cannot be read now. */
  get(cid: CID): Promise<Uint8Array | undefined> {
    return this.getSurely(cid).catch(() => undefined)
  }

  /** As `get`, but a block that cannot be read now is not one that is not here. @throws ShareError IO, UNREADABLE */
  async getSurely(cid: CID): Promise<Uint8Array | undefined> {
    if (cid.multihash.code !== SHA2_256) return undefined
    const block = await this.#read(cid)
    if (block === undefined) return undefined
    if (verifyBlock(cid, block)) {
      this.#touch(this.#file(cid))
      return block
    }
    await this.#dropBad(cid)
    return undefined
  }

  /** Bytes of the block as it lies here, unverified. */
  async size(cid: CID): Promise<number | undefined> {
    if (cid.multihash.code !== SHA2_256) return undefined
    return stat(this.#file(cid)).then(
      (found) => found.size,
      () => undefined,
    )
  }

  /** @throws ShareError DISK_FULL, IO, UNREADABLE */
  async put(cid: CID, block: Uint8Array): Promise<void> {
    const file = this.#file(cid)
    this.#touch(file)
    await this.#exclusive(file, async () => {
      const present = await this.#read(cid).catch(() => undefined)
      const isHere = present !== undefined && Buffer.compare(present, block) === 0
      if (!isHere) await this.#write(cid, block)
      // one that was here may come from a run that ended before it was durable
      this.#unsynced.add(file)
    })
    if (this.#unsynced.size >= UNSYNCED) await this.sync()
  }

  /** Makes every block put so far durable. */
  async sync(): Promise<void> {
    const syncing = this.#unsynced
    this.#unsynced = new Set()
    const files = syncing.values()
    const directories = new Set([...syncing].map((file) => dirname(file)))
    try {
      await Promise.all(Array.from({ length: SYNCS_AT_ONCE }, () => syncAll(files)))
      for (const directory of directories) await syncDirectory(directory)
      if (directories.size > 0) await syncDirectory(this.#location)
    } catch (thrown) {
      for (const file of syncing) this.#unsynced.add(file)
      throw thrown
    }
  }

  /** Every block's CID, in no order. */
  async *list(): AsyncGenerator<CID> {
    for (const dir of await readdir(this.#location)) {
      for (const name of await readdir(join(this.#location, dir)).catch(() => [])) {
        const cid = this.#named(name)
        if (cid !== undefined) yield cid
      }
    }
  }

  /** Deletes a block unless a hold has touched it; gives its size when it went. */
  async deleteUnheld(cid: CID): Promise<number | undefined> {
    const file = this.#file(cid)
    let freed: number | undefined
    await this.#exclusive(file, async () => {
      if (this.#touched.has(file)) return
      freed = await this.size(cid)
      await rm(file, { force: true })
      this.#unsynced.delete(file)
    })
    return freed
  }

  /** Deletes what a crash left of writes. For the start, before anything writes. */
  async dropLeftovers(): Promise<void> {
    for (const dir of await readdir(this.#location)) {
      const names = await readdir(join(this.#location, dir)).catch(() => [])
      const leftovers = names.filter((name) => name.startsWith('.') && name.endsWith('.tmp'))
      for (const name of leftovers) await rm(join(this.#location, dir, name), { force: true })
    }
  }

  #file(cid: CID): string {
    const { dir, file } = this.#layout.encode(cid)
    return join(this.#location, dir, file)
  }

  #named(name: string): CID | undefined {
    if (name.startsWith('.') || !name.endsWith(this.#layout.extension)) return undefined
    try {
      return this.#layout.decode(name)
    } catch {
      return undefined
    }
  }

  #touch(file: string): void {
    if (this.#holds > 0) this.#touched.add(file)
  }

  /** Undefined when it is not here; empty when it is too large. @throws ShareError IO, UNREADABLE */
  async #read(cid: CID): Promise<Uint8Array | undefined> {
    const parts: Uint8Array[] = []
    try {
      const { size } = await stat(this.#file(cid))
      if (size > MAX_BLOCK) return new Uint8Array(0)
      for await (const part of this.#blocks.get(cid)) parts.push(part)
    } catch (thrown) {
      const failure = withErrno(thrown)
      if (errno(failure) === 'ENOENT') return undefined
      throw ShareError.from(failure, 'read a block')
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
  }

  async #write(cid: CID, block: Uint8Array): Promise<void> {
    try {
      await this.#blocks.put(cid, block)
    } catch (thrown) {
      throw ShareError.from(withErrno(thrown), 'store a block')
    }
  }

  /** Looks again with the file to itself: it may have been in the middle of being written. */
  async #dropBad(cid: CID): Promise<void> {
    const file = this.#file(cid)
    await this.#exclusive(file, async () => {
      const block = await this.#read(cid)
      if (block === undefined || verifyBlock(cid, block)) return
      await rm(file, { force: true })
    })
  }

  async #exclusive(file: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#busy.get(file) ?? Promise.resolve()).then(work)
    const settled = turn.catch(() => undefined)
    this.#busy.set(file, settled)
    try {
      await turn
    } finally {
      if (this.#busy.get(file) === settled) this.#busy.delete(file)
    }
  }
}

async function syncAll(files: Iterable<string>): Promise<void> {
  for (const file of files) {
    const handle = await open(file).catch(() => undefined)
    if (handle === undefined) continue
    try {
      await handle.datasync()
    } catch (thrown) {
      throw ShareError.from(thrown, 'make a block durable')
    } finally {
      await handle.close()
    }
  }
}

/** A name of the system's, not one of blockstore-fs, such as ERR_PUT_FAILED. */
const SYSTEM_ERROR = /^E[A-Z0-9]+$/

/** blockstore-fs keeps of a system error only its text, which begins with the name. */
function withErrno(thrown: unknown): unknown {
  if (SYSTEM_ERROR.test(errno(thrown) ?? '')) return thrown
  const name = thrown instanceof Error ? /\b(E[A-Z]{2,}):/.exec(thrown.message)?.[1] : undefined
  return name === undefined
    ? thrown
    : Object.assign(new Error(String(thrown), { cause: thrown }), { code: name })
}
