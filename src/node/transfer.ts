/**
 * One root's way onto this node: resolving (its DAG is being walked), downloading, then complete, or failed.
 * The walk, the pieces and the search for peers run side by side; stopping at any moment leaves a state on
 * disk that `start` goes on from.
 */
import type { CID } from 'multiformats/cid'
import type { Manifest } from '../content/manifest.ts'
import { type WalkEvent, walkManifest } from '../content/walk.ts'
import { RAW } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import { FetchSession } from '../exchange/bitswap/node-fetcher.ts'
import type { Download, ShareRow, Store } from '../store/types.ts'
import { fetchBlock } from './fetch-block.ts'
import type { DownloadPort } from './open-swarms.ts'
import type { Readers } from './readers.ts'
import { type Progress, RunningTransfer, type TransferWatcher } from './running-transfer.ts'
import { Search, type SearchContext } from './search.ts'
import { nobodyFound } from './search-steps.ts'
import type { SearchInfo } from './types.ts'

/** Pieces looked up in the store at once, before they are asked of the network. */
const LOOKUPS_AT_ONCE = 16

export interface TransferRequest {
  readonly root: CID
  readonly name: string
  readonly path: string
  readonly peers: readonly string[]
  /** Fetch it in file order. */
  readonly stream?: boolean
  /** A link that names a torrent of the same content. */
  readonly magnet?: string
}

export interface TransferContext extends SearchContext, TransferWatcher {
  readonly store: Store
  readonly readers: Readers
  /** The peer has the root. */
  join(root: RootKey, peer: PeerKey): void
  /** Fetches from the peers of a link's torrent, too; resolves when that begins. */
  joinTorrent(root: RootKey, link: string, manifest: Promise<Manifest>, signal: AbortSignal): Promise<void>
  /** Whether the torrent that its link named is what came. */
  checkTorrent(row: ShareRow): Promise<void>
  /** The first verified piece is here. */
  onFirstPiece(root: CID): void
}

export class Transfer extends RunningTransfer {
  readonly request: TransferRequest
  readonly #context: TransferContext
  readonly #search: Search
  readonly #session = new FetchSession()
  /** The DAG is known to its end. */
  readonly #walked = Promise.withResolvers<void>()
  #download: Download | undefined
  #manifest: Manifest | undefined
  /** File bytes that came inside DAG nodes. */
  #inlineBytes = 0

  constructor(context: TransferContext, root: RootKey, request: TransferRequest) {
    super(root, context)
    this.request = request
    this.#context = context
    this.#search = new Search(context, request.root, request.peers, (peer) => context.join(root, peer))
  }

  override get path(): string {
    return this.request.path
  }

  override get progress(): Progress {
    const pieces = this.#manifest?.pieces
    const stored = this.#download?.have
    if (pieces === undefined || stored === undefined)
      return { size: 0, have: 0, pieces: { total: 0, have: 0 } }
    let have = this.#inlineBytes
    for (const piece of stored) have += pieces.size(piece) * pieces.places(piece).length
    return {
      size: this.#manifest?.size ?? 0,
      have,
      pieces: { total: pieces.length, have: stored.count },
    }
  }

  override get search(): SearchInfo {
    return this.#search.info
  }

  override get peers(): ReadonlySet<string> {
    return this.#session.peers
  }

  override stream(): void {
    this.#context.readers.stream(this.root)
  }

