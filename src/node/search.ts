/**
 * Looks for peers that have one root, for as long as somebody wants them: peers named by the user, everyone
 * connected, and whoever announces it. Rounds come quickly at first, for swarms form quickly, then rarely.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { printable } from '../core/cid.ts'
import { type PeerKey, peerKey } from '../core/types.ts'
import type { Routing } from '../routing/routing.ts'
import type { BitswapWire } from './bitswap-wire.ts'
import type { HttpWire } from './http-wire.ts'
import type { Neighbours } from './neighbours.ts'
import { isGateway } from './peer-kind.ts'
import { peerOf } from './reach.ts'
import { searchInfo } from './search-steps.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import type { SearchInfo } from './types.ts'

/** Pause before the next round of provider look-ups; the last one repeats. */
const ROUND_PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000]

/** A peer that does not answer a dial within this is not waited for. */
const DIAL_TIMEOUT_MS = 10_000

/** Whoever is said to have it and was not there is left alone this long: strangers must not make us call their victims on and on. */
const STRANGER_REST_MS = 60_000

/** Named peers that are gone are dialled again this often. */
const REDIAL_MS = 5_000

export interface SearchContext {
  readonly libp2p: Libp2p
  readonly routing: Routing
  readonly neighbours: Neighbours
  readonly driver: SwarmDriver
  readonly bitswap: BitswapWire
  readonly http: HttpWire
}

export class Search {
  readonly #context: SearchContext
  readonly #root: CID
  readonly #named: readonly Multiaddr[]
  readonly #gateways: readonly string[]
  readonly #asked = new Set<PeerKey>()
  readonly #found = new Set<PeerKey>()
  /** Announced to have it, or named by the user; and those that were connected when somebody looked. */
  readonly #said = new Set<PeerKey>()
  readonly #reached = new Set<PeerKey>()
  /** Those of them that were not there, with when they may be dialled again. */
  readonly #resting = new Map<PeerKey, number>()
  /** Why the last dial failed. */
  #problem: string | undefined
  readonly #stopping = new AbortController()
  readonly #endings: (() => void)[] = []
  readonly #onPeer: (peer: PeerKey) => void
  #round = 0
  #wake = (): void => {}
  /** One that has it is dialled again where it was, and looked for where it may be by now. */
  readonly #onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    if (!this.#found.has(peerKey(detail.toString()))) return
    void this.#meet(detail, [])
    this.#round = 0
    this.#wake()
  }

  /** Calls back once for each peer that has the root. */
  constructor(context: SearchContext, root: CID, named: readonly string[], onPeer: (peer: PeerKey) => void) {
    this.#context = context
    this.#root = root
    this.#gateways = named.filter((address) => isGateway(peerKey(address)))
    this.#named = named
      .filter((address) => !this.#gateways.includes(address))
      .map((address) => multiaddr(address))
    this.#onPeer = onPeer
  }

  /** How many peers were found to have it. */
  get found(): number {
    return this.#found.size
  }

  get info(): SearchInfo {
    for (const peer of this.#said)
      if (this.#context.libp2p.getConnections(peerIdFromString(peer)).length > 0) this.#reached.add(peer)
    return searchInfo({
      said: this.#said.size,
      reached: this.#reached.size,
      found: this.found,
      problem: this.#problem,
    })
  }

  start(): this {
    const { bitswap, http, neighbours, libp2p } = this.#context
    this.#endings.push(bitswap.search(this.#root, (peer) => this.#has(peer)))
    this.#endings.push(http.search(this.#root, this.#gateways, (peer) => this.#has(peer)))
    this.#endings.push(neighbours.watch((peer) => this.#ask(peer)))
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    this.#endings.push(() => libp2p.removeEventListener('peer:disconnect', this.#onDisconnect))
    for (const address of this.#named) {
      const id = peerOf(address)
      if (id !== undefined) this.#said.add(peerKey(id))
      void this.#dialNamed(address)
    }
    void this.#lookUp()
    return this
  }

  stop(): void {
    this.#stopping.abort()
    for (const end of this.#endings.splice(0)) end()
    for (const peer of this.#asked) this.#context.bitswap.forgetRoot(peer, this.#root)
  }

  #has(peer: PeerKey): void {
    this.#found.add(peer)
    this.#onPeer(peer)
  }

  #ask(peer: PeerKey): void {
    this.#asked.add(peer)
    this.#context.bitswap.askRoot(peer, this.#root)
  }

  async #dialNamed(address: Multiaddr): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (!this.#isConnected(address)) await this.#dial(address)
      await this.#sleep(REDIAL_MS)
    }
  }

  async #lookUp(): Promise<void> {
    const { routing, libp2p } = this.#context
    const { signal } = this.#stopping
    for (this.#round = 0; !signal.aborted; this.#round++) {
      for await (const { id, multiaddrs } of routing.findProviders(this.#root, { signal })) {
        this.#said.add(peerKey(id.toString()))
        void this.#meet(id, multiaddrs)
      }
      const pause = ROUND_PAUSES_MS[Math.min(this.#round, ROUND_PAUSES_MS.length - 1)] ?? 0
      await this.#sleep(pause, (wake) => {
        this.#wake = wake
      })
      if (libp2p.status !== 'started') return
    }
  }

  /**
   * Asks it, and dials it first unless it is connected. It is asked in each round: its answer may have gone out on a
   * connection of earlier that nobody has closed yet.
   */
  async #meet(id: PeerId, addresses: readonly Multiaddr[]): Promise<void> {
    const { libp2p, driver } = this.#context
    const peer = peerKey(id.toString())
    if (driver.isBanned(peer)) return
    if (libp2p.getConnections(id).length > 0) {
      if (!this.#found.has(peer)) this.#ask(peer)
      return
    }
    if (this.#rests(peer)) return
    if (addresses.length > 0)
      await libp2p.peerStore.merge(id, { multiaddrs: [...addresses] }).catch(() => undefined)
    if (!(await this.#dial(id))) this.#resting.set(peer, performance.now() + STRANGER_REST_MS)
  }

  /** One that had it is worth every try. */
  #rests(peer: PeerKey): boolean {
    return !this.#found.has(peer) && performance.now() < (this.#resting.get(peer) ?? 0)
  }

  /** Also through a relay, where libp2p would dial again. */
  #isConnected(address: Multiaddr): boolean {
    const id = peerOf(address)
    return id !== undefined && this.#context.libp2p.getConnections(peerIdFromString(id)).length > 0
  }

  /** Whether it was reached. */
  async #dial(peer: PeerId | Multiaddr): Promise<boolean> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)])
    try {
      await this.#context.libp2p.dial(peer, { signal })
      this.#problem = undefined
      return true
    } catch (thrown) {
      // a peer that cannot be dialled is not there; the next round may name it with other addresses
      if (!this.#stopping.signal.aborted) this.#problem = dialProblem(thrown)
      return false
    }
  }

  #sleep(ms: number, onTimer: (wake: () => void) => void = () => {}): Promise<void> {
    const { signal } = this.#stopping
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms)
      onTimer(done)
      function done(): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
    })
  }
}

/** One line, of the first of several addresses. */
function dialProblem(thrown: unknown): string {
  const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown
  if (!(first instanceof Error)) return printable(String(first))
  return first.name === 'TimeoutError' || first.name === 'AbortError'
    ? 'no answer in time'
    : printable(first.message)
}
