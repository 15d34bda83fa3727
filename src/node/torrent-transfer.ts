/**
 * A torrent's way onto this node: its info dictionary is had from a file or from peers, its pieces from whoever has them, and
 * at the end what has come is a share with a CID. Stopping at any moment leaves a state on disk that `start` goes on from.
 */
import { basename, join } from 'node:path'
import { printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import { FetchSession } from '../exchange/bitswap/node-fetcher.ts'
import type { TorrentDownload, TorrentOrigin } from '../store/torrent-types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { foreignSpace } from '../torrent/foreign-space.ts'
import type { InfoHashes } from '../torrent/info.ts'
import { packMetainfo } from '../torrent/keep-metainfo.ts'
import type { Metainfo } from '../torrent/metainfo.ts'
import { readMetainfoAside } from '../torrent/read-aside.ts'
import { selectFiles } from '../torrent/selection.ts'
import type { AddTorrent, TorrentHandle } from '../torrent/tcp/known-torrent.ts'
import { sameTorrent } from '../torrent/torrent-root.ts'
import { TorrentSpace } from '../torrent/torrent-space.ts'
import type { DownloadPort, OpenSwarm } from './open-swarms.ts'
import { type CheckedPiece, PieceCheck } from './piece-check.ts'
import type { Readers } from './readers.ts'
import { type Progress, RunningTransfer, type TransferWatcher } from './running-transfer.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import { TorrentLeaves } from './torrent-leaves.ts'
import { hashesOf } from './torrent-origin.ts'
import { reuseFiles } from './torrent-reuse.ts'
import { shareTorrent } from './torrent-share.ts'
import type { TorrentWire } from './torrent-wire.ts'
import type { WebSeeds } from './web-seeds.ts'

export interface TorrentRequest {
  readonly name: string
  /** Where it goes; with `origin.into` that directory decides, and its own name. */
  readonly path: string
  readonly origin: TorrentOrigin
  /** Of a .torrent file, where one was given. */
  readonly metainfo?: Metainfo
  readonly stream?: boolean
}

export interface TorrentContext extends TransferWatcher {
  readonly store: Store
  readonly driver: SwarmDriver
  readonly readers: Readers
  readonly webSeeds: WebSeeds
  readonly torrentWire: TorrentWire
  /** A share that this one has become more of. */
  forget(root: RootKey): Promise<void>
  readonly log: (line: string) => void
}

export class TorrentTransfer extends RunningTransfer {
  readonly request: TorrentRequest
  override readonly peers: ReadonlySet<string> = new Set()
  readonly #context: TorrentContext
  #handle: TorrentHandle | undefined
  #download: TorrentDownload | undefined
  #space: TorrentSpace | undefined
  #check: PieceCheck | undefined
  #leaves: TorrentLeaves | undefined
  #haveBytes = 0
  #streams: boolean

  constructor(context: TorrentContext, root: RootKey, request: TorrentRequest) {
    super(root, context)
    this.request = request
    this.#context = context
    this.#streams = request.stream === true
  }

  override get path(): string {
    return this.request.path
  }

  override get progress(): Progress {
    const total = this.#space?.length ?? 0
    const have = this.#download?.have.count ?? 0
    return { size: this.#space?.bytes ?? 0, have: this.#haveBytes, pieces: { total, have } }
  }

  override stream(): void {
    this.#streams = true
    this.#context.readers.stream(this.root)
  }

  protected override async run(): Promise<void> {
    const { store } = this.#context
    const { name, path, origin } = this.request
    const download = await store.openTorrent({ root: this.root, name, path, peers: [], torrent: origin })
    this.#download = download
    const signal = this.stopping
    if (signal.aborted) return
    const row = this.#row()
    this.#handle = this.#context.torrentWire.add(lookedFor(this.root, row.torrent ?? origin))
    const metainfo = await this.#metainfo(row)
    signal.throwIfAborted()
    const space = new TorrentSpace(metainfo.info, selectFiles(metainfo.info, row.torrent?.only ?? []))
    const check = new PieceCheck(space, metainfo.layers)
    this.#space = space
    this.#check = check
    const isNamed = row.phase === 'complete'
    if (isNamed) await store.update(this.root, { phase: 'incomplete' })
    this.enter('checking')
    const into = row.torrent?.into
    const target =
      into === undefined || isNamed
        ? { name: row.name, path: row.path }
        : { name: metainfo.info.name, path: join(into, metainfo.info.name) }
    const instead = this.#parts(metainfo.info.hashes, target.path)
    const checking = { check: check.check.bind(check), signal }
    await download.begin(space, { ...target, instead }, checking)
    for (const root of instead) await this.#context.forget(root)
    for (const piece of download.have) this.#haveBytes += space.wantedBytes(piece)
    const leaves = new TorrentLeaves(space, download, this.#context.log)
    this.#leaves = leaves
    if (metainfo.info.version !== 'v1')
      await reuseFiles({ store, space, check, download, signal, onPiece: (piece) => this.#stored(piece) })
    signal.throwIfAborted()
    this.enter('downloading')
    this.#trade(metainfo, space, download, (piece, bytes) => checked(check, leaves, piece, bytes))
  }

  /** Shares of some files of this torrent in the same place, where all files are wanted now. */
  #parts(hashes: InfoHashes, path: string): RootKey[] {
    const { only = [] } = this.#row().torrent ?? {}
    if (only.length > 0) return []
    const isPart = ({ root, phase, torrent, ...row }: ShareRow): boolean =>
      root !== this.root &&
      phase === 'complete' &&
      row.path === path &&
      torrent !== undefined &&
      torrent.only.length > 0 &&
      sameTorrent(hashesOf(torrent), hashes)
    return this.#context.store
      .shares()
      .filter(isPart)
      .map(({ root }) => root)
  }

  /** From the file that was given, from what is kept, or from peers. */
  async #metainfo(row: ShareRow): Promise<Metainfo> {
    const { store } = this.#context
    const kept = await store.metainfo(this.root)
    const known = this.request.metainfo ?? (kept && (await readMetainfoAside(kept)))
    const complete = await this.#withLayers(known ?? (await this.#fromPeers(row)))
    const { v1, v2 } = hexHashes(complete.info.hashes)
    const origin = row.torrent ?? this.request.origin
    await store.keepMetainfo(this.root, packMetainfo(complete.infoBytes, complete.layers))
    const webSeeds = [...new Set([...origin.webSeeds, ...complete.webSeeds])]
    const trackers = origin.trackers.length > 0 ? origin.trackers : complete.trackers
    await store.update(this.root, {
      torrent: { ...origin, v1, v2, webSeeds, trackers, isPrivate: complete.info.isPrivate },
    })
    return complete
  }

  async #fromPeers({ torrent }: ShareRow): Promise<Metainfo> {
    const infoBytes = await this.#peersOf().metadata(this.stopping)
    const metainfo = await readMetainfoAside(packMetainfo(infoBytes, new Map()))
    const asked = torrent && hashesOf(torrent)
    if (asked !== undefined && !sameTorrent(asked, metainfo.info.hashes))
      throw new ShareError('VERIFICATION_FAILED', 'the info dictionary is another one', 'try the link again')
    return metainfo
  }

  /** Where v2 cannot be checked without, the piece layers come from peers too. */
  async #withLayers(metainfo: Metainfo): Promise<Metainfo> {
    const { info, layers } = metainfo
    if (info.version !== 'v2') return metainfo
    const lacks = info.files.some(
      ({ root, size }) =>
        root !== undefined && size > info.pieceLength && !layers.has(Buffer.from(root).toString('hex')),
    )
    if (!lacks) return metainfo
    return { ...metainfo, layers: await this.#peersOf().layers(info, layers, this.stopping) }
  }

  #trade(
    metainfo: Metainfo,
    space: TorrentSpace,
    download: TorrentDownload,
    check: NonNullable<OpenSwarm['check']>,
  ): void {
    const { driver, webSeeds } = this.#context
    driver.open(this.root, this.#port(space, download), {
      leaves: undefined,
      check,
      read: (piece) => download.read(piece),
      readPart: (piece, begin, length) => download.read(piece, begin, length),
    })
    if (this.#streams) this.#context.readers.stream(this.root)
    const origin = this.#row().torrent ?? this.request.origin
    driver.grow(this.root, 0, [...download.have], true)
    this.#handle?.open({
      info: metainfo.info,
      infoBytes: metainfo.infoBytes,
      layers: metainfo.layers,
      space: foreignSpace(space),
    })
    webSeeds.join(this.root, space, origin.webSeeds)
  }

  #port(space: TorrentSpace, download: TorrentDownload): DownloadPort {
    return {
      pieces: space,
      session: new FetchSession(),
      store: async (piece, bytes) => {
        await download.write(piece, bytes)
        this.#stored(piece)
      },
      onFirstPiece: () => undefined,
      ...this.endings,
    }
  }

  #stored(piece: number): void {
    this.#haveBytes += this.#space?.wantedBytes(piece) ?? 0
    this.#leaves?.stored(piece)
  }

  protected override async finish(): Promise<void> {
    this.enter('checking')
    await this.#leaves?.settle()
    await this.#download?.finish()
    this.leave()
    const known = (path: string, size: number) => this.#leaves?.known(path, size)
    const row = await shareTorrent(this.#context.store, this.root, known, this.stopping)
    this.#check?.end()
    await this.#leaves?.end()
    this.complete(row)
  }

  protected override leave(): void {
    this.#context.webSeeds.close(this.root)
    this.#handle?.close()
    this.#context.driver.close(this.root)
  }

  protected override async release(): Promise<void> {
    this.#check?.end()
    await this.#leaves?.end()
    await this.#download?.close()
  }

  protected override nobodyFound(): ShareError | undefined {
    const members = this.#context.driver.peers(this.root).length
    if (members > 0 || this.state === 'checking') return undefined
    return new ShareError(
      'NOBODY_HAS_IT',
      `nobody found yet who has ${printable(basename(this.request.path))}`,
      'is somebody seeding it? try --peer with the HOST:PORT of a BitTorrent client; the search goes on',
    )
  }

  #peersOf(): TorrentHandle {
    if (this.#handle === undefined) throw new Error('nobody is looked for yet')
    return this.#handle
  }

  #row(): ShareRow {
    const row = this.#context.store.share(this.root)
    if (row === undefined)
      throw new ShareError('NOT_FOUND', 'the torrent was removed', 'get it again if you still want it')
    return row
  }
}

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex')

function hexHashes({ v1, v2 }: InfoHashes): { v1: string | undefined; v2: string | undefined } {
  return { v1: hex(v1), v2: hex(v2) }
}

/** Digests of leaves are taken while the piece is in memory, and kept only if it is right. */
async function checked(
  check: PieceCheck,
  leaves: TorrentLeaves,
  index: number,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<CheckedPiece> {
  const answer = await check.check(index, bytes, leaves.areAllOf(index))
  if (answer.right) leaves.learn(index, answer.leaves)
  return answer
}

function lookedFor(root: RootKey, origin: TorrentOrigin): AddTorrent {
  return { root, hashes: hashesOf(origin), trackers: origin.trackers, peers: origin.peers }
}
