/**
 * Discovery for the torrents of this node: what the settings allow is opened on the port at which BitTorrent clients call,
 * and each torrent that the wire knows is looked for and announced. Without such a port there is nothing to announce.
 */
import { randomInt } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createPrng } from '../core/prng.ts'
import type { Millis, RootKey } from '../core/types.ts'
import { decodeDhtState, encodeDhtState } from '../torrent/discovery/dht-state.ts'
import { Discovery, type Seeking } from '../torrent/discovery/discovery.ts'
import { type LocalInterface, LocalPeers } from '../torrent/discovery/local-peers.ts'
import { MainlineDht } from '../torrent/discovery/mainline-dht.ts'
import type { SourceStanding } from '../torrent/discovery/sought.ts'
import { TrackerClient } from '../torrent/discovery/tracker-client.ts'
import { systemResolve } from '../torrent/discovery/tracker-hosts.ts'
import type { Config } from './config.ts'
import type { TorrentWire } from './torrent-wire.ts'
import type { DiscoveryInfo } from './types.ts'

/** In the home: nodes of the DHT, to join by after a restart. */
const STATE_FILE = 'torrent-dht'
/** What a crash loses. */
const SAVE_MS = 10 * 60_000

export interface TorrentDiscoveryOptions {
  readonly home: string
  readonly config: Config
  readonly wire: Pick<TorrentWire, 'identity' | 'watch' | 'useDht'>
  /** Name and version of this program. */
  readonly userAgent: string
  readonly now: () => Millis
  readonly log: (line: string) => void
}

interface Opened {
  readonly discovery: Discovery
  readonly dht: MainlineDht | undefined
}

export class TorrentDiscovery {
  readonly #options: TorrentDiscoveryOptions
  readonly #seekings = new Map<RootKey, Set<Seeking>>()
  #opened: Opened | undefined
  #saving: NodeJS.Timeout | undefined

  private constructor(options: TorrentDiscoveryOptions) {
    this.#options = options
  }

  /** What cannot be opened is left out, with a line in the log: peers are found by the others. */
  static async open(options: TorrentDiscoveryOptions): Promise<TorrentDiscovery> {
    const self = new TorrentDiscovery(options)
    await self.#open()
    return self
  }

  /** The node of the mainline DHT, where there is one. */
  get dht(): { readonly port: number; readonly nodes: number } | undefined {
    const dht = this.#opened?.dht
    return dht && { port: dht.port, nodes: dht.nodes }
  }

  /** How it stands with the ways in which a root's torrents are found; each tracker once. */
  of(root: RootKey): DiscoveryInfo[] {
    const latest = new Map<string, SourceStanding>()
    for (const seeking of this.#seekings.get(root) ?? [])
      for (const standing of seeking.standings()) {
        const key = `${standing.kind} ${standing.url}`
        const known = latest.get(key)
        if (known === undefined || (known.at ?? -1) < (standing.at ?? -1)) latest.set(key, standing)
      }
    return [...latest.values()].map(describe)
  }

  /** In a bounded time. */
  async stop(): Promise<void> {
    clearInterval(this.#saving)
    await this.#save()
    await this.#opened?.discovery.stop()
  }

  async #open(): Promise<void> {
    const { config, wire, userAgent, now } = this.#options
    const { identity } = wire
    if (identity === undefined) return
    const clock = { now, after: later }
    const dht = await this.#openDht(identity)
    const discovery = new Discovery({
      identity: { peerId: identity.peerId, port: identity.port, key: randomInt(2 ** 32) },
      client: new TrackerClient({ clock, resolve: systemResolve, userAgent }),
      nearest: config['torrent.trackers.local'] ? 'machine' : 'world',
      dht,
      local: config['torrent.lsd'] ? await this.#openLocal(identity) : undefined,
      clock,
      prng: createPrng(randomInt(2 ** 31)),
    })
    this.#opened = { discovery, dht }
    if (dht !== undefined) {
      wire.useDht(dht.port, (node) => discovery.meetDhtNode(node))
      this.#saving = setInterval(() => void this.#save(), SAVE_MS)
    }
    this.#watch(discovery)
  }

  #watch(discovery: Discovery): void {
    const { config, wire } = this.#options
    wire.watch((torrent, { trackers, named }) => {
      // nobody else is told of a private torrent, or of one that may be
      const own = torrent.info()?.isPrivate === false ? config['torrent.trackers'] : []
      const { root, hashes } = torrent
      const seeking = discovery.seek({
        hashes,
        trackers,
        named: [...named, ...own],
        info: () => torrent.info(),
        progress: () => torrent.progress(),
        wantsPeers: () => torrent.wantsPeers(),
        found: (peers, source) => torrent.found(peers, source),
      })
      this.#seekings.set(root, (this.#seekings.get(root) ?? new Set()).add(seeking))
      return {
        changed: () => seeking.changed(),
        completed: () => seeking.completed(),
        closed: () => {
          this.#seekings.get(root)?.delete(seeking)
          if (this.#seekings.get(root)?.size === 0) this.#seekings.delete(root)
          void seeking.stop()
        },
      }
    })
  }

  async #openDht({ host, port }: { host: string; port: number }): Promise<MainlineDht | undefined> {
    const { config, home, now, log } = this.#options
    const bootstrap = config['torrent.dht.bootstrap']
    if (config['torrent.dht'] === 'off' || bootstrap.length === 0) return undefined
    const host4 = host === '::' ? '0.0.0.0' : host
    if (host4.includes(':')) {
      log(`no mainline DHT: it is of IPv4, and BitTorrent listens on ${host} alone`)
      return undefined
    }
    const kept = await readFile(join(home, STATE_FILE)).catch(() => undefined)
    try {
      return await MainlineDht.open({
        host: host4,
        port,
        bootstrap,
        state: kept && decodeDhtState(kept),
        clock: { now, after: later },
        resolve: systemResolve,
        log,
      })
    } catch (thrown) {
      log(`no mainline DHT on UDP port ${port}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      return undefined
    }
  }

  #openLocal({ host, port }: { host: string; port: number }): Promise<LocalPeers> {
    const { now, log } = this.#options
    return LocalPeers.open({ interfaces: interfacesOf(host), port, clock: { now, after: later }, log })
  }

  async #save(): Promise<void> {
    const state = this.#opened?.dht?.state()
    // one that was alone knows less than what is there
    if (state === undefined || state.nodes.length === 0) return
    const path = join(this.#options.home, STATE_FILE)
    try {
      await writeFile(`${path}.tmp`, encodeDhtState(state), { mode: 0o600 })
      await rename(`${path}.tmp`, path)
    } catch (thrown) {
      this.#options.log(`the DHT's nodes are not kept: ${String(thrown)}`)
    }
  }
}

function later(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms)
  return () => clearTimeout(timer)
}

/** Those on which peers can call us at this address; for all addresses, every interface but loopback. */
function interfacesOf(host: string): LocalInterface[] {
  const all = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.map((each) => ({ ...each, name })),
  )
  if (host === '0.0.0.0') return all.filter(({ internal, family }) => !internal && family === 'IPv4')
  return host === '::'
    ? all.filter(({ internal }) => !internal)
    : all.filter(({ address }) => address === host)
}

function describe({ at, next, ...standing }: SourceStanding): DiscoveryInfo {
  return { ...standing, last: at && timeOf(at), next: next && timeOf(next) }
}

/** As a person's clock shows it. */
function timeOf(at: Millis): string {
  return new Date(performance.timeOrigin + at).toISOString()
}
