/** One info hash in the DHT: looked up often while peers are wanted and few come, else as often as it has to be announced. */
import { type Endpoint, endpointText } from '../../core/endpoint.ts'
import { type Millis, millis } from '../../core/types.ts'
import type { Clock } from './clock.ts'
import type { SourceStanding } from './sought.ts'

/** A node forgets an announced peer after half an hour or so. */
const ANNOUNCE_PAUSE_MS = 15 * 60_000

/** While peers are wanted: pauses that double. */
const FIRST_PAUSE_MS = 15_000

/** Nobody is there to be asked. */
const ALONE_PAUSE_MS = 1_000

/** Of one round: whoever wants to can tell of any number. */
const MOST_PEERS = 500

export interface DhtSearchOptions {
  readonly clock: Clock
  hasNodes(): boolean
  /** Resolves with the number of nodes that were asked. */
  lookUp(): Promise<number>
  announce(): Promise<number>
  wantsPeers(): boolean
  found(peers: readonly Endpoint[]): void
  onStop(): void
}

export class DhtSearch {
  readonly #options: DhtSearchOptions
  #cancel = (): void => {}
  #pause = FIRST_PAUSE_MS
  /** Peers of this round: each is told by many nodes. */
  readonly #heard = new Set<string>()
  #stopped = false
  #running = false
  #standing: Pick<SourceStanding, 'peers' | 'error' | 'at' | 'next'>

  constructor(options: DhtSearchOptions) {
    this.#options = options
    this.#standing = { peers: undefined, error: undefined, at: undefined, next: options.clock.now() }
  }

  start(): this {
    this.#plan(0)
    return this
  }

  /** Peers are wanted now. */
  changed(): void {
    if (!this.#options.wantsPeers()) return
    this.#pause = FIRST_PAUSE_MS
    const { next } = this.#standing
    const now = this.#options.clock.now()
    if (!this.#running && next !== undefined && next - now > FIRST_PAUSE_MS) this.#plan(0)
  }

  heard(peer: Endpoint): void {
    const text = endpointText(peer)
    if (this.#stopped || this.#heard.size === MOST_PEERS || this.#heard.has(text)) return
    this.#heard.add(text)
    this.#options.found([peer])
  }

  standing(): SourceStanding {
    return { kind: 'dht', url: undefined, seeders: undefined, leechers: undefined, ...this.#standing }
  }

  stop(): void {
    this.#stopped = true
    this.#cancel()
    this.#options.onStop()
  }

  #plan(ms: number): void {
    this.#cancel()
    const { clock } = this.#options
    this.#standing = { ...this.#standing, next: millis(clock.now() + ms) }
    this.#cancel = clock.after(ms, () => void this.#round())
  }

  async #round(): Promise<void> {
    const { clock, hasNodes, lookUp, announce, wantsPeers } = this.#options
    if (this.#stopped) return
    if (!hasNodes()) {
      this.#note('no DHT node is known', clock.now())
      return this.#plan(ALONE_PAUSE_MS)
    }
    this.#running = true
    this.#heard.clear()
    let error: string | undefined
    try {
      await lookUp()
      if (!this.#stopped) await announce()
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown)
    }
    this.#running = false
    if (this.#stopped) return
    this.#note(error, clock.now())
    const often = error !== undefined || wantsPeers()
    this.#plan(often ? this.#pause : ANNOUNCE_PAUSE_MS)
    this.#pause = Math.min(2 * this.#pause, ANNOUNCE_PAUSE_MS)
  }

  #note(error: string | undefined, at: Millis): void {
    this.#standing = { ...this.#standing, peers: this.#heard.size, error, at }
  }
}
