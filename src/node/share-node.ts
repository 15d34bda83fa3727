/** The public face of a running peer: each method of the API in terms of the parts that do it. */

import { EventEmitter } from 'node:events'
import { basename, resolve } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { writeCar } from '../content/car-writer.ts'
import { dagBlocks } from '../content/dag-blocks.ts'
import { linksOf } from '../content/dag-links.ts'
import { listDirectory } from '../content/directory.ts'
import { readFile } from '../content/file.ts'
import { resolvePath } from '../content/path.ts'
import { rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { peerKey, type RootKey } from '../core/types.ts'
import type { Routing } from '../routing/routing.ts'
import type { Store } from '../store/types.ts'
import { addPath } from './adding.ts'
import { isGateway } from './http-wire.ts'
import { importCar } from './import-car.ts'
import type { ShareLibp2p } from './libp2p.ts'
import { Neighbours } from './neighbours.ts'
import { copyOut, placeFor } from './place.ts'
import { type ReadingContext, ReadSession } from './session.ts'
import { Shares } from './shares.ts'
import { checkPeerAddress, checkSource, parseTarget, type Target } from './target.ts'
import { Torrents } from './torrents.ts'
import type * as Api from './types.ts'
import type { Wires } from './wires.ts'

/** How often a running `get` reports. */
const REPORT_MS = 500

/** A dial that somebody waits for. */
const DIAL_TIMEOUT_MS = 15_000

export interface Parts {
  readonly store: Store
  readonly wires: Wires
  readonly libp2p: ShareLibp2p
  readonly routing: Routing
  readonly log: (line: string) => void
}

export class ShareNode implements Api.Node {
  readonly #parts: Parts & ReadingContext
  readonly #shares: Shares
  readonly #torrents: Torrents
  readonly #events = new EventEmitter()
  #stopped: Promise<void> | undefined

  constructor(parts: Parts) {
    const { libp2p, wires } = parts
    const neighbours = new Neighbours(libp2p)
    this.#torrents = new Torrents(parts.store)
    this.#parts = {
      ...parts,
      neighbours,
      driver: wires.driver,
      bitswap: wires.bitswap,
      http: wires.http,
      readers: wires.readers,
    }
    this.#shares = new Shares({
      ...this.#parts,
      traffic: wires.traffic,
      join: (root, peer) => wires.join(root, peer),
      addressOf: (peer) =>
        isGateway(peerKey(peer))
          ? peer
          : libp2p.getConnections(peerIdFromString(peer))[0]?.remoteAddr.toString(),
      onChange: (root) => this.#emit('share', { cid: root, share: this.#shares.describe(root) }),
    })
    libp2p.addEventListener('peer:connect', ({ detail }) => {
      const peer = neighbours.connected().find(({ id }) => id === detail.toString())
      if (peer !== undefined) this.#emit('peerConnected', peer)
    })
    libp2p.addEventListener('peer:disconnect', ({ detail }) =>
      this.#emit('peerDisconnected', { id: detail.toString() }),
    )
    this.#shares.resumeAll()
  }

  get identity(): Api.NodeIdentity {
    const { libp2p } = this.#parts
    return {
      peerId: libp2p.peerId.toString(),
      addresses: libp2p.getMultiaddrs().map((address) => address.toString()),
    }
  }

  async add(path: string, options: Api.AddOptions = {}): Promise<Api.ShareInfo> {
    const row = await addPath(this.#parts.store, path, options)
    this.#shares.announce(row.root)
    return this.#describe(row.root)
  }

  async get(text: string, options: Api.GetOptions = {}): Promise<Api.ShareInfo> {
    const { output, signal, onProgress, stream = false } = options
    const target = targetOf(text, options.peers)
    const root = await this.#resolve(target, signal)
    const key = rootKeyOf(root)
    const here = this.#parts.store.share(key)
    // a directory that an earlier get made is the place itself, not a place to put things into
    const again = here !== undefined && output !== undefined && resolve(output) === here.path
    const path = again ? here.path : await placeFor(output, target.name ?? here?.name ?? key)
    if (here?.phase === 'complete' && here.damaged.length === 0) {
      // the bytes of a copied share lie in the store, whatever lies where they came from
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
    const report = (notice?: ShareError): void => {
      const share = this.#shares.describe(key)
      if (share !== undefined)
        onProgress?.({ share, ...(notice !== undefined && { notice: notice.toJSON() }) })
    }
    const reporting = setInterval(report, REPORT_MS)
    try {
      await this.#shares.complete(
        { root, name: basename(path), path, peers: target.peers, stream },
        signal,
        report,
      )
      report()
      return this.#describe(key)
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

  blocks(root: Target['root'], { peers = [], ...options }: Api.BlocksOptions = {}): Api.Blocks {
    return new ReadSession(this.#parts, root, { ...options, peers: peers.map(checkSource) })
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
    return this.#torrents.link(this.#shares.find(cid), this.identity.addresses, options)
  }

  async torrent(cid: string, options: Api.TorrentOptions = {}): Promise<Api.Torrent> {
    return this.#torrents.torrent(this.#shares.find(cid), options)
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
    if (isGateway(peerKey(banned.id))) return
    void libp2p
      .hangUp(peerIdFromString(banned.id))
      .catch((error: unknown) => log(`hang up: ${ShareError.from(error).message}`))
  }

  async #shutDown(): Promise<void> {
    const { wires, libp2p, neighbours, routing, store } = this.#parts
    await this.#torrents.stop()
    await this.#shares.stop()
    neighbours.stop()
    await routing.stop()
    await wires.stop()
    await libp2p.stop()
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

function targetOf(text: string, peers: readonly string[] | undefined): Target {
  const target = parseTarget(text)
  return { ...target, peers: [...(peers ?? []).map(checkSource), ...target.peers] }
}
