/** The public face of a running peer: each method of the API in terms of the parts that do it. */

import { EventEmitter } from 'node:events'
import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { writeCar } from '../content/car-writer.ts'
import { dagBlocks } from '../content/dag-blocks.ts'
import { linksOf } from '../content/dag-links.ts'
import { listDirectory } from '../content/directory.ts'
import { readFile } from '../content/file.ts'
import { resolvePath } from '../content/path.ts'
import { printable, rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { peerKey, type RootKey } from '../core/types.ts'
import { bestConnection } from '../exchange/open-stream.ts'
import type { Routing } from '../routing/routing.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { checkedTiers } from '../torrent/announce-list.ts'
import { isTrackerUrl } from '../torrent/tracker-url.ts'
import { addPath } from './adding.ts'
import type { Config } from './config.ts'
import { importCar } from './import-car.ts'
import type { ShareLibp2p } from './libp2p.ts'
import type { Neighbours } from './neighbours.ts'
import { isNode } from './peer-kind.ts'
import { copyOut, placeFor } from './place.ts'
import { type ReadingContext, ReadSession } from './session.ts'
import { ShareTorrents } from './share-torrents.ts'
import { Shares } from './shares.ts'
import { checkPeerAddress, checkSource, parseTarget, type Target } from './target.ts'
import { addByTorrent } from './torrent-add.ts'
import type { TorrentDiscovery } from './torrent-discovery.ts'
import { askTorrent } from './torrent-gets.ts'
import { type TorrentTarget, torrentBesideCid, torrentTarget } from './torrent-target.ts'
import type { TorrentRequest } from './torrent-transfer.ts'
import { Torrents } from './torrents.ts'
import type { TransferRequest } from './transfer.ts'
import type * as Api from './types.ts'
import { NetworkWatch } from './ways-in/network-watch.ts'
import type { WaysIn } from './ways-in/ways-in.ts'
import type { Wires } from './wires.ts'

/** A link's CID is looked for this long before its torrent is fetched alone. */
const PATIENCE_WITH_CID_MS = 10_000

/** How often a running `get` reports. */
const REPORT_MS = 500

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
    libp2p.addEventListener('peer:connect', ({ detail }) => {
      const peer = neighbours.connected().find(({ id }) => id === detail.toString())
      if (peer !== undefined) this.#emit('peerConnected', peer)
    })
    libp2p.addEventListener('peer:disconnect', ({ detail }) =>
      this.#emit('peerDisconnected', { id: detail.toString() }),
    )
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
    return this.#describe(row.root)
  }

  async get(text: string, options: Api.GetOptions = {}): Promise<Api.ShareInfo> {
    const torrent = torrentTarget(text)
    if (torrent !== undefined) return this.#getTorrent(torrent, options)
    const { output, signal, stream = false } = options
    const target = targetOf(text, options.peers)
    const root = await this.#resolve(target, signal)
    const key = rootKeyOf(root)
    const here = this.#parts.store.share(key)
    // a directory that an earlier get made is the place itself, not a place to put things into
    const again = here !== undefined && output !== undefined && resolve(output) === here.path
    const path = again ? here.path : await placeFor(output, target.name ?? here?.name ?? key)
    if (here?.phase === 'complete' && here.damaged.length === 0) {
      // the bytes of a copied share lie in the store, whatever lies where they came from
      if (target.magnet !== undefined) void this.#shareTorrents.meet(key, target.magnet)
      if (here.copied || here.path !== path) await this.#copyOut(target, root, path, signal)
      // a copy beside the share is its owner's; where it lies is what was asked for
      return { ...this.#describe(key), path }
    }
    if (here !== undefined && here.phase === 'complete') await this.#shares.remove(key)
    else if (here !== undefined && here.path !== path) {
      throw new ShareError(
        'CONFLICT',
        `${key} is on its way to ${here.path} already`,
        'wait for it, or `share rm` it first',
      )
    }
    const request = {
      root,
      // a torrent's name is a part of what it is, wherever it lies
      name: (target.magnet === undefined ? undefined : target.name) ?? basename(path),
      path,
      peers: target.peers,
      stream,
      ...(target.magnet !== undefined && { magnet: target.magnet }),
    }
    const beside = torrentBesideCid(text)
    return beside === undefined
      ? this.#reporting(key, options, (report) => this.#shares.complete(request, signal, report))
      : this.#getEither(request, beside, options)
  }

  /** By the CID, which BitTorrent peers help with; by the torrent alone, where nobody has the root and they have the torrent. */
  async #getEither(
    request: TransferRequest,
    torrent: TorrentTarget,
    options: Api.GetOptions,
  ): Promise<Api.ShareInfo> {
    const key = rootKeyOf(request.root)
    const changing = new AbortController()
    const ended = new AbortController()
    const { signal = ended.signal } = options
    const either = AbortSignal.any([signal, changing.signal])
    void this.#onlyTorrent(key, ended.signal).then((only) => {
      if (only) changing.abort(new ShareError('INTERRUPTED', 'nobody has the CID', 'the torrent is fetched'))
    })
    try {
      return await this.#reporting(key, options, (report) => this.#shares.complete(request, either, report))
    } catch (thrown) {
      if (!changing.signal.aborted || signal.aborted) throw thrown
    } finally {
      ended.abort()
    }
    await this.#shares.remove(key)
    this.#parts.log(`${key}: nobody has it; the torrent that the link names beside it is fetched`)
    const peers = options.peers?.filter((address) => !address.startsWith('/')) ?? []
    return this.#getTorrent(torrent, { ...options, peers })
  }

  /** Resolves with whether, some time on, BitTorrent peers have told what the torrent is and nobody has given the root. */
  async #onlyTorrent(root: RootKey, ended: AbortSignal): Promise<boolean> {
    try {
      await sleep(PATIENCE_WITH_CID_MS, undefined, { signal: ended, ref: false })
      await this.#parts.wires.torrent.of(root)[0]?.metadata(ended)
      return (
        this.#parts.wires.torrent.of(root).length > 0 && this.#shares.describe(root)?.state === 'resolving'
      )
    } catch {
      return false
    }
  }

  /** What has come is a share of its own CID. */
  async #getTorrent(target: TorrentTarget, options: Api.GetOptions): Promise<Api.ShareInfo> {
    const { signal } = options
    const { root, request, share } = await askTorrent(this.#parts.store, target, options)
    if (share !== undefined && share.damaged.length === 0) return this.#given(share, request, signal)
    const info = await this.#reporting(root, options, (report) =>
      this.#shares.completeTorrent(root, request, signal, report),
    )
    if (info.mismatch === undefined) return info
    const hint = `what the torrent holds is here, as ${info.path}; ask whoever made the link which of the two is meant`
    throw new ShareError('VERIFICATION_FAILED', info.mismatch, hint)
  }

  /** A share that came from the torrent before; elsewhere it is copied. */
  async #given(
    share: ShareRow,
    { origin, path }: TorrentRequest,
    signal: AbortSignal | undefined,
  ): Promise<Api.ShareInfo> {
    const wanted = origin.into === undefined ? path : join(origin.into, basename(share.path))
    if (wanted !== share.path) {
      const target = parseTarget(share.root)
      await this.#copyOut(target, target.root, wanted, signal)
    }
    return { ...this.#describe(share.root), path: wanted }
  }

  /** Tells of a download while it runs. */
  async #reporting(
    key: RootKey,
    { onProgress }: Api.GetOptions,
    work: (report: (notice?: ShareError) => void) => Promise<ShareRow>,
  ): Promise<Api.ShareInfo> {
    const report = (notice?: ShareError): void => {
      const share = this.#shares.describe(key)
      if (share !== undefined)
        onProgress?.({ share, ...(notice !== undefined && { notice: notice.toJSON() }) })
    }
    const reporting = setInterval(report, REPORT_MS)
    try {
      const { root } = await work(report)
      report()
      return this.#describe(root)
    } finally {
      clearInterval(reporting)
    }
  }

  async *cat(text: string, options: Api.CatOptions = {}): AsyncGenerator<Uint8Array> {
    const { range, signal } = options
    const target = targetOf(text, options.peers)
    using session = this.#session(target, signal)
    const cid = await resolvePath(target.root, target.path, session.node, signal)
    yield* readFile(cid, {
      getBlock: session.block,
      ...(range !== undefined && { range }),
      ...(signal !== undefined && { signal }),
    })
  }

  async *ls(
    text: string,
    options: { signal?: AbortSignal; peers?: readonly string[] } = {},
  ): AsyncGenerator<Api.ListEntry> {
    const target = targetOf(text, options.peers)
    using session = this.#session(target, options.signal)
    const cid = await resolvePath(target.root, target.path, session.node, options.signal)
    for await (const { name, cid: entry, kind, size } of listDirectory(cid, session.node, options.signal)) {
      yield { name, cid: entry.toString(), kind, size }
    }
  }

  blocks(root: Target['root'], options: Api.BlocksOptions = {}): Api.Blocks {
    const { peers = [], upload = false, ...reading } = options
    const session = new ReadSession(this.#parts, root, { ...reading, peers: peers.map(checkSource) })
    return upload ? heldBack(session, rootKeyOf(root), this.#parts.wires.limits, options.signal) : session
  }

  async *export(
    text: string,
    options: { signal?: AbortSignal; peers?: readonly string[] } = {},
  ): AsyncGenerator<Uint8Array> {
    const { signal } = options
    const target = targetOf(text, options.peers)
    using session = this.#session(target, signal)
    const root = await resolvePath(target.root, target.path, session.node, signal)
    const blocks = dagBlocks([{ cid: root }], {
      getBlock: session.block,
      below: ({ cid }, block) => linksOf(cid, block).map((below) => ({ cid: below })),
      ...(signal !== undefined && { signal }),
    })
    yield* writeCar([root], blocks)
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
      shares.push(this.#describe(outcome.root))
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
    return this.#describe(root)
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

  async #resolve(target: Target, signal: AbortSignal | undefined): Promise<Target['root']> {
    if (target.path.length === 0) return target.root
    using session = this.#session(target, signal)
    return await resolvePath(target.root, target.path, session.node, signal)
  }

  async #copyOut(
    target: Target,
    root: Target['root'],
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    using session = this.#session(target, signal)
    await copyOut(root, path, session.block, signal)
  }

  #session(target: Target, signal: AbortSignal | undefined): ReadSession {
    return new ReadSession(this.#parts, target.root, {
      peers: target.peers,
      ...(signal !== undefined && { signal }),
    })
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

  #describe(root: RootKey): Api.ShareInfo {
    const share = this.#shares.describe(root)
    if (share === undefined)
      throw new ShareError('NOT_FOUND', `the share ${root} is gone`, 'it was removed meanwhile')
    return share
  }

  #emit<K extends keyof Api.NodeEvents>(event: K, detail: Api.NodeEvents[K]): void {
    this.#events.emit(event, detail)
  }
}

/** What is read goes out of this node, as fast as the limits let it. */
function heldBack(
  session: ReadSession,
  root: RootKey,
  limits: Wires['limits'],
  signal: AbortSignal | undefined,
): Api.Blocks {
  const block = async (cid: CID): Promise<Uint8Array> => {
    const bytes = await session.block(cid)
    await limits.passUp(root, bytes.length, signal)
    return bytes
  }
  return { node: session.node, block, [Symbol.dispose]: () => session[Symbol.dispose]() }
}

function targetOf(text: string, peers: readonly string[] | undefined): Target {
  const target = parseTarget(text)
  return { ...target, peers: [...(peers ?? []).map(checkSource), ...target.peers] }
}

/** Nodes that have what is wanted of them and send nothing. */
function silentNodes(shares: readonly Api.ShareInfo[]): string[] {
  const peers = shares.filter(({ state }) => state === 'downloading').flatMap((share) => share.peers)
  return peers
    .filter(({ id, interested, rates }) => isNode(peerKey(id)) && interested && rates.down === 0)
    .map(({ id }) => id)
}
