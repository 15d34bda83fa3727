/** What a store is put through: a few adds, downloads, removals and collections in a random order, and what each promised. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { Prng } from '../../../src/core/prng.ts'
import type { RootKey } from '../../../src/core/types.ts'
import { PartialDownload } from '../../../src/store/download.ts'
import { MANY_FILES } from '../../../src/store/small-files.ts'
import type { Download, InlinePlace, Store } from '../../../src/store/types.ts'
import { bytes, type MadeShare, makeFile, makeTree, putNodes } from '../../unit/store-fixture.ts'

export interface Kept {
  readonly share: MadeShare
  /** Where the bytes lie, or will. */
  readonly path: string
  readonly how: 'in place' | 'copied' | 'download'
  /** What was promised last: a share that is whole, pieces that a restart finds, or that it is gone; nothing while work on it runs. */
  promised: 'whole' | 'gone' | ReadonlySet<number> | undefined
}

type Action = 'add' | 'download' | 'flush' | 'close' | 'finish' | 'remove' | 'gc' | 'update' | 'digests'

const ACTIONS: readonly Action[] = [
  'add',
  'add',
  'download',
  'download',
  'download',
  'flush',
  'close',
  'finish',
  'finish',
  'remove',
  'gc',
  'update',
  'digests',
]
const FEWEST = 5
const MOST = 12

/** Files in a directory that is worth the thread of small files. */
const MANY = MANY_FILES + 2

/** The same shares in each run: a file and a tree of each kind, small nodes and repeated leaves among them, and many files. */
export function makeShares(work: string): Kept[] {
  const repeated = bytes(1000, 9)
  const tree = {
    a: bytes(2500, 1),
    'd/b': bytes(1700, 2),
    'd/c': bytes(300, 3),
    empty: bytes(0, 0),
    r: repeated,
  }
  const many = Object.fromEntries(
    Array.from({ length: MANY }, (_, at) => [`${at % 3}/${at}`, bytes(40 + at, 100 + at)]),
  )
  const kept = (share: MadeShare, name: string, how: Kept['how']): Kept => ({
    share,
    path: join(work, how === 'download' ? 'targets' : 'sources', name),
    how,
    promised: 'gone',
  })
  return [
    kept(makeFile(bytes(4200, 11)), 'file', 'in place'),
    kept(makeTree(tree, 'file-wrapped'), 'tree', 'in place'),
    kept(makeFile(bytes(3300, 12)), 'copied', 'copied'),
    kept(makeFile(bytes(9700, 13)), 'file', 'download'),
    kept(makeTree({ ...tree, r2: repeated, more: bytes(5100, 14) }, 'raw'), 'tree', 'download'),
    kept(makeTree({ ...tree, x: bytes(2900, 15) }, 'raw-wrapped'), 'wrapped', 'download'),
    kept(makeTree(many, 'raw'), 'many', 'download'),
  ]
}

export class Work {
  readonly shares: readonly Kept[]
  readonly #store: Store
  readonly #prng: Prng
  readonly #downloads = new Map<RootKey, Download>()

  /** Whole files whose shares were removed: they stay, and nothing is downloaded over them. */
  readonly #left = new Set<RootKey>()

  constructor(store: Store, shares: readonly Kept[], prng: Prng) {
    this.#store = store
    this.shares = shares
    this.#prng = prng
  }

