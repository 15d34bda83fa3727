/**
 * One torrent on this node: its connections, the addresses that may be called, what of it is here, and what is fetched before
 * pieces can move: the info dictionary, and the hashes of v2's piece layers.
 */
import { Bitfield } from '../../core/bitfield.ts'
import { type Endpoint, endpointText, familyOf } from '../../core/endpoint.ts'
import type { PeerKey, RootKey } from '../../core/types.ts'
import type { TorrentSize } from '../../exchange/peer-wire/torrent-connection.ts'
import type { PexPeer } from '../../exchange/peer-wire/torrent-pex.ts'
import type { Tiers } from '../announce-list.ts'
import { type InfoHashes, pieceSize, type TorrentInfo } from '../info.ts'
import { LayerFetch } from '../layer-fetch.ts'
import { BLOCK_BYTES } from '../merkle.ts'
import { MetadataFetch } from '../metadata-fetch.ts'
import { mayUse, type PeerSource } from '../sources.ts'
import { Candidates } from './candidates.ts'
import type { TorrentHost } from './host.ts'
import type { AddTorrent, TorrentHandle, TorrentSource } from './known-torrent.ts'
import { isHere } from './piece-space.ts'
import type { Session } from './session.ts'

/** Connections of one torrent: more cost, and few send at a time. While seeding, fewer are called. */
export const MOST_SESSIONS = 60
const ENOUGH_FOR_DOWNLOAD = 40
const ENOUGH_FOR_SEED = 20

export interface TorrentContext {
  readonly host: TorrentHost
  /** Peers may be called now. */
  onCandidates(torrent: Torrent): void
  /** Its info dictionary became known, or all of it is here. */
  onChanged(torrent: Torrent): void
  onClosed(torrent: Torrent): void
  /** Bytes that moved and that are missing. */
  progress(root: RootKey): { uploaded: number; downloaded: number; left: number }
}

export class Torrent implements TorrentHandle {
  readonly root: RootKey
  readonly hashes: InfoHashes
  readonly trackers: Tiers
  readonly named: readonly string[]
  readonly sessions = new Map<PeerKey, Session>()
  readonly candidates = new Candidates()
  readonly #context: TorrentContext
  #source: TorrentSource | undefined
  #size: TorrentSize | undefined
  #have: Bitfield | undefined
  #private: boolean | undefined
  #metadata: MetadataFetch | undefined
  readonly #metadataReady = Promise.withResolvers<Uint8Array>()
  #layers: LayerFetch | undefined
  #onLayers: (() => void) | undefined
  #closed = false

  constructor({ root, hashes, trackers = [], named = [] }: AddTorrent, context: TorrentContext) {
    this.root = root
    this.hashes = hashes
    this.trackers = trackers
    this.named = named
    this.#context = context
  }

  // --- what is known of it

  get source(): TorrentSource | undefined {
    return this.#source
  }

  get isOpen(): boolean {
    return this.#source !== undefined
  }

  get size(): TorrentSize | undefined {
    return this.#size
  }

  /** Torrent pieces that are here; undefined until it is open. */
  get have(): Bitfield | undefined {
    return this.#have
  }

