/**
 * Finds peers of torrents, and tells others of us: by trackers, the mainline DHT and local discovery, whichever there are.
 * Which of them a torrent may use is asked anew when its info becomes known: a private one has its trackers alone (BEP 27).
 */
import type { Endpoint } from '../../core/endpoint.ts'
import type { Reach } from '../../core/ip-reach.ts'
import type { Prng } from '../../core/prng.ts'
import { wireHashes } from '../info.ts'
import { mayUse } from '../sources.ts'
import type { Clock } from './clock.ts'
import type { DhtSearch } from './dht-search.ts'
import type { LocalPeers } from './local-peers.ts'
import type { MainlineDht } from './mainline-dht.ts'
import type { Identity, SoughtTorrent, SourceStanding } from './sought.ts'
import { TorrentTrackers } from './torrent-trackers.ts'
import type { TrackerClient } from './tracker-client.ts'

/** Trackers are told that we leave, but nobody waits longer for them than this. */
const FAREWELL_MS = 3_000

export interface DiscoveryOptions {
  readonly identity: Identity
  readonly client: Pick<TrackerClient, 'announce'>
  /** How near a tracker may be that a torrent or a link names. */
  readonly nearest: Reach
  readonly dht: Pick<MainlineDht, 'port' | 'nodes' | 'seek' | 'meet' | 'stop'> | undefined
  readonly local: LocalPeers | undefined
  readonly clock: Clock
  readonly prng: Prng
}

export class Discovery {
  readonly #options: DiscoveryOptions
  readonly #seekings = new Set<Seeking>()

  constructor(options: DiscoveryOptions) {
    this.#options = options
  }

  /** Announces the torrent and looks for its peers, until that is stopped. */
  seek(torrent: SoughtTorrent): Seeking {
    const seeking: Seeking = new Seeking(this.#options, torrent, () => this.#seekings.delete(seeking))
    this.#seekings.add(seeking)
    return seeking
  }

  /** The port to be told to peers that have the DHT too (BEP 5). */
  get dhtPort(): number | undefined {
    return this.#options.dht?.port
  }

  /** Undefined where there is no DHT. */
  get dhtNodes(): number | undefined {
    return this.#options.dht?.nodes
  }

  /** A node of the DHT that a peer or a torrent names. */
  meetDhtNode(node: Endpoint): void {
    this.#options.dht?.meet(node)
  }

  /** In a bounded time. */
  async stop(): Promise<void> {
    await Promise.all([...this.#seekings].map((seeking) => seeking.stop()))
    this.#options.local?.stop()
    await this.#options.dht?.stop()
  }
}

/** One torrent's search. */
export class Seeking {
  readonly #options: DiscoveryOptions
  readonly #torrent: SoughtTorrent
  readonly #onStop: () => void
  readonly #trackers: TorrentTrackers
  #dht: readonly DhtSearch[] = []
  #local: readonly ReturnType<LocalPeers['seek']>[] = []
  #stopped: Promise<void> | undefined

  constructor(options: DiscoveryOptions, torrent: SoughtTorrent, onStop: () => void) {
    const { client, clock, prng, identity, nearest } = options
    this.#options = options
    this.#torrent = torrent
    this.#onStop = onStop
    this.#trackers = new TorrentTrackers({
      client,
      clock,
      prng,
      identity,
      nearest,
      hashes: wireHashes(torrent.hashes),
      trackers: torrent.trackers,
      named: torrent.named,
      progress: () => torrent.progress(),
      wantsPeers: () => torrent.wantsPeers(),
      found: (peers) => this.#found(peers, 'tracker'),
    }).start()
    this.#allow()
  }

  /** The info has become known, or peers are wanted now. */
  changed(): void {
    if (this.#stopped !== undefined) return
    this.#allow()
    this.#trackers.changed()
    for (const search of this.#dht) search.changed()
  }

  /** The download is done. */
  completed(): void {
    if (this.#stopped === undefined) this.#trackers.completed()
  }

  standings(): SourceStanding[] {
    return [
      ...this.#trackers.standings(),
      // a hybrid's second hash goes the way of the first
      ...this.#dht.slice(0, 1).map((search) => search.standing()),
      ...this.#local.slice(0, 1).map((search) => search.standing()),
    ]
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#onStop()
    this.#leaveOpenNetworks()
    const limit = new AbortController()
    const cancel = this.#options.clock.after(FAREWELL_MS, () => limit.abort(new Error('the node stops')))
    await this.#trackers.stop(limit.signal)
    cancel()
  }

  /** Begins what is allowed, and ends what is not. */
  #allow(): void {
    const { hashes } = this.#torrent
    const { dht, local } = this.#options
    const info = this.#torrent.info()
    if (!mayUse('dht', info) || !mayUse('lsd', info)) {
      this.#leaveOpenNetworks()
      return
    }
    if (this.#dht.length === 0 && dht !== undefined)
      this.#dht = wireHashes(hashes).map((hash) =>
        dht.seek(hash, {
          wantsPeers: () => this.#torrent.wantsPeers(),
          found: (peers) => this.#found(peers, 'dht'),
        }),
      )
    if (this.#local.length === 0 && local !== undefined)
      this.#local = wireHashes(hashes).map((hash) => local.seek(hash, (peers) => this.#found(peers, 'lsd')))
  }

  #leaveOpenNetworks(): void {
    for (const search of [...this.#dht, ...this.#local]) search.stop()
    this.#dht = []
    this.#local = []
  }

  #found(peers: readonly Endpoint[], source: SourceStanding['kind']): void {
    if (this.#stopped === undefined && mayUse(source, this.#torrent.info()))
      this.#torrent.found(peers, source)
  }
}
