/** The public face of a running peer: each method of the API in terms of the parts that do it. */

import { EventEmitter } from 'node:events'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { peerKey, type RootKey } from '../core/types.ts'
import { bestConnection } from '../exchange/open-stream.ts'
import type { Routing } from '../routing/routing.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { checkedTiers } from '../torrent/announce-list.ts'
import { isTrackerUrl } from '../torrent/tracker-url.ts'
import { addPath } from './adding.ts'
import type { Config } from './config.ts'
import { Gets } from './gets.ts'
import { importCar } from './import-car.ts'
import type { ShareLibp2p } from './libp2p.ts'
import type { Neighbours } from './neighbours.ts'
import { isNode } from './peer-kind.ts'
import { Reading } from './reading.ts'
import type { ReadingContext } from './session.ts'
import { ShareTorrents } from './share-torrents.ts'
import { Shares } from './shares.ts'
import { checkPeerAddress } from './target.ts'
import { addByTorrent } from './torrent-add.ts'
import type { TorrentDiscovery } from './torrent-discovery.ts'
import { Torrents } from './torrents.ts'
import type * as Api from './types.ts'
import { NetworkWatch } from './ways-in/network-watch.ts'
import { RelayedCalls } from './ways-in/relayed-calls.ts'
import type { WaysIn } from './ways-in/ways-in.ts'
import type { Wires } from './wires.ts'

/** A dial that somebody waits for. */
const DIAL_TIMEOUT_MS = 15_000

export interface Parts {
  readonly home: string
  readonly config: Config
  readonly store: Store
  readonly wires: Wires
  readonly libp2p: ShareLibp2p
  readonly ways: WaysIn
  readonly neighbours: Neighbours
  readonly routing: Routing
  readonly discovery: TorrentDiscovery
  /** Trackers of every share's torrents. */
  readonly trackers: readonly string[]
  readonly log: (line: string) => void
}

export class ShareNode implements Api.Node {
  readonly #parts: Parts & ReadingContext
  readonly #shares: Shares
  readonly #reading: Reading
  readonly #gets: Gets
  readonly #torrents: Torrents
  readonly #network: NetworkWatch
  readonly #shareTorrents: ShareTorrents
  readonly #events = new EventEmitter()
  #stopped: Promise<void> | undefined

