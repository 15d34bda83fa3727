/**
 * One root's way onto this node: resolving (its DAG is being walked), downloading, then complete, or failed.
 * The walk, the pieces and the search for peers run side by side; stopping at any moment leaves a state on
 * disk that `start` goes on from.
 */
import type { CID } from 'multiformats/cid'
import type { Manifest } from '../content/manifest.ts'
import { type WalkEvent, walkManifest } from '../content/walk.ts'
import { ShareError } from '../core/errors.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import { FetchSession } from '../exchange/bitswap/node-fetcher.ts'
import type { Download, ShareRow, Store } from '../store/types.ts'
import { fetchBlock } from './fetch-block.ts'
import type { DownloadPort } from './open-swarms.ts'
import type { Readers } from './readers.ts'
import { Search, type SearchContext } from './search.ts'

/** After this long with nobody found, the user is told; the search goes on. */
const NOBODY_AFTER_MS = 30_000

/** Pieces looked up in the store at once, before they are asked of the network. */
const LOOKUPS_AT_ONCE = 16

export type TransferState = 'resolving' | 'downloading' | 'complete' | 'stopped' | 'failed'

export interface TransferRequest {
  readonly root: CID
  readonly name: string
  readonly path: string
  readonly peers: readonly string[]
  /** Fetch it in file order. */
  readonly stream?: boolean
}

export interface TransferContext extends SearchContext {
  readonly store: Store
  readonly readers: Readers
  /** The peer has the root. */
  join(root: RootKey, peer: PeerKey): void
  /** The first verified piece is here. */
  onFirstPiece(root: CID): void
  onState(transfer: Transfer): void
  onNotice(transfer: Transfer, notice: ShareError): void
}

export class Transfer {
  readonly root: RootKey
  readonly request: TransferRequest
  readonly #context: TransferContext
  readonly #search: Search
  readonly #session = new FetchSession()
  readonly #stopping = new AbortController()
  readonly #settled = Promise.withResolvers<ShareRow>()
  readonly #nobody: NodeJS.Timeout
  #download: Download | undefined
  #manifest: Manifest | undefined
  #work: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined
  #state: TransferState = 'resolving'
  /** File bytes that came inside DAG nodes. */
  #inlineBytes = 0
  error: ShareError | undefined

  constructor(context: TransferContext, root: RootKey, request: TransferRequest) {
    this.root = root
    this.request = request
    this.#context = context
    this.#search = new Search(context, request.root, request.peers, (peer) => context.join(root, peer))
    this.#settled.promise.catch(() => undefined)
    this.#nobody = setTimeout(() => this.#sayNobody(), NOBODY_AFTER_MS)
  }

  get state(): TransferState {
    return this.#state
  }

  /** Bytes and pieces that are here, out of what the manifest says so far. */
  get progress(): { size: number; have: number; pieces: { total: number; have: number } } {
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

  /** Those that say they have the root. */
  get peers(): ReadonlySet<string> {
    return this.#session.peers
  }

  /** Resolves when the bytes are in place and durable; rejects when the transfer fails or is stopped. */
  get done(): Promise<ShareRow> {
    return this.#settled.promise
  }

  start(): this {
    this.#work = this.#run().catch((thrown: unknown) =>
      this.#fail(ShareError.from(thrown, `get ${this.root}`)),
    )
    return this
  }

  /** From now on it goes in file order. */
  stream(): void {
    this.#context.readers.stream(this.root)
  }

