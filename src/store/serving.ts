/**
 * Giving out blocks, wherever they lie: in a complete share's files, in a download's partial tree, or in
 * blockstore-fs. Everything given out was verified; a share with a damaged file gives out nothing.
 */
import type { CID } from 'multiformats/cid'
import { isEmptyRaw } from '../content/leaf.ts'
import { IDENTITY, MAX_IDENTITY_BYTES, RAW, SHA2_256 } from '../core/cid.ts'
import type { RootKey } from '../core/types.ts'
import type { IndexEntry } from './block-index.ts'
import { OTHER_CONTENT } from './damage.ts'
import type { PartialDownload } from './download.ts'
import { fileOf, type Reading } from './file-blocks.ts'
import { blockLength, inlineAt, type Layout } from './layout.ts'
import { partialPath } from './partial.ts'
import type { Parts } from './parts.ts'
import { type Damage, LOST_BLOCK, type VerifyOptions, verifyCopied, verifyFiles } from './verify-share.ts'

/** A complete share that may be served. */
interface Servable {
  readonly layout: Layout
  readonly path: string
  readonly copied: boolean
}

export class Serving {
  readonly #parts: Parts
  readonly #downloads: ReadonlyMap<RootKey, PartialDownload>
  readonly #listeners: ((root: RootKey) => void)[] = []

  constructor(parts: Parts, downloads: ReadonlyMap<RootKey, PartialDownload>) {
    this.#parts = parts
    this.#downloads = downloads
  }

  async getBlock(cid: CID): Promise<Uint8Array | undefined> {
    const inName = knownByName(cid)
    if (inName !== undefined || cid.multihash.code !== SHA2_256) return inName
    if (cid.code === RAW) return (await this.#blockInFiles(cid)) ?? this.#parts.nodes.get(cid)
    return (await this.#parts.nodes.get(cid)) ?? this.#blockInFiles(cid)
  }

  async blockSize(cid: CID): Promise<number | undefined> {
    const inName = knownByName(cid)
    if (inName !== undefined || cid.multihash.code !== SHA2_256) return inName?.length
    for (const entry of await this.#parts.index.find(cid.multihash.digest)) {
      const size = await this.#sizeInFile(entry)
      if (size !== undefined) return size
    }
    return this.#parts.nodes.size(cid)
  }

  async readPiece(root: RootKey, piece: number): Promise<Uint8Array | undefined> {
    const download = await this.#openDownload(root)
    if (download !== undefined) return download.readPiece(piece)
    const source = await this.#source(root)
    if (source === undefined || piece >= source.layout.manifest.pieces.length) return undefined
    if (source.copied) return this.#readCopied(root, source, piece)
    return this.#served(root, await this.#parts.files.readPiece(source, piece))
  }

  async verify(root: RootKey, options: VerifyOptions): Promise<readonly Damage[]> {
    const download = await this.#openDownload(root)
    const lacking = download && (await this.#verifyPartial(download, options))
    if (lacking !== undefined) return lacking
    const share = this.#parts.shares.get(root)
    const layout = share?.row.phase === 'complete' ? await this.#parts.layouts.get(root) : undefined
    if (share === undefined || layout === undefined) return []
    const source = { layout, path: share.row.path }
    const damaged = share.row.copied
      ? await verifyCopied(source, this.#parts.nodes, options)
      : await verifyFiles(source, this.#parts.files, this.#parts.nodes, options)
    const changed = damaged.length > 0 || share.row.damaged.length > 0
    if (changed) await this.#setDamage(root, damaged)
    return damaged
  }

  onDamage(listener: (root: RootKey) => void): void {
    this.#listeners.push(listener)
  }

  /** The open download of a root, with its bytes under one name or the other. */
  async #openDownload(root: RootKey): Promise<PartialDownload | undefined> {
    await this.#downloads.get(root)?.settledName()
    return this.#downloads.get(root)
  }

  async #source(root: RootKey): Promise<Servable | undefined> {
    const row = this.#parts.shares.get(root)?.row
    if (row === undefined || row.phase !== 'complete' || row.damaged.length > 0) return undefined
    const layout = await this.#parts.layouts.get(root)
    return layout && { layout, path: row.path, copied: row.copied }
  }

  async #blockInFiles(cid: CID): Promise<Uint8Array | undefined> {
    for (const { slot, kind, number } of await this.#parts.index.find(cid.multihash.digest)) {
      const root = this.#parts.shares.withSlot(slot)?.row.root
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
    return this.#served(root, await this.#parts.files.readInline(source, inline))
  }

  async #sizeInFile({ slot, kind, number }: IndexEntry): Promise<number | undefined> {
    const root = this.#parts.shares.withSlot(slot)?.row.root
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

  async #readCopied(root: RootKey, source: Servable, piece: number) {
    const { pieces } = source.layout.manifest
    const block = await this.#parts.nodes.get(pieces.cid(piece))
    if (block !== undefined) return block
    await this.#damage(root, fileOf(source, pieces.places(piece)[0]?.entry ?? 0), LOST_BLOCK)
    return undefined
  }

  /** What a reading means for the share. */
  async #served(root: RootKey, reading: Reading | undefined): Promise<Uint8Array | undefined> {
    if (reading?.state === 'good') return reading.block
    if (reading?.state === 'damaged') await this.#damage(root, reading.file, reading.reason)
    if (reading?.state === 'unknown') this.#parts.log(`reading a piece of ${root}: ${reading.reason}`)
    return undefined
  }

  async #damage(root: RootKey, file: string, reason: string): Promise<void> {
    const damaged = this.#parts.shares.get(root)?.row.damaged ?? []
    if (damaged.some((known) => known.file === file)) return
    await this.#setDamage(root, [...damaged, { file, reason }])
  }

  async #setDamage(root: RootKey, damaged: readonly Damage[]): Promise<void> {
    await this.#parts.shares.change(root, { damaged })
    for (const listener of this.#listeners) listener(root)
  }

  /**
   * Hashes what an open download has; bad pieces are missing again, which puts the matter right. Undefined when it is over
   * before that: what it got has its final name, or is gone.
   */
  async #verifyPartial(download: PartialDownload, options: VerifyOptions): Promise<Damage[] | undefined> {
    const { layout, root } = download
    const row = this.#parts.shares.get(root)?.row
    if (layout === undefined || row === undefined) return []
    const { pieces } = layout.manifest
    const damaged = new Map<string, string>()
    let bytes = 0
    for (const piece of download.have) {
      options.signal?.throwIfAborted()
      const file = fileOf({ layout, path: partialPath(row.path) }, pieces.places(piece)[0]?.entry ?? 0)
      if ((await download.readPiece(piece)) === undefined) {
        // between its two names nothing can be read
        if ((await this.#openDownload(root)) !== download) return undefined
        if ((await download.readPiece(piece)) === undefined) damaged.set(file, OTHER_CONTENT)
      }
      bytes += pieces.size(piece)
      options.onProgress?.(bytes)
    }
    return [...damaged].map(([file, reason]) => ({ file, reason }))
  }
}

const NOTHING = new Uint8Array(0)

/** The block of a CID that needs no store: an identity, or the empty block, which no share lists as a piece. */
function knownByName(cid: CID): Uint8Array | undefined {
  if (isEmptyRaw(cid)) return NOTHING
  const { code, digest } = cid.multihash
  return code === IDENTITY && digest.length <= MAX_IDENTITY_BYTES ? digest : undefined
}
