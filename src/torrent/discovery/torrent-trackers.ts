/**
 * The trackers of one torrent at work. Those that the torrent names are one list, of which one is told (BEP 12); those that
 * a person named are told all of them, and may be anywhere. A hybrid is told under both of its info hashes.
 */
import { type Endpoint, endpointText } from '../../core/endpoint.ts'
import { type Reach, reaches, reachOfIp } from '../../core/ip-reach.ts'
import type { Prng } from '../../core/prng.ts'
import type { AnnounceAnswer, AnnounceRequest } from '../announce.ts'
import { checkedTiers, type Tiers } from '../announce-list.ts'
import { Announcing, type Telling } from './announcing.ts'
import type { Clock } from './clock.ts'
import type { Identity, Progress, SourceStanding } from './sought.ts'
import type { TrackerClient } from './tracker-client.ts'

/** Peers asked for at once: what trackers give unasked. */
const WANTED = 50

export interface TorrentTrackersOptions {
  readonly client: Pick<TrackerClient, 'announce'>
  readonly clock: Clock
  readonly prng: Prng
  readonly identity: Identity
  /** How near the trackers may be that strangers name. */
  readonly nearest: Reach
  /** Under which it is announced: 20 bytes each. */
  readonly hashes: readonly Uint8Array[]
  readonly trackers: Tiers
  readonly named: readonly string[]
  progress(): Progress
  wantsPeers(): boolean
  found(endpoints: readonly Endpoint[]): void
}

interface List {
  readonly hash: Uint8Array
  readonly announcing: Announcing
  readonly nearest: Reach
  cancel: () => void
}

export class TorrentTrackers {
  readonly #options: TorrentTrackersOptions
  readonly #lists: readonly List[]
  readonly #stopping = new AbortController()

  constructor(options: TorrentTrackersOptions) {
    this.#options = options
    const { hashes, trackers, named, nearest, prng, clock } = options
    const byPerson = checkedTiers([named]).flat()
    const byTorrent = checkedTiers(trackers.map((tier) => tier.filter((url) => !byPerson.includes(url))))
    const lists = [
      ...byPerson.map((url) => ({ tiers: [[url]], nearest: 'machine' as const })),
      ...(byTorrent.length === 0 ? [] : [{ tiers: byTorrent, nearest }]),
    ]
    this.#lists = hashes.flatMap((hash) =>
      lists.map(({ tiers, nearest }) => ({
        hash,
        nearest,
        announcing: new Announcing(tiers, prng, clock.now()),
        cancel: () => {},
      })),
    )
  }

  start(): this {
    for (const list of this.#lists) this.#plan(list)
    return this
  }

  completed(): void {
    for (const { announcing } of this.#lists) announcing.completed(this.#options.clock.now())
    this.start()
  }

  /** Peers are wanted now, or the info has become known: whoever may be asked is. */
  changed(): void {
    if (!this.#options.wantsPeers()) return
    for (const { announcing } of this.#lists) announcing.wanting(this.#options.clock.now())
    this.start()
  }

  /** Of each tracker once: what it said of the hash that it was told of last. */
  standings(): SourceStanding[] {
    const latest = new Map<string, SourceStanding>()
    for (const { announcing } of this.#lists)
      for (const { url, answer, error, at, next } of announcing.standings()) {
        const known = latest.get(url)
        if (known !== undefined && (known.at ?? -1) >= (at ?? -1)) continue
        latest.set(url, {
          kind: 'tracker',
          url,
          peers: answer?.peers.length,
          seeders: answer?.seeders,
          leechers: answer?.leechers,
          error: error ?? answer?.warning,
          at,
          next,
        })
      }
    return [...latest.values()]
  }

  /** Tells the trackers that it is over, and waits for them no longer than the signal says. Never throws. */
  async stop(limit: AbortSignal): Promise<void> {
    this.#stopping.abort()
    for (const { cancel } of this.#lists) cancel()
    const farewells = this.#lists.flatMap((list) =>
      list.announcing.leaving().map((telling) => this.#tell(list, telling, limit)),
    )
    await Promise.allSettled(farewells)
  }

  #plan(list: List): void {
    list.cancel()
    const { due } = list.announcing
    if (due === undefined || this.#stopping.signal.aborted) return
    const { clock } = this.#options
    list.cancel = clock.after(Math.max(0, due - clock.now()), () => void this.#round(list))
  }

  async #round(list: List): Promise<void> {
    const { clock } = this.#options
    const { announcing } = list
    const telling = announcing.next(clock.now())
    if (telling === undefined) return this.#plan(list)
    const { signal } = this.#stopping
    try {
      const { answer, reach } = await this.#tell(list, telling, signal)
      announcing.answered(answer, clock.now())
      if (this.#lacks()) announcing.wanting(clock.now())
      // one that is told of an end has nothing to say to us
      if (!signal.aborted) this.#take(answer, reach)
    } catch (thrown) {
      announcing.failed(thrown instanceof Error ? thrown.message : String(thrown), clock.now())
    }
    this.#plan(list)
  }

  /** A download that could use more peers asks as often as it may. */
  #lacks(): boolean {
    const { progress, wantsPeers } = this.#options
    return progress().left > 0 && wantsPeers()
  }

  #tell({ hash, nearest }: List, telling: Telling, signal: AbortSignal) {
    const { client, identity, progress, wantsPeers } = this.#options
    const { url, event, trackerId } = telling
    const request: AnnounceRequest = {
      infoHash: hash,
      ...identity,
      ...progress(),
      event,
      trackerId,
      wanted: event === 'stopped' || !wantsPeers() ? 0 : WANTED,
    }
    return client.announce(url, request, { nearest, signal })
  }

  /** Once each, without addresses that mean something else here than where they were told. */
  #take({ peers }: AnnounceAnswer, teller: Reach | undefined): void {
    const unique = new Map(peers.map((peer) => [endpointText(peer), peer]))
    const usable = [...unique.values()].filter(({ host }) => reaches(reachOfIp(host), teller))
    if (usable.length > 0) this.#options.found(usable)
  }
}