  /** Goes through the actions; whatever fails is told, and the next is tried. */
  async run(failed: (thrown: unknown) => void, goesOn: () => boolean): Promise<void> {
    const count = FEWEST + this.#prng.below(MOST - FEWEST)
    for (let done = 0; done < count && goesOn(); done++) {
      const action = ACTIONS[this.#prng.below(ACTIONS.length)] ?? 'gc'
      const share = this.#pick(action)
      if (share === undefined) continue
      await this.#do(action, share).catch(failed)
    }
  }

  #pick(action: Action): Kept | undefined {
    const fits = this.shares.filter((kept) => {
      const row = this.#store.share(kept.share.key)
      if (action === 'add') return kept.how !== 'download'
      if (action === 'download')
        return kept.how === 'download' && row?.phase !== 'complete' && !this.#left.has(kept.share.key)
      if (action === 'flush' || action === 'close' || action === 'finish')
        return this.#downloads.has(kept.share.key)
      return action === 'gc' || row !== undefined
    })
    return fits.length === 0 ? undefined : fits[this.#prng.below(fits.length)]
  }

  async #do(action: Action, kept: Kept): Promise<void> {
    const { key } = kept.share
    switch (action) {
      case 'add':
        return this.#add(kept)
      case 'download':
        return this.#download(kept)
      case 'flush':
        return this.#flush(kept)
      case 'close':
        return this.#close(kept)
      case 'finish':
        return this.#finish(kept)
      case 'remove':
        kept.promised = undefined
        this.#downloads.delete(key)
        if (this.#store.share(key)?.phase !== 'incomplete') this.#left.add(key)
        await this.#store.remove(key)
        kept.promised = 'gone'
        return
      case 'gc':
        await this.#store.gc()
        return
      case 'update':
        return this.#store.update(key, { paused: this.#prng.below(2) === 0 })
      case 'digests':
        return this.#store.keepDigests(key, 'torrent', bytes(64, 1))
    }
  }

  async #add(kept: Kept): Promise<void> {
    const { share, path, how } = kept
    if (kept.promised !== 'whole') kept.promised = undefined
    const release = this.#store.hold()
    try {
      await putNodes(this.#store, share)
      const copied = how === 'copied'
      if (copied)
        for (const [piece, block] of share.blocks.entries())
          await this.#store.putBlock(share.manifest.pieces.cid(piece), block)
      const inlines = share.inlines.map(
        ({ cid, place, data }): InlinePlace => ({ cid, ...place, size: data.length }),
      )
      await this.#store.addShare({
        manifest: share.manifest,
        inlines,
        name: 'made',
        path,
        copied,
        added: undefined,
      })
    } finally {
      release()
    }
    kept.promised = 'whole'
  }

  async #download(kept: Kept): Promise<void> {
    const { share } = kept
    if (kept.promised === 'gone') kept.promised = undefined
    const download = this.#downloads.get(share.key) ?? (await this.#open(kept))
    const count = 1 + this.#prng.below(share.blocks.length)
    for (const [piece, block] of share.blocks.entries())
      if (this.#prng.below(share.blocks.length) < count) await download.writePiece(piece, block)
  }

  async #open({ share, path }: Kept): Promise<Download> {
    const download = await this.#store.openDownload({ root: share.root, name: 'made', path, peers: [] })
    try {
      await beginDownload(this.#store, download, share)
    } catch (thrown) {
      await download.close().catch(() => undefined)
      throw thrown
    }
    this.#downloads.set(share.key, download)
    return download
  }

  async #flush(kept: Kept): Promise<void> {
    const download = this.#downloads.get(kept.share.key)
    assert.ok(download instanceof PartialDownload)
    const have = new Set(download.have)
    await download.flush()
    // after a flush that failed, the later ones do nothing
    if (!download.failed) kept.promised = have
  }

  async #close(kept: Kept): Promise<void> {
    const download = this.#downloads.get(kept.share.key)
    if (download === undefined) return
    const have = new Set(download.have)
    this.#downloads.delete(kept.share.key)
    await download.close()
    kept.promised = have
  }

  async #finish(kept: Kept): Promise<void> {
    const download = this.#downloads.get(kept.share.key)
    if (download === undefined) return
    for (const [piece, block] of kept.share.blocks.entries()) await download.writePiece(piece, block)
    if (kept.promised !== 'whole') kept.promised = undefined
    await download.finish()
    this.#downloads.delete(kept.share.key)
    kept.promised = 'whole'
  }
}

/** As far as a finished walk goes. */
export async function beginDownload(store: Store, download: Download, share: MadeShare): Promise<void> {
  await download.begin(share.manifest)
  await putNodes(store, share)
  for (const inline of share.inlines) await download.writeInline(inline)
  await download.extend()
  await download.sealed()
}
