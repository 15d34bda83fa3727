/** The wires of a node under its one scheduler: how they are put together, started with libp2p, and stopped. */
import { PieceHasher } from '../content/hashing/pieces.ts'
import { type Millis, type PeerKey, peerKey, type RootKey } from '../core/types.ts'
import { Bitswap } from '../exchange/bitswap/bitswap.ts'
import { Outflow } from '../exchange/outflow.ts'
import { PeerWire } from '../exchange/peer-wire/peer-wire.ts'
import type { Store } from '../store/types.ts'
import { Limits } from '../swarm/limits.ts'
import { SendWindow } from '../swarm/send-window.ts'
import { ArrivingPieces } from './arriving-pieces.ts'
import { BitswapWire } from './bitswap-wire.ts'
import { HttpWire } from './http-wire.ts'
import { Joining } from './joining.ts'
import type { ShareLibp2p } from './libp2p.ts'
import type { OpenSwarm } from './open-swarms.ts'
import { PeerExchange } from './peer-exchange.ts'
import { isGateway } from './peer-kind.ts'
import { RateLimits } from './rate-limits.ts'
import { Readers } from './readers.ts'
import { Seeding } from './seeding.ts'
import { ShareWire } from './share-wire.ts'
import { SwarmDriver } from './swarm-driver.ts'
import { toldOnce } from './told-once.ts'
import { TorrentWire, type TorrentWireOptions } from './torrent-wire.ts'
import { Traffic } from './traffic.ts'
import type { BannedPeer } from './types.ts'
import { WebSeeds } from './web-seeds.ts'

export interface WiresOptions {
  readonly store: Store
  readonly now: () => Millis
  /** Of the scheduler's dice. */
  readonly seed: number
  /** Closes the peer's connections, and keeps it from coming back. */
  onBan(root: RootKey, banned: BannedPeer): void
  readonly log: (line: string) => void
}

export class Wires {
  readonly driver: SwarmDriver
  readonly bitswap: BitswapWire
  readonly share: ShareWire
  readonly http: HttpWire
  readonly torrent: TorrentWire
  readonly seeding: Seeding
  readonly webSeeds: WebSeeds
  readonly limits: RateLimits
  readonly traffic: Traffic
  readonly readers: Readers
  readonly #options: WiresOptions
  readonly #joining: Joining
  readonly #outflow: Outflow
  readonly #hasher = new PieceHasher()
  /** What peers do wrong. */
  readonly #complain: (line: string) => void