  constructor(parts: Parts) {
    const { libp2p, wires, neighbours } = parts
    this.#torrents = new Torrents(parts.store, parts.trackers, (root) => this.#shareTorrents.changed(root))
    this.#shareTorrents = new ShareTorrents({
      store: parts.store,
      seeding: wires.seeding,
      wire: wires.torrent,
      torrents: this.#torrents,
      log: parts.log,
    })
    wires.torrent.attach(this.#shareTorrents)
    this.#parts = {
      ...parts,
      driver: wires.driver,
      bitswap: wires.bitswap,
      http: wires.http,
      readers: wires.readers,
    }
    this.#shares = new Shares({
      ...this.#parts,
      traffic: wires.traffic,
      webSeeds: wires.webSeeds,
      torrentWire: wires.torrent,
      join: (root, peer) => wires.join(root, peer),
      addressOf: (peer) =>
        isNode(peerKey(peer))
          ? bestConnection(libp2p.getConnections(peerIdFromString(peer)))?.remoteAddr.toString()
          : peer,
      discoveryOf: (root) => parts.discovery.of(root),
      joinTorrent: (...asked) => this.#shareTorrents.join(...asked),
      checkTorrent: (row) => this.#shareTorrents.check(row),
      onChange: (root) => {
        this.#shareTorrents.changed(root)
        this.#emit('share', { cid: root, share: this.#shares.describe(root) })
      },
    })
    this.#reading = new Reading(this.#parts, wires.limits)
    this.#gets = new Gets({
      store: parts.store,
      shares: this.#shares,
      shareTorrents: this.#shareTorrents,
      torrents: wires.torrent,
      reading: this.#reading,
      log: parts.log,
    })
    libp2p.addEventListener('peer:connect', ({ detail }) => {
      const peer = neighbours.connected().find(({ id }) => id === detail.toString())
      if (peer !== undefined) this.#emit('peerConnected', peer)
    })
    libp2p.addEventListener('peer:disconnect', ({ detail }) =>
      this.#emit('peerDisconnected', { id: detail.toString() }),
    )
    new RelayedCalls(libp2p, (peer) => wires.needs(peer))
    this.#network = new NetworkWatch({
      libp2p,
      log: parts.log,
      silent: () => silentNodes(this.#shares.all()),
      onMoved: () => {
        parts.ways.forget()
        parts.routing.rejoin()
      },
    })
    this.#shares.resumeAll()
    for (const { root } of parts.store.shares()) this.#shareTorrents.changed(root)
  }

  get identity(): Api.NodeIdentity {
    const { libp2p, ways, wires, discovery } = this.#parts
    const { reachable, reachableBy } = ways.reachability.verdict
    const torrentPort = wires.torrent.port
    const torrentDht = discovery.dht
    return {
      peerId: libp2p.peerId.toString(),
      addresses: libp2p.getMultiaddrs().map((address) => address.toString()),
      reachable,
      reachableBy,
      ...(torrentPort !== undefined && { torrentPort }),
      ...(torrentDht !== undefined && { torrentDht }),
    }
  }

  async add(path: string, options: Api.AddOptions = {}): Promise<Api.ShareInfo> {
    const { store } = this.#parts
    const { torrent } = options
    const row =
      torrent === undefined
        ? await addPath(store, path, options)
        : await addByTorrent(store, path, { ...options, torrent })
    this.#shares.announce(row.root)
    return this.#shares.described(row.root)
  }

  get(text: string, options: Api.GetOptions = {}): Promise<Api.ShareInfo> {
    return this.#gets.get(text, options)
  }

  cat(text: string, options: Api.CatOptions = {}): AsyncGenerator<Uint8Array> {
    return this.#reading.cat(text, options)
  }

  ls(text: string, options: Api.SourceOptions = {}): AsyncGenerator<Api.ListEntry> {
    return this.#reading.ls(text, options)
  }

  blocks(root: CID, options: Api.BlocksOptions = {}): Api.Blocks {
    return this.#reading.blocks(root, options)
  }

  export(text: string, options: Api.SourceOptions = {}): AsyncGenerator<Uint8Array> {
    return this.#reading.export(text, options)
  }

  async import(path: string, options: Api.ImportOptions = {}): Promise<Api.ImportResult> {
    const { roots, blocks, bytes } = await importCar(this.#parts.store, path, options).catch(
      (thrown: unknown) => {
        this.#parts.log(`import ${path}: ${ShareError.from(thrown).message}`)
        throw thrown
      },
    )
    const shares: Api.ShareInfo[] = []
    const failed: Api.ImportResult['failed'][number][] = []
    for (const { cid, outcome } of roots) {
      if (outcome instanceof ShareError) {
        this.#parts.log(`import ${path}: ${cid}: ${outcome.message}`)
        failed.push({ cid: cid.toString(), error: outcome.toJSON() })
        continue
      }
      this.#shares.announce(outcome.root)
      shares.push(this.#shares.described(outcome.root))
    }
    return { shares, failed, blocks, bytes }
  }

  async rm(cid: string): Promise<void> {
    await this.#shares.remove(this.#shares.find(cid).root)
  }

  async link(cid: string, options: Api.LinkOptions = {}): Promise<string> {
    const row = await this.#named(this.#shares.find(cid), options.trackers)
    const { ways, wires } = this.#parts
    const multiaddrs = ways.reachability.verdict.dialable
    const peers = wires.torrent.addresses(multiaddrs)
    return this.#torrents.link(row, { multiaddrs, peers }, options)
  }

  async torrent(cid: string, options: Api.TorrentOptions = {}): Promise<Api.Torrent> {
    const row = await this.#named(this.#shares.find(cid), options.trackers)
    return this.#torrents.torrent(row, options)
  }

  async pause(cid: string): Promise<void> {
    await this.#shares.pause(this.#shares.find(cid).root)
  }

  async resume(cid: string): Promise<void> {
    await this.#shares.resume(this.#shares.find(cid).root)
  }

  async limit(cid: string, rates: Partial<Api.Rates>): Promise<Api.ShareInfo> {
    const { root } = this.#shares.find(cid)
    await this.#parts.wires.limits.setShare(root, rates)
    return this.#shares.described(root)
  }

  limitAll(rates: Partial<Api.Rates>): void {
    this.#parts.wires.limits.setAll(rates)
  }

  async verify(cid: string, { signal, onProgress }: Api.VerifyOptions = {}): Promise<Api.VerifyResult> {
    const { root, pieces, size } = this.#shares.find(cid)
    const damaged = await this.#parts.store.verify(root, {
      ...(signal !== undefined && { signal }),
      onProgress: (done) => onProgress?.({ done, total: size }),
    })
    return { cid: root, pieces, bytes: size, damaged }
  }

  gc(): Promise<Api.GcResult> {
    return this.#parts.store.gc()
  }

  async status(): Promise<Api.ShareInfo[]> {
    return this.#shares.all()
  }

  async *examine(): AsyncGenerator<Api.CheckResult> {
    const { examine } = await import('./doctor/doctor.ts')
    const { home, config, libp2p, ways } = this.#parts
    yield* examine({ home, config, libp2p, ways, node: this })
  }

  peers(): Api.ConnectedPeer[] {
    return this.#parts.neighbours.connected()
  }

  async connect(address: string, options: { signal?: AbortSignal } = {}): Promise<Api.ConnectedPeer> {
    const { libp2p } = this.#parts
    const timeout = AbortSignal.timeout(DIAL_TIMEOUT_MS)
    const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
    try {
      const { remotePeer, remoteAddr, direction } = await libp2p.dial(multiaddr(checkPeerAddress(address)), {
        signal,
      })
      return { id: remotePeer.toString(), address: remoteAddr.toString(), direction }
    } catch (cause) {
      if (cause instanceof ShareError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new ShareError(
        'NOT_FOUND',
        `cannot connect to ${address}: ${reason}`,
        'is that node running, and its port reachable from here?',
        { cause },
      )
    }
  }

  on<K extends keyof Api.NodeEvents>(event: K, listener: (detail: Api.NodeEvents[K]) => void): () => void {
    this.#events.on(event, listener)
    return () => this.#events.off(event, listener)
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#shutDown()
    return this.#stopped
  }

  onBan(root: RootKey, banned: Api.BannedPeer): void {
    const { wires, libp2p, log } = this.#parts
    log(`banned ${banned.id}: it ${banned.reason}`)
    this.#shares.ban(root, banned)
    this.#emit('banned', { cid: root, peer: banned })
    wires.drop(peerKey(banned.id))
    if (!isNode(peerKey(banned.id))) return
    void libp2p
      .hangUp(peerIdFromString(banned.id))
      .catch((error: unknown) => log(`hang up: ${ShareError.from(error).message}`))
  }

  async #shutDown(): Promise<void> {
    const { wires, libp2p, neighbours, routing, store, discovery } = this.#parts
    this.#network.stop()
    // trackers take their time, which others use
    const farewell = discovery.stop()
    await this.#torrents.stop()
    await this.#shares.stop()
    neighbours.stop()
    await routing.stop()
    await wires.stop()
    await libp2p.stop()
    await farewell
    await store.close()
  }

  /** The share with the trackers that the user names for it now; without any word of them, as it is. */
  async #named(row: ShareRow, trackers: readonly string[] | undefined): Promise<ShareRow> {
    if (trackers === undefined) return row
    const wrong = trackers.find((url) => !isTrackerUrl(url))
    if (wrong !== undefined)
      throw new ShareError(
        'BAD_ADDRESS',
        `not a tracker's URL: ${printable(wrong)}`,
        'it looks like https://tracker.example/announce or udp://tracker.example:6969/announce',
      )
    const [named = []] = checkedTiers([trackers])
    await this.#parts.store.update(row.root, { trackers: named })
    this.#shareTorrents.changed(row.root)
    return { ...row, trackers: named }
  }

  #emit<K extends keyof Api.NodeEvents>(event: K, detail: Api.NodeEvents[K]): void {
    this.#events.emit(event, detail)
  }
}

/** Nodes that have what is wanted of them and send nothing. */
function silentNodes(shares: readonly Api.ShareInfo[]): string[] {
  const peers = shares.filter(({ state }) => state === 'downloading').flatMap((share) => share.peers)
  return peers
    .filter(({ id, interested, rates }) => isNode(peerKey(id)) && interested && rates.down === 0)
    .map(({ id }) => id)
}