  /** Ends it, resumably. */
  async stop(reason: ShareError): Promise<void> {
    if (this.#state === 'resolving' || this.#state === 'downloading') this.#enter('stopped')
    this.#settled.reject(reason)
    await this.#close()
  }

  async #run(): Promise<void> {
    const { store, driver } = this.#context
    const { root, name, path, peers } = this.request
    const download = await store.openDownload({ root, name, path, peers })
    this.#download = download
    if (this.#stopping.signal.aborted) return
    const known = await store.manifest(this.root)
    const source = known === undefined ? this.#walk() : { manifest: known, events: whole(known) }
    if (known !== undefined) this.#inlineBytes = known.size - pieceBytes(known)
    this.#manifest = source.manifest
    driver.open(this.root, this.#port(source.manifest, download), (piece) =>
      store.readPiece(this.root, piece),
    )
    if (this.request.stream === true) this.stream()
    this.#search.start()
    let grown = 0
    for await (const event of source.events) {
      if (event.type === 'entries') await this.#begin(download, source.manifest)
      else if (event.type === 'inline') await this.#writeInline(download, event.inline)
      else if (event.type === 'places') await this.#repeat(download, event.pieces)
      else grown = await this.#grow(download, source.manifest, grown)
      this.#stopping.signal.throwIfAborted()
    }
    await download.sealed()
    driver.grow(this.root, grown, [], true)
  }

  #walk(): ReturnType<typeof walkManifest> {
    const { store, bitswap } = this.#context
    const { signal } = this.#stopping
    const fetchNode = (cid: CID): Promise<Uint8Array> =>
      fetchBlock({ store, bitswap, session: this.#session, signal, keep: true }, cid)
    return walkManifest(this.request.root, { fetchNode, signal })
  }

  async #begin(download: Download, manifest: Manifest): Promise<void> {
    await download.begin(manifest)
    this.#enter('downloading')
  }

  async #writeInline(download: Download, inline: Parameters<Download['writeInline']>[0]): Promise<void> {
    await download.writeInline(inline)
    this.#inlineBytes += inline.data.byteLength
  }

  /** New pieces of the walk: those on disk or in another share need no network. */
  async #grow(download: Download, manifest: Manifest, from: number): Promise<number> {
    const elsewhere = await download.extend()
    const to = manifest.pieces.length
    const missing = elsewhere.filter((piece) => !download.have.has(piece))
    for (let at = 0; at < missing.length; at += LOOKUPS_AT_ONCE) {
      await Promise.all(
        missing.slice(at, at + LOOKUPS_AT_ONCE).map((piece) => this.#reuse(download, manifest, piece)),
      )
      this.#stopping.signal.throwIfAborted()
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
      store: async (piece, block) => {
        // the walk may find a further place for the piece while it is being written
        for (let written = 0; written !== manifest.pieces.places(piece).length; ) {
          written = manifest.pieces.places(piece).length
          await download.writePiece(piece, block)
        }
      },
      onFirstPiece: () => this.#context.onFirstPiece(this.request.root),
      onComplete: () => {
        this.#work = this.#work
          .then(() => this.#finish(download))
          .catch((thrown: unknown) => this.#fail(ShareError.from(thrown, 'finish')))
      },
      onFailure: (error) => this.#fail(error),
    }
  }

  async #finish(download: Download): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#search.stop()
    const row = await download.finish()
    this.#context.driver.finish(this.root)
    clearTimeout(this.#nobody)
    this.#enter('complete')
    this.#settled.resolve(row)
  }

  #fail(error: ShareError): void {
    if (this.#state !== 'resolving' && this.#state !== 'downloading') return
    this.error = error
    this.#enter('failed')
    this.#settled.reject(error)
    void this.#close()
  }

  #close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    clearTimeout(this.#nobody)
    this.#stopping.abort(
      new ShareError('INTERRUPTED', 'the download was stopped', 'run the same command again: it resumes'),
    )
    this.#search.stop()
    this.#context.driver.close(this.root)
    await this.#work
    await this.#download?.close()
  }

  #enter(state: TransferState): void {
    this.#state = state
    this.#context.onState(this)
  }

  #sayNobody(): void {
    if (this.#search.found > 0) return
    const hint =
      'is somebody seeding it, and connected? try --peer with the address that `share id` prints there; the search goes on'
    this.#context.onNotice(
      this,
      new ShareError('NOBODY_HAS_IT', `nobody found yet who has ${this.root}`, hint),
    )
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