  protected override async run(): Promise<void> {
    const { store, driver } = this.#context
    const { root, name, path, peers } = this.request
    const download = await store.openDownload({ root, name, path, peers })
    this.#download = download
    if (this.stopping.aborted) return
    const known = await store.manifest(this.root)
    const source = known === undefined ? this.#walk() : { manifest: known, events: whole(known) }
    if (known !== undefined) this.#inlineBytes = known.size - pieceBytes(known)
    this.#manifest = source.manifest
    driver.open(this.root, this.#port(source.manifest, download), {
      leaves: source.manifest.pieces,
      read: (piece) => store.readPiece(this.root, piece),
    })
    if (this.request.stream === true) this.stream()
    this.#search.start()
    void this.#joinTorrent(source.manifest)
    let grown = 0
    for await (const event of source.events) {
      if (event.type === 'entries') await this.#begin(download, source.manifest)
      else if (event.type === 'inline') await this.#writeInline(download, event.inline)
      else if (event.type === 'places') await this.#repeat(download, event.pieces)
      else grown = await this.#grow(download, source.manifest, grown)
      this.stopping.throwIfAborted()
    }
    await download.sealed()
    driver.grow(this.root, grown, [], true)
    this.#walked.resolve()
  }

  async #joinTorrent(manifest: Manifest): Promise<void> {
    const { magnet } = this.request
    if (magnet === undefined) return
    await this.#context.store.update(this.root, { magnet })
    const walked = this.#walked.promise.then(() => manifest)
    try {
      await this.#context.joinTorrent(this.root, magnet, walked, this.stopping)
    } catch (thrown) {
      if (!this.stopping.aborted) this.notice(ShareError.from(thrown, 'use its torrent'))
    }
  }

  /** What the link said by its info hashes is looked at when there is time. */
  async #checkTorrent(row: ShareRow): Promise<void> {
    if (row.magnet === undefined) return
    try {
      await this.#context.checkTorrent(row)
    } catch (thrown) {
      this.notice(ShareError.from(thrown, 'check its torrent'))
    }
  }

  #walk(): ReturnType<typeof walkManifest> {
    const { store, bitswap } = this.#context
    const signal = this.stopping
    const fetchNode = (cid: CID): Promise<Uint8Array> =>
      fetchBlock({ store, bitswap, session: this.#session, signal, keep: true }, cid)
    return walkManifest(this.request.root, { fetchNode, signal })
  }

  async #begin(download: Download, manifest: Manifest): Promise<void> {
    await download.begin(manifest)
    this.enter('downloading')
  }

  async #writeInline(download: Download, inline: Parameters<Download['writeInline']>[0]): Promise<void> {
    await download.writeInline(inline)
    this.#inlineBytes += inline.data.byteLength
  }

  /** New pieces of the walk: those on disk or in another share need no network. */
  async #grow(download: Download, manifest: Manifest, from: number): Promise<number> {
    const indexed = await download.extend()
    // a raw root was fetched to be walked
    const elsewhere = from === 0 && this.request.root.code === RAW ? [0] : indexed
    const to = manifest.pieces.length
    const missing = elsewhere.filter((piece) => !download.have.has(piece))
    for (let at = 0; at < missing.length; at += LOOKUPS_AT_ONCE) {
      await Promise.all(
        missing.slice(at, at + LOOKUPS_AT_ONCE).map((piece) => this.#reuse(download, manifest, piece)),
      )
      this.stopping.throwIfAborted()
    }
    const found: number[] = []
    for (let piece = from; piece < to; piece++) if (download.have.has(piece)) found.push(piece)
    this.#context.driver.grow(this.root, from, found, false)
    return to
  }

  async #reuse(download: Download, manifest: Manifest, piece: number): Promise<void> {
    const block = await this.#context.store.getBlock(manifest.pieces.cid(piece))
    if (block === undefined) return
    await download.writePiece(piece, block)
  }

  /** Pieces that turned up again in a later file: what is stored is written there too. */
  async #repeat(download: Download, pieces: readonly number[]): Promise<void> {
    for (const piece of new Set(pieces)) {
      if (!download.have.has(piece)) continue
      const block = await this.#context.store.readPiece(this.root, piece)
      if (block !== undefined) await download.writePiece(piece, block)
    }
  }

  #port(manifest: Manifest, download: Download): DownloadPort {
    return {
      pieces: manifest.pieces,
      session: this.#session,
      store: (piece, block) => download.writePiece(piece, block),
      onFirstPiece: () => this.#context.onFirstPiece(this.request.root),
      ...this.endings,
    }
  }

  protected override async finish(): Promise<void> {
    const download = this.#download
    if (download === undefined) return
    this.#search.stop()
    const row = await download.finish()
    this.#context.driver.finish(this.root)
    this.complete(row)
    void this.#checkTorrent(row)
  }

  protected override leave(): void {
    this.#search.stop()
    this.#context.driver.close(this.root)
  }

  protected override async release(): Promise<void> {
    await this.#download?.close()
  }

  protected override nobodyFound(): ShareError | undefined {
    return this.#search.found > 0 ? undefined : nobodyFound(this.#search.info, 'yet')
  }
}

/** File bytes that come as pieces; the others lie in DAG nodes, and were written before the manifest was sealed. */
function pieceBytes({ pieces }: Manifest): number {
  let bytes = 0
  for (let piece = 0; piece < pieces.length; piece++)
    bytes += pieces.size(piece) * pieces.places(piece).length
  return bytes
}

/** A manifest from the catalogue, as the events of a walk. */
async function* whole(manifest: Manifest): AsyncGenerator<WalkEvent> {
  yield { type: 'entries' }
  yield { type: 'pieces', from: 0, count: manifest.pieces.length }
}
