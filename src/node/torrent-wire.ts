/**
 * BitTorrent clients over TCP as one of the scheduler's wires: answers what their connections ask of this node, and knows
 * the torrents that are open. Which shares may be called stands in share-torrents.ts.
 */
import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { isIP, isIPv4 } from 'node:net'
import { readFile } from '../content/file.ts'
import { unwrapLeaf } from '../content/verify.ts'
import { RAW } from '../core/cid.ts'
import { type Endpoint, endpoint, endpointText } from '../core/endpoint.ts'
import { ShareError } from '../core/errors.ts'
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import type { Outflow } from '../exchange/outflow.ts'
import type { PeerWireAction } from '../exchange/peer-wire/host.ts'
import type { Store } from '../store/types.ts'
import type { SwarmEvent } from '../swarm/events.ts'
import type { TorrentHost } from '../torrent/tcp/host.ts'
import type {
  AddTorrent,
  KnownTorrent,
  TorrentHandle,
  TorrentNames,
  TorrentWatcher,
} from '../torrent/tcp/known-torrent.ts'
import { TcpPeers } from '../torrent/tcp/tcp-peers.ts'
import { isLoopback, type Torrent } from '../torrent/tcp/torrent.ts'
import type { ArrivingPieces } from './arriving-pieces.ts'
import { BlockCache } from './block-cache.ts'
import { listenError } from './listen-error.ts'
import type { OpenSwarm } from './open-swarms.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import type { Traffic } from './traffic.ts'

/** Client and version in the usual form (BEP 20); the rest of the 20 bytes is chance. */
const PEER_ID = '-SH0100-'

/** Bytes that are said to be missing while nobody knows how many are. */
export const UNKNOWN_LEFT: number = 2 ** 31

export interface TorrentWireContext {
  readonly store: Store
  readonly driver: SwarmDriver
  readonly arriving: ArrivingPieces
  readonly traffic: Traffic
  readonly now: () => Millis
  readonly log: (line: string) => void
}

export interface TorrentWireOptions {
  readonly outflow: Outflow
  readonly version: string
  /** Connections at most. */
  readonly most: number
  /** Undefined: only calls of ours. */
  readonly listen: { readonly host: string; readonly port: number } | undefined
}

/** What opens a share that is called, and follows the shares that may be. */
export interface TorrentShares {
  called(hash: Uint8Array): Promise<TorrentHandle | undefined>
}

type OnOpen = (torrent: KnownTorrent, names: TorrentNames) => TorrentWatcher

export class TorrentWire implements TorrentHost {
  readonly #context: TorrentWireContext
  readonly #peerId = Uint8Array.from([...Buffer.from(PEER_ID), ...randomBytes(20 - PEER_ID.length)])
  readonly #blocks = new BlockCache()
  readonly #banned = new Set<string>()
  readonly #watching = new Set<OnOpen>()
  /** Those that watchers know of. */
  readonly #known = new Map<
    KnownTorrent,
    { readonly names: TorrentNames; readonly watchers: TorrentWatcher[] }
  >()
  #tcp: TcpPeers | undefined
  #shares: TorrentShares | undefined
  #onDhtNode: ((endpoint: Endpoint) => void) | undefined

  constructor(context: TorrentWireContext) {
    this.#context = context
  }

  /** @throws ShareError CONFLICT when the port is taken, BAD_CONFIG for an address that cannot be listened on */
  async start({ listen, ...options }: TorrentWireOptions): Promise<void> {
    const { now, log } = this.#context
    const tcp = new TcpPeers({
      ...options,
      host: this,
      peerId: this.#peerId,
      now,
      log,
      progress: (root) => this.#progress(root),
      onChanged: (torrent) => this.#changed(torrent),
      onClosed: (torrent) => this.closed(torrent),
    })
    this.#tcp = tcp
    if (listen === undefined) return
    try {
      await tcp.listen(listen)
    } catch (thrown) {
      throw listenError(thrown)
    }
  }

  /** Who opens shares that are called; it opens them here, so it comes second. */
  attach(shares: TorrentShares): void {
    this.#shares = shares
  }

  async stop(): Promise<void> {
    await this.#tcp?.stop()
  }

  // --- what the node asks of the wire

