/**
 * Taking in a CAR file: its blocks, each checked, go to the store, and each root whose whole tree is then here
 * becomes a share. What is wrong with the file is said; blocks that were right stay until `gc`.
 */
import { open } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { CID } from 'multiformats/cid'
import { badContent } from '../content/bad-content.ts'
import { type Car, type CarBlock, readCar } from '../content/car-reader.ts'
import type { Manifest } from '../content/manifest.ts'
import { unwrapLeaf } from '../content/verify.ts'
import { blockKey, RAW, rootKeyOf, unsupported } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { BlockKey } from '../core/types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { derivedManifest } from './derived-manifest.ts'
import type { ImportOptions } from './types.ts'

/** What came of a file: for each of its roots the share that it is now, or why it is none. */
export interface Imported {
  readonly roots: readonly { readonly cid: CID; readonly outcome: ShareRow | ShareError }[]
  readonly blocks: number
  readonly bytes: number
}

/** Blocks written at once: their cost is waiting for the disk. */
const WRITES_AT_ONCE = 8

/** Bytes read from the file at once. */
const CHUNK = 1 << 20

/** @throws ShareError NOT_FOUND, UNREADABLE, BAD_CONTENT, VERIFICATION_FAILED, UNSUPPORTED, DISK_FULL, INTERRUPTED */
export async function importCar(store: Store, path: string, options: ImportOptions): Promise<Imported> {
  const release = store.hold()
  try {
    const stored = new Stored(store)
    const { roots } = await storeBlocks(path, stored, options)
    if (options.blocks !== true && roots.length === 0)
      throw badCar(path, 'names no root', 'store its blocks alone with --blocks')
    const outcomes: Imported['roots'][number][] = []
    for (const cid of options.blocks === true ? [] : roots) {
      const name = (roots.length === 1 ? options.name : undefined) ?? nameFor(path, roots.length, cid)
      const outcome = await shareOf(stored, cid, { ...options, name, path: resolve(path) }).catch(
        (thrown: unknown) => {
          if (options.signal?.aborted === true) throw thrown
          return ShareError.from(thrown, `share ${cid}`)
        },
      )
      outcomes.push({ cid, outcome })
    }
    return { roots: outcomes, blocks: stored.blocks, bytes: stored.bytes }
  } finally {
    release()
  }
}

async function storeBlocks(
  path: string,
  stored: Stored,
  { signal, onProgress }: ImportOptions,
): Promise<Car> {
  const file = await openFile(path)
  const { size: total } = await file.stat()
  let done = 0
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of file.createReadStream({ highWaterMark: CHUNK, autoClose: false })) {
      done += chunk.length
      onProgress?.({ done, total })
      yield chunk
    }
  }
  const writing = new Set<Promise<void>>()
  try {
    const car = await readCar(chunks())
    for await (const block of car.blocks) {
      signal?.throwIfAborted()
      const write = stored.put(block).finally(() => writing.delete(write))
      writing.add(write)
      if (writing.size >= WRITES_AT_ONCE) await Promise.race(writing)
    }
    await Promise.all(writing)
    return car
  } finally {
    await Promise.allSettled(writing)
    await file.close()
  }
}

async function openFile(path: string) {
  const file = await open(path).catch((thrown: unknown) => {
    const error = ShareError.from(thrown, `read ${path}`)
    throw error.code === 'NOT_FOUND'
      ? new ShareError('NOT_FOUND', `there is no ${path}`, 'check the path')
      : error
  })
  if ((await file.stat()).isFile()) return file
  await file.close()
  throw badCar(path, 'is not a file', 'name a CAR file')
}

/** The blocks that this file gave, by what they are: how long each is. */
class Stored {
  readonly store: Store
  readonly #sizes = new Map<BlockKey, number>()
  blocks = 0
  bytes = 0

  constructor(store: Store) {
    this.store = store
  }

  async put({ cid, block }: CarBlock): Promise<void> {
    await this.store.putBlock(cid, block)
    this.#sizes.set(blockKey(cid), block.length)
    this.blocks++
    this.bytes += block.length
  }

  size(cid: CID): number | undefined {
    return this.#sizes.get(blockKey(cid))
  }

  async get(cid: CID): Promise<Uint8Array> {
    const block = await this.store.getBlock(cid)
    if (block !== undefined) return block
    const hint = 'get a whole file, import what is missing first, or store the blocks alone with --blocks'
    throw new ShareError('BAD_CONTENT', `its block ${cid} is neither in the file nor here`, hint)
  }
}

interface Naming extends ImportOptions {
  readonly name: string
  readonly path: string
}

async function shareOf(stored: Stored, root: CID, { name, path, signal }: Naming): Promise<ShareRow> {
  const { store } = stored
  const here = store.share(rootKeyOf(root))
  if (here?.phase === 'complete' && here.damaged.length === 0) return here
  const reason = unsupported(root)
  if (reason !== undefined) {
    const hint = 'only UnixFS content can be shared; store the blocks alone with --blocks'
    throw new ShareError('UNSUPPORTED', `the root ${root} has ${reason}`, hint)
  }
  const { manifest, inlines } = await derivedManifest(root, (cid) => stored.get(cid), signal)
  await completePieces(stored, manifest, signal)
  return store.addShare({ manifest, inlines, name, path, copied: true, added: undefined })
}

/** Every piece is in blockstore-fs then, also one that so far lay in the file of another share. */
async function completePieces(stored: Stored, { pieces }: Manifest, signal: AbortSignal | undefined) {
  for (let piece = 0; piece < pieces.length; piece++) {
    signal?.throwIfAborted()
    const cid = pieces.cid(piece)
    const size = stored.size(cid)
    if (size !== undefined && cid.code === RAW && size === pieces.blockSize(piece)) continue
    const block = await stored.get(cid)
    const payload = unwrapLeaf(cid.code, block, pieces.size(piece))
    if (payload === undefined || block.length !== pieces.blockSize(piece))
      throw badContent(`the block ${cid} is not the leaf that stands in the tree`)
    if (size === undefined) await stored.store.putBlock(cid, block)
  }
}

function nameFor(path: string, roots: number, cid: CID): string {
  const name = basename(path).replace(/\.car$/i, '')
  return roots === 1 && name !== '' ? name : cid.toString()
}

function badCar(path: string, what: string, hint: string): ShareError {
  return new ShareError('BAD_CONTENT', `${path} ${what}`, hint)
}
