/** The store: blocks where they lie, and the catalogue that knows where. Composes the parts in this directory. */
import { constants } from 'node:fs'
import { access, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { CID } from 'multiformats/cid'
import type { Manifest } from '../content/manifest.ts'
import { DAG_PB, IDENTITY, MAX_IDENTITY_BYTES, RAW, rootKeyOf, SHA2_256 } from '../core/cid.ts'
import { errno, ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import { BlockIndex, type IndexEntry } from './block-index.ts'
import { rowOf } from './catalogue.ts'
import { PartialDownload } from './download.ts'
import { FileBlocks, fileOf, type Reading } from './file-blocks.ts'
import { collectGarbage } from './gc.ts'
import { type Home, openHome } from './home.ts'
import { inlineBlock } from './inline-node.ts'
import { blockLength, inlineAt, type KeptInline, type Layout } from './layout.ts'
import { indexLayout, Layouts, layoutRows, unindexLayout } from './layouts.ts'
import { NodeStore } from './node-store.ts'
import { partialPath } from './partial.ts'
import { kindAt, targetExists } from './place.ts'
import { recoverFinishing } from './recover.ts'
import type { KeptShare } from './share-row.ts'
import { ShareTable } from './share-table.ts'
import type { Download, InlinePlace, Location, ShareRow, Store } from './types.ts'
import { type Damage, LOST_BLOCK, type VerifyOptions, verifyCopied, verifyFiles } from './verify-share.ts'
import { FILE_FORM, splitInline, standardWrapping, Wrappings } from './wrapping.ts'

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
  const log = options.logger ?? (() => undefined)
  const opened = await openHome(home)
  try {
    const nodes = new NodeStore(opened.blocks)
    await nodes.open()
    await nodes.dropLeftovers()
    const shares = await ShareTable.load(opened.catalogue, log)
    const layouts = new Layouts(opened.catalogue, log)
    const completed = await recoverFinishing(shares, layouts)
    const store = new HomeStore(opened, nodes, shares, layouts, log)
    store.verifyLater(completed)
    return store
  } catch (thrown) {
    await opened.close()
    throw thrown
  }
}

class HomeStore implements Store {
  readonly #home: Home
  readonly #nodes: NodeStore
  readonly #shares: ShareTable
  readonly #layouts: Layouts
  readonly #index: BlockIndex
  readonly #files = new FileBlocks()
  readonly #log: (line: string) => void
  readonly #downloads = new Map<RootKey, PartialDownload>()
  readonly #opening = new Set<RootKey>()
  readonly #listeners: ((root: RootKey) => void)[] = []
  readonly #closing = new AbortController()
  readonly #upkeep: NodeJS.Timeout
  #background: Promise<unknown> = Promise.resolve()
  #collecting: Promise<{ blocks: number; bytes: number }> | undefined

  constructor(
    home: Home,
    nodes: NodeStore,
    shares: ShareTable,
    layouts: Layouts,
    log: (line: string) => void,
  ) {
    this.#home = home
    this.#nodes = nodes
    this.#shares = shares
    this.#layouts = layouts
    this.#index = new BlockIndex(home.catalogue)
    this.#log = log
    this.#upkeep = setInterval(() => this.#keepUp(), UPKEEP_MS)
    this.#upkeep.unref()
  }

  async getBlock(cid: CID): Promise<Uint8Array | undefined> {
    const inName = identityBlock(cid)
    if (inName !== undefined || cid.multihash.code !== SHA2_256) return inName
    if (cid.code === RAW) return (await this.#blockInFiles(cid)) ?? this.#nodes.get(cid)
    return (await this.#nodes.get(cid)) ?? this.#blockInFiles(cid)
  }

  async blockSize(cid: CID): Promise<number | undefined> {
    const inName = identityBlock(cid)
    if (inName !== undefined || cid.multihash.code !== SHA2_256) return inName?.length
    for (const entry of await this.#index.find(cid.multihash.digest)) {
      const size = await this.#sizeInFile(entry)
      if (size !== undefined) return size
    }
    return this.#nodes.size(cid)
  }

  async putBlock(cid: CID, block: Uint8Array): Promise<void> {
    if (cid.multihash.code === IDENTITY) return
    await this.#nodes.put(cid, block)
  }

  shares(): readonly ShareRow[] {
    return this.#shares.all().map((share) => share.row)
  }

  share(root: RootKey): ShareRow | undefined {
    return this.#shares.get(root)?.row
  }

  async update(root: RootKey, change: Partial<Omit<ShareRow, 'root'>>): Promise<void> {
    await this.#shares.change(root, change)
  }

  count(root: RootKey, moved: { uploaded?: number; downloaded?: number }): void {
    this.#shares.count(root, moved)
  }

  async locate(cid: CID): Promise<Location[]> {
    if (cid.multihash.code !== SHA2_256) return []
    const entries = await this.#index.find(cid.multihash.digest)
    return entries.flatMap(({ slot, kind, number }) => {
      const root = this.#shares.withSlot(slot)?.row.root
      return root === undefined || kind !== 'piece' ? [] : [{ root, piece: number }]
    })
  }

  async manifest(root: RootKey): Promise<Manifest | undefined> {
    if (this.#shares.get(root) === undefined) return undefined
    const download = this.#downloads.get(root)
    if (download?.isSealed === true && download.layout !== undefined) return download.layout.manifest
    return (await this.#layouts.get(root))?.manifest
  }

  hold(): () => void {
    return this.#nodes.hold()
  }

  async addShare(share: {
    manifest: Manifest
    inlines: readonly InlinePlace[]
    name: string
    path: string
    copied: boolean
  }): Promise<ShareRow> {
    const { manifest, name, copied } = share
    const root = rootKeyOf(manifest.root)
    if (this.#downloads.has(root) || this.#opening.has(root)) throw beingDownloaded(root)
    const former = this.#shares.get(root)
    if (former !== undefined) await dropPartial(former)
    checkWrappings(manifest)
    const inlines = await this.#keptInlines(share.inlines, copied)
    const layout: Layout = { manifest, wrappings: new Wrappings(), inlines }
    const slot = former?.slot ?? (await this.#shares.newSlot())
    await this.#nodes.sync()
    await indexLayout(this.#index, slot, layout)
    const row = newRow({ root, name, path: resolve(share.path), peers: former?.row.peers ?? [] }, former?.row)
    const kept: KeptShare = {
      row: { ...row, phase: 'complete', copied, size: manifest.size, pieces: manifest.pieces.length },
      slot,
      partial: 'none',
    }
    const along = [...layoutRows(root, layout), { type: 'del' as const, key: rowOf('have', root) }]
    await this.#shares.put(kept, along)
    this.#layouts.put(root, layout)
    return kept.row
  }

  async readPiece(root: RootKey, piece: number): Promise<Uint8Array | undefined> {
    const download = await this.#openDownload(root)
    if (download !== undefined) return download.readPiece(piece)
    const source = await this.#source(root)
    if (source === undefined || piece >= source.layout.manifest.pieces.length) return undefined
    if (source.copied) return this.#readCopied(root, source, piece)
    return this.#served(root, await this.#files.readPiece(source, piece))
  }

  async verify(root: RootKey, options: VerifyOptions): Promise<readonly Damage[]> {
    const download = await this.#openDownload(root)
    if (download !== undefined) return this.#verifyPartial(download, options)
    const share = this.#shares.get(root)
    const layout = share?.row.phase === 'complete' ? await this.#layouts.get(root) : undefined
    if (share === undefined || layout === undefined) return []
    const source = { layout, path: share.row.path }
    const damaged = share.row.copied
      ? await verifyCopied(source, this.#nodes, options)
      : await verifyFiles(source, this.#files, this.#nodes, options)
    const changed = damaged.length > 0 || share.row.damaged.length > 0
    if (changed) await this.#setDamage(root, damaged)
    return damaged
  }

  onDamage(listener: (root: RootKey) => void): void {
    this.#listeners.push(listener)
  }

  async openDownload(share: {
    root: CID
    name: string
    path: string
    peers: readonly string[]
  }): Promise<Download> {
    const root = rootKeyOf(share.root)
    if (this.#downloads.has(root) || this.#opening.has(root)) throw beingDownloaded(root)
    this.#opening.add(root)
    try {
      await this.#prepareDownload({ ...share, root, path: resolve(share.path) })
      const download = new PartialDownload(root, {
        catalogue: this.#home.catalogue,
        index: this.#index,
        nodes: this.#nodes,
        layouts: this.#layouts,
        shares: this.#shares,
        log: this.#log,
        closed: () => this.#downloads.delete(root),
      })
      this.#downloads.set(root, download)
      return download
    } finally {
      this.#opening.delete(root)
    }
  }

  async remove(root: RootKey): Promise<void> {
    const download = this.#downloads.get(root)
    await download?.abandon()
    const share = this.#shares.get(root)
    if (share === undefined) return
    const layout = (await this.#layouts.get(root)) ?? download?.layout
    await dropPartial(share)
    await this.#shares.remove(root)
    this.#layouts.drop(root)
    if (layout !== undefined) await unindexLayout(this.#index, share.slot, layout)
  }

  gc(): Promise<{ blocks: number; bytes: number }> {
    this.#collecting ??= collectGarbage({
      shares: this.#shares,
      layouts: this.#layouts,
      index: this.#index,
      nodes: this.#nodes,
      files: this.#files,
    }).finally(() => {
      this.#collecting = undefined
    })
    return this.#collecting
  }

  async close(): Promise<void> {
    clearInterval(this.#upkeep)
    this.#closing.abort()
    await this.#background
    await this.#collecting?.catch(() => undefined)
    const closed = await Promise.allSettled([...this.#downloads.values()].map((download) => download.close()))
    for (const result of closed)
      if (result.status === 'rejected') this.#log(`closing a download: ${result.reason}`)
    await this.#files.close()
    await this.#nodes.sync()
    await this.#shares.writeCounts()
    await this.#home.close()
  }

  /** Verifies shares one after the other, as long as the store is open. */
  verifyLater(roots: readonly RootKey[]): void {
    const verifyAll = async () => {
      for (const root of roots) await this.verify(root, { signal: this.#closing.signal })
    }
    this.#background = verifyAll().catch((thrown: unknown) => {
      if (!this.#closing.signal.aborted) this.#log(`verifying after a crash: ${thrown}`)
    })
  }

  #keepUp(): void {
    this.#files.closeIdle(IDLE_MS)
    for (const download of this.#downloads.values()) {
      download.flush().catch((thrown: unknown) => this.#log(`making a download durable: ${thrown}`))
    }
    this.#shares.writeCounts().catch((thrown: unknown) => this.#log(`writing counters: ${thrown}`))
  }

  /** The open download of a root, with its bytes under one name or the other. */
  async #openDownload(root: RootKey): Promise<PartialDownload | undefined> {
    await this.#downloads.get(root)?.settledName()
    return this.#downloads.get(root)
  }

  /** A complete share that may be served. */
  async #source(root: RootKey): Promise<{ layout: Layout; path: string; copied: boolean } | undefined> {
    const row = this.#shares.get(root)?.row
    if (row === undefined || row.phase !== 'complete' || row.damaged.length > 0) return undefined
    const layout = await this.#layouts.get(root)
    return layout && { layout, path: row.path, copied: row.copied }
  }

  async #blockInFiles(cid: CID): Promise<Uint8Array | undefined> {
    for (const { slot, kind, number } of await this.#index.find(cid.multihash.digest)) {
      const root = this.#shares.withSlot(slot)?.row.root
      if (root === undefined) continue
      const block = await (kind === 'piece' ? this.readPiece(root, number) : this.#readInline(root, number))
      if (block !== undefined) return block
    }
    return undefined
  }

  async #readInline(root: RootKey, inline: number): Promise<Uint8Array | undefined> {
    const download = await this.#openDownload(root)
    if (download !== undefined) return download.readInline(inline)
    const source = await this.#source(root)
    if (source === undefined || source.copied) return undefined
    return this.#served(root, await this.#files.readInline(source, inline))
  }

  async #sizeInFile({ slot, kind, number }: IndexEntry): Promise<number | undefined> {
    const root = this.#shares.withSlot(slot)?.row.root
    if (root === undefined) return undefined
    const download = await this.#openDownload(root)
    if (download !== undefined && (kind !== 'piece' || !download.have.has(number))) return undefined
    const source = await this.#source(root)
    const layout = download?.layout ?? source?.layout
    if (layout === undefined) return undefined
    if (kind === 'piece')
      return number < layout.manifest.pieces.length ? layout.manifest.pieces.blockSize(number) : undefined
    const leaf = inlineAt(layout, number)
    return leaf && blockLength(leaf)
  }

  async #readCopied(root: RootKey, source: { layout: Layout; path: string }, piece: number) {
    const { pieces } = source.layout.manifest
    const block = await this.#nodes.get(pieces.cid(piece))
    if (block !== undefined) return block
    await this.#damage(root, fileOf(source, pieces.places(piece)[0]?.entry ?? 0), LOST_BLOCK)
    return undefined
  }

  /** What a reading means for the share. */
  async #served(root: RootKey, reading: Reading | undefined): Promise<Uint8Array | undefined> {
    if (reading?.state === 'good') return reading.block
    if (reading?.state === 'damaged') await this.#damage(root, reading.file, reading.reason)
    if (reading?.state === 'unknown') this.#log(`reading a piece of ${root}: ${reading.reason}`)
    return undefined
  }

  async #damage(root: RootKey, file: string, reason: string): Promise<void> {
    const damaged = this.#shares.get(root)?.row.damaged ?? []
    if (damaged.some((known) => known.file === file)) return
    await this.#setDamage(root, [...damaged, { file, reason }])
  }

  async #setDamage(root: RootKey, damaged: readonly Damage[]): Promise<void> {
    await this.#shares.change(root, { damaged })
    for (const listener of this.#listeners) listener(root)
  }

  /** Hashes what an open download has; bad pieces are missing again, which puts the matter right. */
  async #verifyPartial(download: PartialDownload, options: VerifyOptions): Promise<Damage[]> {
    const { layout } = download
    const row = this.#shares.get(download.root)?.row
    if (layout === undefined || row === undefined) return []
    const { pieces } = layout.manifest
    const damaged = new Map<string, string>()
    let bytes = 0
    for (const piece of download.have) {
      options.signal?.throwIfAborted()
      const file = fileOf({ layout, path: partialPath(row.path) }, pieces.places(piece)[0]?.entry ?? 0)
      if ((await download.readPiece(piece)) === undefined) damaged.set(file, 'its content changed')
      bytes += pieces.size(piece)
      options.onProgress?.(bytes)
    }
    return [...damaged].map(([file, reason]) => ({ file, reason }))
  }

  async #keptInlines(inlines: readonly InlinePlace[], copied: boolean): Promise<KeptInline[]> {
    const kept: KeptInline[] = []
    for (const { cid, entry, offset, size } of inlines) {
      const block =
        copied || cid.multihash.code === IDENTITY ? undefined : await inlineBlock(this.#nodes, cid)
      kept.push({ cid, entry, offset, size, wrapping: block && splitInline(block, size) })
    }
    return kept
  }

  /** Checks the target and writes the row of a download that begins or goes on. */
  async #prepareDownload(asked: {
    root: RootKey
    name: string
    path: string
    peers: readonly string[]
  }): Promise<void> {
    const former = this.#shares.get(asked.root)
    if (former?.row.phase === 'complete' && !(await isLost(former.row))) throw alreadyHere(former.row)
    const begun =
      former !== undefined &&
      former.partial !== 'none' &&
      (await kindAt(partialPath(former.row.path))) !== undefined
    const path = begun ? former.row.path : asked.path
    await checkTarget(path)
    if (!begun && (await kindAt(partialPath(path))) !== undefined) throw targetExists(partialPath(path))
    const rival = this.shares().find(
      (row) => row.phase !== 'complete' && row.path === path && row.root !== asked.root,
    )
    if (rival !== undefined) throw targetExists(path)
    const peers = [...new Set([...(former?.row.peers ?? []), ...asked.peers])]
    const row = newRow({ ...asked, path, peers, name: begun ? former.row.name : asked.name }, former?.row)
    const partial = begun ? former.partial : 'none'
    const slot = former?.slot ?? (await this.#shares.newSlot())
    await this.#shares.put({ row, slot, partial })
  }
}

function identityBlock(cid: CID): Uint8Array | undefined {
  const { code, digest } = cid.multihash
  return code === IDENTITY && digest.length <= MAX_IDENTITY_BYTES ? digest : undefined
}

function newRow(
  share: { root: RootKey; name: string; path: string; peers: readonly string[] },
  former: ShareRow | undefined,
): ShareRow {
  return {
    root: share.root,
    name: share.name,
    path: share.path,
    phase: 'incomplete',
    copied: false,
    paused: former?.paused ?? false,
    size: former?.size ?? 0,
    pieces: former?.pieces ?? 0,
    uploaded: former?.uploaded ?? 0,
    downloaded: former?.downloaded ?? 0,
    addedAt: former?.addedAt ?? Date.now(),
    damaged: [],
    peers: share.peers,
  }
}

/** An added dag-pb leaf has the importer's form; one of another size could never be rebuilt from the file. */
function checkWrappings({ pieces }: Manifest): void {
  for (let piece = 0; piece < pieces.length; piece++) {
    if (pieces.codec(piece) !== DAG_PB) continue
    const { prefix, suffix } = standardWrapping(FILE_FORM, pieces.size(piece))
    if (prefix.length + pieces.size(piece) + suffix.length === pieces.blockSize(piece)) continue
    throw new ShareError(
      'INTERNAL',
      `piece ${piece} is wrapped in an unknown way`,
      'add it again with --copy',
    )
  }
}

/** The bytes of a complete share are gone or spoilt, so that it may be fetched again. */
async function isLost(row: ShareRow): Promise<boolean> {
  return row.damaged.length > 0 || (!row.copied && (await kindAt(row.path)) === undefined)
}

/** Deletes what a download left unfinished. */
async function dropPartial({ row, partial }: KeptShare): Promise<void> {
  if (row.phase === 'complete' || partial === 'none') return
  await rm(partialPath(row.path), { recursive: true, force: true })
}

async function checkTarget(path: string): Promise<void> {
  if ((await kindAt(path)) !== undefined) throw targetExists(path)
  const directory = dirname(path)
  try {
    await access(directory, constants.W_OK)
  } catch (thrown) {
    if (errno(thrown) !== 'ENOENT') throw ShareError.from(thrown)
    const hint = 'make it first, or choose another target with -o'
    throw new ShareError('NOT_FOUND', `there is no directory ${directory}`, hint, { cause: thrown })
  }
}

function beingDownloaded(root: RootKey): ShareError {
  const hint = 'wait until it is done, or give it up with `share rm`'
  return new ShareError('CONFLICT', `${root} is being downloaded`, hint)
}

function alreadyHere(row: ShareRow): ShareError {
  const message = `${row.root} is already here: ${row.path}`
  return new ShareError('CONFLICT', message, 'copy it from there, or forget it with `share rm` first')
}