  constructor(options: WiresOptions) {
    this.#options = options
    this.#complain = toldOnce(options.log)
    const { store, now } = options
    const limits = new Limits()
    this.#outflow = new Outflow({ window: new SendWindow(), limits, now })
    this.traffic = new Traffic(now)
    this.driver = new SwarmDriver({ ...options, onOpen: (root) => this.limits.opened(root) })
    this.limits = new RateLimits({ store, limits, driver: this.driver, now })
    const { driver, traffic } = this
    const isOpen = (swarm: OpenSwarm): boolean => driver.swarms.get(swarm.root) === swarm
    const arriving = new ArrivingPieces({
      isOpen,
      tell: (swarm, event) => {
        if (isOpen(swarm)) driver.dispatch(event)
      },
      hold: (bytes) => this.#hold(bytes),
      release: (bytes) => this.#release(bytes),
      hasher: this.#hasher,
    })
    this.readers = new Readers({ store, swarms: driver.swarms, dispatch: (event) => driver.dispatch(event) })
    const seeding = new Seeding({ store, driver })
    this.seeding = seeding
    const common = { store, driver, arriving, seeding, traffic }
    this.http = new HttpWire({ ...common, log: this.#complain })
    this.torrent = new TorrentWire({ ...common, now, log: this.#complain })
    this.webSeeds = new WebSeeds({ store, driver, arriving, traffic, log: this.#complain })
    const { http, torrent, webSeeds } = this
    this.bitswap = new BitswapWire({
      ...common,
      http,
      join: (root, peer) => this.join(root, peer),
      log: this.#complain,
    })
    http.attach(this.bitswap.fetcher)
    this.#joining = new Joining({
      wants: (root, peer) => driver.swarms.get(root)?.download !== undefined && !driver.isBanned(peer),
      wireOf: (root, peer) => driver.swarms.get(root)?.members.get(peer),
      speaksShare: (peer) => this.share.speaks(peer),
      openShare: (root, peer) => this.share.open(root, peer),
      joinByBitswap: (root, peer) => this.bitswap.join(root, peer),
    })
    const joining = this.#joining
    this.share = new ShareWire({ ...common, bitswap: this.bitswap, joining })
    driver.attach({
      bitswap: this.bitswap,
      share: this.share,
      http,
      torrent,
      webSeeds,
      joining,
      arriving,
      readers: this.readers,
    })
  }

  /** Registers the protocols; before libp2p starts, so that the first identify names them. */
  async start(
    libp2p: ShareLibp2p,
    options: {
      share: boolean
      version: string
      gateways: readonly string[]
      torrent: Pick<TorrentWireOptions, 'listen' | 'most'>
    },
  ): Promise<void> {
    const { now } = this.#options
    const log = this.#complain
    this.http.start(options.gateways)
    await this.torrent.start({ ...options.torrent, outflow: this.#outflow, version: options.version })
    const bitswap = new Bitswap({
      libp2p,
      host: this.bitswap,
      outflow: this.#outflow,
      hashBlock: (block) => this.#hasher.hash(block),
      now,
      log,
    })
    this.bitswap.attach(bitswap)
    await bitswap.start()
    libp2p.addEventListener('peer:disconnect', ({ detail }) => this.#joining.gone(peerKey(detail.toString())))
    if (!options.share) return
    const wire = new PeerWire({
      libp2p,
      host: this.share,
      version: options.version,
      outflow: this.#outflow,
      now,
      log,
    })
    const exchange = new PeerExchange({
      libp2p,
      tell: (root, peer, news) => wire.tellPeers(root, news, peer),
      isBanned: (peer) => this.driver.isBanned(peer),
      isLookedFor: (root) => this.driver.swarms.get(root)?.download !== undefined,
      now,
    })
    this.share.attach(wire, exchange)
    await wire.start()
  }

  /** The peer has the root, or looks for it: it takes part in the download from now on. */
  join(root: RootKey, peer: PeerKey): void {
    const download = this.driver.swarms.get(root)?.download
    if (download === undefined || this.driver.isBanned(peer)) return
    this.bitswap.fetcher.joined(download.session, peer)
    if (isGateway(peer)) this.http.join(root, peer)
    else this.#joining.join(root, peer)
  }

  /** Whether something is to come from the peer, or to go to it. */
  needs(peer: PeerKey): boolean {
    return this.driver.trades(peer) || this.bitswap.awaits(peer)
  }

  /** Forgets the peer; its connection is the caller's to close. */
  drop(peer: PeerKey): void {
    this.http.drop(peer)
    this.webSeeds.drop(peer)
    this.share.drop(peer)
    this.torrent.drop(peer)
    this.bitswap.drop(peer)
    this.#joining.gone(peer)
  }

  async stop(): Promise<void> {
    this.driver.stop()
    this.#joining.stop()
    this.http.stop()
    await this.torrent.stop()
    this.webSeeds.stop()
    await this.share.stop()
    await this.bitswap.stop()
    this.#outflow.stop()
  }

  #hold(bytes: number): void {
    this.bitswap.hold(bytes)
    this.webSeeds.hold(bytes)
    this.share.holdBytes(bytes)
    this.torrent.holdBytes(bytes)
  }

  #release(bytes: number): void {
    this.bitswap.release(bytes)
    this.webSeeds.release(bytes)
    this.share.releaseBytes(bytes)
    this.torrent.releaseBytes(bytes)
  }
}
