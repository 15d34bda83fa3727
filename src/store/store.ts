/** The store: composes the parts in this directory into what types.ts promises. */
import { rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { CID } from 'multiformats/cid'
import type { Manifest } from '../content/manifest.ts'
import { IDENTITY, rootKeyOf, SHA2_256 } from '../core/cid.ts'
import type { RootKey } from '../core/types.ts'
import { addShare } from './adding.ts'
import { becomeShare } from './become-share.ts'
import { BlockIndex } from './block-index.ts'
import { BorderFile } from './border-file.ts'
import { rowOf } from './catalogue.ts'
import { PartialDownload } from './download.ts'
import { beingDownloaded } from './download-errors.ts'
import { FileBlocks } from './file-blocks.ts'
import { collectGarbage } from './gc.ts'
import { type Home, openHome } from './home.ts'
import { Layouts, unindexLayout } from './layouts.ts'
import { NodeStore } from './node-store.ts'
import type { Parts } from './parts.ts'
import { recoverFinishing } from './recover.ts'
import { Serving } from './serving.ts'
import { ShareTable } from './share-table.ts'
import { SmallFiles } from './small-files.ts'
import { dropPartial, prepareDownload, prepareTorrent } from './targets.ts'
import { PartialTorrent } from './torrent-download.ts'
import type { TorrentDownload } from './torrent-types.ts'
import type { Added, AskedTorrent, DigestKind, Download, Location, ShareRow, Store } from './types.ts'
import type { Damage, VerifyOptions } from './verify-share.ts'

export interface StoreOptions {
  /** Told, one line each, what was found wrong and put right. */
  readonly logger?: (line: string) => void
}

/** Between two rounds of upkeep, in milliseconds: what is stored becomes durable about this late. */
const UPKEEP_MS = 2000
/** A file is closed after this long without a read, in milliseconds. */
const IDLE_MS = 5000

/**
 * Opens a home, which it makes if need be, and puts right what a crash left.
 * @throws ShareError ALREADY_RUNNING when another process uses the home; UNREADABLE, IO
 */
export async function openStore(home: string, options: StoreOptions = {}): Promise<Store> {
  const opened = await openHome(home)
  try {
    const parts = await openParts(opened, options.logger ?? (() => undefined))
    const completed = await recoverFinishing(parts.shares, parts.layouts)
    const store = new HomeStore(opened, parts)
    store.verifyLater(completed)
    return store
  } catch (thrown) {
    await opened.close()
    throw thrown
  }
}

async function openParts({ catalogue, blocks, borders }: Home, log: (line: string) => void): Promise<Parts> {
  const nodes = new NodeStore(blocks)
  await nodes.open()
  await nodes.dropLeftovers()
  const shares = await ShareTable.load(catalogue, log)
  const layouts = new Layouts(catalogue, log)
  const index = new BlockIndex(catalogue)
  const smallFiles = new SmallFiles()
  const files = new FileBlocks(smallFiles)
  return { catalogue, shares, layouts, index, nodes, files, smallFiles, borders, log }
}

class HomeStore implements Store {
  readonly #home: Home
  readonly #parts: Parts
  readonly #serving: Serving
  readonly #downloads = new Map<RootKey, PartialDownload>()
  readonly #torrents = new Map<RootKey, PartialTorrent>()
  readonly #opening = new Set<RootKey>()
  readonly #closing = new AbortController()
  readonly #upkeep: NodeJS.Timeout
  #background: Promise<unknown> = Promise.resolve()
  #collecting: Promise<{ blocks: number; bytes: number }> | undefined

  constructor(home: Home, parts: Parts) {
    this.#home = home
    this.#parts = parts
    this.#serving = new Serving(parts, this.#downloads)
    this.#upkeep = setInterval(() => this.#keepUp(), UPKEEP_MS)
    this.#upkeep.unref()
  }

  getBlock(cid: CID): Promise<Uint8Array | undefined> {
    return this.#serving.getBlock(cid)
  }

  blockSize(cid: CID): Promise<number | undefined> {
    return this.#serving.blockSize(cid)
  }

  async putBlock(cid: CID, block: Uint8Array): Promise<void> {
    if (cid.multihash.code === IDENTITY) return
    await this.#parts.nodes.put(cid, block)
  }

  shares(): readonly ShareRow[] {
    return this.#parts.shares.all().map((share) => share.row)
  }

  share(root: RootKey): ShareRow | undefined {
    return this.#parts.shares.get(root)?.row
  }

  async update(root: RootKey, change: Partial<Omit<ShareRow, 'root'>>): Promise<void> {
    await this.#parts.shares.change(root, change)
  }

  count(root: RootKey, moved: { uploaded?: number; downloaded?: number }): void {
    this.#parts.shares.count(root, moved)
  }

  async locate(cid: CID): Promise<Location[]> {
    if (cid.multihash.code !== SHA2_256) return []
    const entries = await this.#parts.index.find(cid.multihash.digest)
    return entries.flatMap(({ slot, kind, number }) => {
      const root = this.#parts.shares.withSlot(slot)?.row.root
      return root === undefined || kind !== 'piece' ? [] : [{ root, piece: number }]
    })
  }

  async manifest(root: RootKey): Promise<Manifest | undefined> {
    if (this.#parts.shares.get(root) === undefined) return undefined
    const download = this.#downloads.get(root)
    if (download?.isSealed === true && download.layout !== undefined) return download.layout.manifest
    return (await this.#parts.layouts.get(root))?.manifest
  }

  digests(root: RootKey, kind: DigestKind): Promise<Uint8Array | undefined> {
    return this.#parts.catalogue.get(rowOf(kind, root))
  }

  async keepDigests(root: RootKey, kind: DigestKind, digests: Uint8Array): Promise<void> {
    if (this.share(root) === undefined) return
    await this.#parts.catalogue.write([{ type: 'put', key: rowOf(kind, root), value: digests }], 'soon')
  }

  hold(): () => void {
    return this.#parts.nodes.hold()
  }

  async addShare(share: Added): Promise<ShareRow> {
    return this.#alone(rootKeyOf(share.manifest.root), () => addShare(this.#parts, share))
  }

  readPiece(root: RootKey, piece: number): Promise<Uint8Array | undefined> {
    return this.#serving.readPiece(root, piece)
  }

  verify(root: RootKey, options: VerifyOptions): Promise<readonly Damage[]> {
    return this.#serving.verify(root, options)
  }

  onDamage(listener: (root: RootKey) => void): void {
    this.#serving.onDamage(listener)
  }

  async openDownload(share: {
    root: CID
    name: string
    path: string
    peers: readonly string[]
  }): Promise<Download> {
    const root = rootKeyOf(share.root)
    return this.#alone(root, async () => {
      await prepareDownload(this.#parts.shares, this.#parts.layouts, {
        ...share,
        root,
        path: resolve(share.path),
      })
      const download = new PartialDownload(root, this.#parts, () => this.#downloads.delete(root))
      this.#downloads.set(root, download)
      return download
    })
  }

  openTorrent(asked: AskedTorrent): Promise<TorrentDownload> {
    const { root } = asked
    return this.#alone(root, async () => {
      await prepareTorrent(this.#parts.shares, { ...asked, path: resolve(asked.path) })
      const download = new PartialTorrent(root, this.#parts, () => this.#torrents.delete(root))
      this.#torrents.set(root, download)
      return download
    })
  }

  metainfo(root: RootKey): Promise<Uint8Array | undefined> {
    return this.#parts.catalogue.get(rowOf('metainfo', root))
  }

  async keepMetainfo(root: RootKey, metainfo: Uint8Array): Promise<void> {
    const change = { type: 'put' as const, key: rowOf('metainfo', root), value: metainfo }
    if (this.share(root) !== undefined) await this.#parts.catalogue.write([change], 'durable')
  }

  becomeShare(torrent: RootKey, root: RootKey): Promise<ShareRow> {
    return becomeShare(this.#parts, torrent, root)
  }

  async remove(root: RootKey): Promise<void> {
    const download = this.#downloads.get(root)
    await download?.abandon()
    await this.#torrents.get(root)?.abandon()
    await rm(BorderFile.pathIn(this.#parts.borders, root), { force: true })
    const share = this.#parts.shares.get(root)
    if (share === undefined) return
    const layout = (await this.#parts.layouts.get(root)) ?? download?.layout
    await dropPartial(share)
    await this.#parts.shares.remove(root)
    this.#parts.layouts.drop(root)
    if (layout !== undefined) await unindexLayout(this.#parts.index, share.slot, layout)
  }

  gc(): Promise<{ blocks: number; bytes: number }> {
    this.#collecting ??= collectGarbage(this.#parts).finally(() => {
      this.#collecting = undefined
    })
    return this.#collecting
  }

  async close(): Promise<void> {
    clearInterval(this.#upkeep)
    this.#closing.abort()
    await this.#background
    await this.#collecting?.catch(() => undefined)
    const open = [...this.#downloads.values(), ...this.#torrents.values()]
    const closed = await Promise.allSettled(open.map((download) => download.close()))
    for (const result of closed)
      if (result.status === 'rejected') this.#parts.log(`closing a download: ${result.reason}`)
    await this.#parts.files.close()
    try {
      await this.#parts.smallFiles.close()
      await this.#parts.nodes.sync()
      await this.#parts.shares.writeCounts()
    } finally {
      // whatever the disk says, the home is given back
      await this.#home.close()
    }
  }

  /** Verifies shares one after the other, as long as the store is open. */
  verifyLater(roots: readonly RootKey[]): void {
    const verifyAll = async () => {
      for (const root of roots) await this.verify(root, { signal: this.#closing.signal })
    }
    this.#background = verifyAll().catch((thrown: unknown) => {
      if (!this.#closing.signal.aborted) this.#parts.log(`verifying after a crash: ${thrown}`)
    })
  }

  #keepUp(): void {
    this.#parts.files.closeIdle(IDLE_MS)
    for (const download of [...this.#downloads.values(), ...this.#torrents.values()]) {
      download.flush().catch((thrown: unknown) => this.#parts.log(`making a download durable: ${thrown}`))
    }
    this.#parts.shares
      .writeCounts()
      .catch((thrown: unknown) => this.#parts.log(`writing counters: ${thrown}`))
  }

  /** One add or download of a root at a time. */
  async #alone<T>(root: RootKey, work: () => Promise<T>): Promise<T> {
    if (this.#downloads.has(root) || this.#torrents.has(root) || this.#opening.has(root))
      throw beingDownloaded(root)
    this.#opening.add(root)
    try {
      return await work()
    } finally {
      this.#opening.delete(root)
    }
  }
}