  /** All of it is here, or all that was chosen. */
  get wantsNothing(): boolean {
    if (this.#source?.space.whole !== false) return this.#have?.complete === true
    return this.#context.host.have(this.root)?.complete === true
  }

  get isPrivate(): boolean {
    return this.#private === true
  }

  get metadataFetch(): MetadataFetch | undefined {
    return this.#metadata
  }

  get layerFetch(): LayerFetch | undefined {
    return this.#layers
  }

  get closed(): boolean {
    return this.#closed
  }

  get idle(): boolean {
    return this.sessions.size === 0
  }

  info(): { readonly isPrivate: boolean } | undefined {
    return this.#private === undefined ? undefined : { isPrivate: this.#private }
  }

  progress(): { uploaded: number; downloaded: number; left: number } {
    return this.#context.progress(this.root)
  }

  wantsPeers(): boolean {
    const enough = this.wantsNothing ? ENOUGH_FOR_SEED : ENOUGH_FOR_DOWNLOAD
    return !this.#closed && this.sessions.size < enough
  }

  found(endpoints: readonly Endpoint[], source: PeerSource): void {
    if (this.#closed || !mayUse(source, this.info())) return
    const usable = endpoints.filter((endpoint) => !this.#context.host.isBanned(endpoint))
    if (this.candidates.add(usable, source)) this.#context.onCandidates(this)
  }

  /** Those that a peer may be told of: who listens somewhere, in the peer's own family of addresses or not. */
  pexPeers(except: Session): PexPeer[] {
    const peers = new Map<string, PexPeer>()
    for (const session of this.sessions.values()) {
      const { listens } = session
      if (listens === undefined || session === except || !isOfUse(listens, except.endpoint)) continue
      peers.set(endpointText(listens), { ...listens, seed: session.seeds, reachable: session.outbound })
    }
    return [...peers.values()]
  }

  // --- what is fetched before pieces move

  metadata(signal?: AbortSignal): Promise<Uint8Array> {
    this.#metadata ??= new MetadataFetch(this.hashes)
    for (const session of this.sessions.values())
      if (session.greeting !== undefined) session.metadata.greeted(session.greeting)
    return orAborted(this.#metadataReady.promise, signal)
  }

  pumpMetadata(): void {
    const whole = this.#metadata?.whole
    if (whole !== undefined) {
      this.#metadata = undefined
      this.#metadataReady.resolve(whole)
      return
    }
    if (this.#metadata === undefined) return
    for (const session of this.sessions.values()) if (!session.ended) session.metadata.pump()
  }

  async layers(
    { files, pieceLength }: TorrentInfo,
    known: ReadonlyMap<string, Uint8Array>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Uint8Array>> {
    const missing = files.flatMap(({ root, size }) => {
      const wanted = root !== undefined && size > pieceLength && !known.has(Buffer.from(root).toString('hex'))
      return wanted ? [{ root, size }] : []
    })
    const fetch = new LayerFetch(missing, pieceLength)
    if (!fetch.complete) {
      const ready = Promise.withResolvers<void>()
      this.#layers = fetch
      this.#onLayers = ready.resolve
      this.pumpLayers()
      await orAborted(ready.promise, signal)
    }
    return new Map([...known, ...fetch.layers])
  }

  pumpLayers(): void {
    if (this.#layers === undefined) return
    if (this.#layers.complete) {
      this.#layers = undefined
      this.#onLayers?.()
      return
    }
    for (const session of this.sessions.values()) if (!session.ended) session.hashes.pump()
  }

  // --- pieces

  open(source: TorrentSource): void {
    if (this.#closed) return
    this.#source = source
    this.#private = source.info.isPrivate
    this.#size = { pieces: source.info.pieces, sizeOf: (index) => this.#sizeOnWire(source, index) }
    this.#have = this.#whatIsHere(source)
    for (const session of [...this.sessions.values()]) session.opened()
    this.#context.onChanged(this)
    this.#context.onCandidates(this)
  }

  /** A piece of the swarm is stored: whoever lacks what is whole with it is told. */
  stored(piece: number): void {
    const here = this.#context.host.have(this.root)
    const [source, have] = [this.#source, this.#have]
    if (here === undefined || source === undefined || have === undefined) return
    const fresh: number[] = []
    for (const { first, last } of source.space.indexesOf(piece))
      for (let index = first; index <= last; index++)
        if (!have.has(index) && isHere(source.space, index, here) && have.add(index)) fresh.push(index)
    if (fresh.length === 0) return
    for (const session of [...this.sessions.values()]) session.tellHave(fresh)
    if (!this.wantsNothing) return
    for (const session of [...this.sessions.values()]) if (session.seeds) session.end()
    this.#context.onChanged(this)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const session of [...this.sessions.values()]) session.end()
    this.#context.onClosed(this)
  }

  /** libtorrent 2.0 asks for whole blocks at the end of v2's files, as if pads were behind them. */
  #sizeOnWire({ info }: TorrentSource, index: number): number {
    const size = pieceSize(info, index)
    if (this.hashes.v2 === undefined) return size
    return Math.min(info.pieceLength, Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES)
  }

  #whatIsHere({ info, space }: TorrentSource): Bitfield {
    const here = this.#context.host.have(this.root)
    if (here?.complete === true && space.whole) return Bitfield.full(info.pieces)
    const have = new Bitfield(info.pieces)
    if (here === undefined) return have
    for (let index = 0; index < info.pieces; index++) if (isHere(space, index, here)) have.add(index)
    return have
  }
}

/** Addresses of this machine are nobody's business elsewhere. */
function isOfUse(told: Endpoint, to: Endpoint): boolean {
  return isLoopback(told) === isLoopback(to)
}

export function isLoopback(endpoint: Endpoint): boolean {
  return familyOf(endpoint) === 4 ? endpoint.host.startsWith('127.') : endpoint.host === '::1'
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