  /** What others know this node by, and where they find it; undefined where it takes no calls. */
  get identity(): { readonly peerId: Uint8Array; readonly host: string; readonly port: number } | undefined {
    const address = this.#tcp?.address
    return address && { peerId: this.#peerId, ...address }
  }

  get port(): number | undefined {
    return this.#tcp?.address?.port
  }

  /** `host:port` for BitTorrent clients, given the multiaddrs that libp2p listens on: the machine has the same hosts. */
  addresses(multiaddrs: readonly string[]): string[] {
    const address = this.#tcp?.address
    if (address === undefined) return []
    const { host, port } = address
    if (host !== '0.0.0.0' && host !== '::') return [endpointText(address)]
    const hosts = multiaddrs.map((text) => /^\/ip[46]\/([^/]+)\/tcp\//.exec(text)?.[1] ?? '')
    const fitting = hosts.filter((each) => (host === '::' ? isIP(each) !== 0 : isIPv4(each)))
    return [...new Set(fitting)].map((each) => endpointText({ host: each, port }))
  }

  /** Our DHT node's UDP port, which peers are told, and what is done with theirs. */
  useDht(port: number, onNode: (endpoint: Endpoint) => void): void {
    this.#onDhtNode = onNode
    if (this.#tcp !== undefined) this.#tcp.dhtPort = port
  }

  /** Those known now, and from here on each one more. */
  watch(onOpen: OnOpen): void {
    this.#watching.add(onOpen)
    for (const [torrent, { names, watchers }] of this.#known) watchers.push(onOpen(torrent, names))
  }

  /** A torrent that is looked for or given out; watchers are told of it. */
  add(torrent: AddTorrent): TorrentHandle {
    const added = this.give(torrent)
    const { trackers = [], named = [], peers = [] } = torrent
    this.opened(added, { trackers, named })
    this.meet(added, peers)
    return added
  }

  /** The same for one of which watchers know without its being open. */
  give(torrent: AddTorrent): TorrentHandle {
    if (this.#tcp === undefined) throw new Error('the wire has not started')
    return this.#tcp.add(torrent)
  }

  /** Peers that a person or a link names, as `host:port`. */
  meet(torrent: TorrentHandle, peers: readonly string[]): void {
    for (const peer of peers) void this.#meet(torrent, peer)
  }

  /** Whether watchers know of this very torrent. */
  isWatched(torrent: KnownTorrent | undefined): boolean {
    return torrent !== undefined && this.#known.has(torrent)
  }

  byHash(hash: Uint8Array): TorrentHandle | undefined {
    return this.#tcp?.byHash(hash)
  }

  /** Those of a root that are open. */
  of(root: RootKey): readonly TorrentHandle[] {
    return this.#tcp?.of(root) ?? []
  }

  act(action: PeerWireAction): void {
    this.#tcp?.act(action)
  }

  /** The swarm of this root is over. */
  close(root: RootKey): void {
    for (const torrent of this.#tcp?.of(root) ?? []) torrent.close()
    this.#blocks.close(root)
  }

  drop(peer: PeerKey): void {
    this.#tcp?.drop(peer)
  }

  /** It is not called any more, and not listened to: neither where it is nor, on another machine, from anywhere there. */
  banned(root: RootKey, peer: PeerKey): void {
    const session = this.#tcp?.session(root, peer)
    if (session === undefined) return
    this.#refuse(session.endpoint)
    if (session.listens !== undefined) this.#refuse(session.listens)
  }

  holdBytes(bytes: number): void {
    this.#tcp?.hold(bytes)
  }

  releaseBytes(bytes: number): void {
    this.#tcp?.release(bytes)
  }

  // --- torrents come and go

  opened(torrent: KnownTorrent, names: TorrentNames): void {
    const watchers = [...this.#watching].map((onOpen) => onOpen(torrent, names))
    this.#known.set(torrent, { names, watchers })
  }

  closed(torrent: KnownTorrent): void {
    const { watchers = [] } = this.#known.get(torrent) ?? {}
    this.#known.delete(torrent)
    for (const watcher of watchers) watcher.closed()
  }

  #changed(torrent: Torrent): void {
    const { watchers = [] } = this.#known.get(torrent) ?? {}
    for (const watcher of watchers) watcher.changed()
    const swarm = this.#context.driver.swarms.get(torrent.root)
    if (torrent.have?.complete !== true || swarm?.download === undefined) return
    for (const watcher of watchers) watcher.completed()
  }

  #progress(root: RootKey): { uploaded: number; downloaded: number; left: number } {
    const { driver, store } = this.#context
    const { uploaded = 0, downloaded = 0 } = store.share(root) ?? {}
    return { uploaded, downloaded, left: leftOf(driver.swarms.get(root)) }
  }

  // --- what the wire asks of the node

  dispatch(event: SwarmEvent): void {
    const { driver, traffic, store } = this.#context
    driver.dispatch(event)
    if (event.type !== 'arrived') return
    traffic.downloaded(event.root, event.peer, event.length)
    store.count(event.root, { downloaded: event.length })
  }

  called(hash: Uint8Array): Promise<TorrentHandle | undefined> {
    return this.#shares?.called(hash) ?? Promise.resolve(undefined)
  }

  have(root: RootKey): OpenSwarm['have'] | undefined {
    return this.#context.driver.swarms.get(root)?.have
  }

  keep(root: RootKey, peer: PeerKey, piece: number, begin: number, data: Uint8Array): void {
    const { arriving, driver } = this.#context
    const swarm = driver.swarms.get(root)
    if (swarm?.download !== undefined) arriving.keep(swarm, peer, piece, begin, data)
  }

  async read(root: RootKey, piece: number, begin: number, length: number): Promise<Uint8Array | undefined> {
    const swarm = this.#context.driver.swarms.get(root)
    if (swarm?.readPart !== undefined) return swarm.readPart(piece, begin, length)
    const block = swarm && (await this.#blocks.get(root, piece, () => swarm.read(piece)))
    if (swarm === undefined || block === undefined) return undefined
    const { pieces } = swarm
    const codec = swarm.leaves?.codec(piece) ?? RAW
    const payload = codec === RAW ? block : unwrapLeaf(codec, block, pieces.size(piece))
    return payload?.subarray(begin, begin + length)
  }

  async readNode(
    root: RootKey,
    entry: number,
    begin: number,
    length: number,
  ): Promise<Uint8Array | undefined> {
    const { store } = this.#context
    const file = (await store.manifest(root))?.entries[entry]
    if (file?.kind !== 'file') return undefined
    const getBlock = async (cid: typeof file.cid): Promise<Uint8Array> => {
      const block = await store.getBlock(cid)
      if (block === undefined)
        throw new ShareError('NOT_FOUND', `${cid} is not here`, '`share verify` tells more')
      return block
    }
    const chunks: Uint8Array[] = []
    const range = { first: begin, last: begin + length - 1 }
    for await (const chunk of readFile(file.cid, { getBlock, range })) chunks.push(chunk.slice())
    return Buffer.concat(chunks)
  }

  onSent(root: RootKey, peer: PeerKey, bytes: number): void {
    this.#context.traffic.uploaded(root, peer, bytes)
    this.#context.store.count(root, { uploaded: bytes })
  }

  isBanned(endpoint: Endpoint): boolean {
    return this.#banned.has(addressOf(endpoint)) || this.#banned.has(endpointText(endpoint))
  }

  ban(endpoint: Endpoint, reason: string): void {
    this.#refuse(endpoint)
    this.#context.log(`banned ${endpointText(endpoint)}: ${reason}`)
  }

  onDhtNode(endpoint: Endpoint): void {
    this.#onDhtNode?.(endpoint)
  }

  #refuse(endpoint: Endpoint): void {
    this.#banned.add(addressOf(endpoint))
  }

  async #meet(torrent: TorrentHandle, peer: string): Promise<void> {
    const { hostname, port } = new URL(`tcp://${peer}`)
    const host = hostname.replace(/^\[|\]$/g, '')
    const known = endpoint(host, Number(port))
    const addresses = known === undefined ? await lookup(host, { all: true }).catch(() => []) : []
    const named = addresses.map(({ address }) => endpoint(address, Number(port)))
    torrent.found(
      [known, ...named].filter((each) => each !== undefined),
      'named',
    )
  }
}

/** Many a machine has one address alone; of this one, many processes have the same. */
function addressOf(endpoint: Endpoint): string {
  return isLoopback(endpoint) ? endpointText(endpoint) : endpoint.host
}

function leftOf(swarm: OpenSwarm | undefined): number {
  if (swarm === undefined || swarm.download === undefined) return 0
  if (!swarm.final) return UNKNOWN_LEFT
  let left = 0
  for (let piece = 0; piece < swarm.pieces.length; piece++)
    if (!swarm.have.has(piece)) left += swarm.pieces.size(piece)
  return left
}
