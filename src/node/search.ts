/**
 * Looks for peers that have one root, for as long as somebody wants them: peers named by the user, everyone
 * connected, and whoever announces it. Rounds come quickly at first, for swarms form quickly, then rarely.
 */
import type { Libp2p, PeerId } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { type PeerKey, peerKey } from '../core/types.ts'
import type { Routing } from '../routing/routing.ts'
import type { BitswapWire } from './bitswap-wire.ts'
import { type HttpWire, isGateway } from './http-wire.ts'
import type { Neighbours } from './neighbours.ts'
import type { SwarmDriver } from './swarm-driver.ts'

/** Pause before the next round of provider look-ups; the last one repeats. */
const ROUND_PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000]

/** A peer that does not answer a dial within this is not waited for. */
const DIAL_TIMEOUT_MS = 10_000

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
  readonly #stopping = new AbortController()
  readonly #endings: (() => void)[] = []
  readonly #onPeer: (peer: PeerKey) => void

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

  start(): this {
    const { bitswap, http, neighbours } = this.#context
    this.#endings.push(bitswap.search(this.#root, (peer) => this.#has(peer)))
    this.#endings.push(http.search(this.#root, this.#gateways, (peer) => this.#has(peer)))
    this.#endings.push(neighbours.watch((peer) => this.#ask(peer)))
    for (const address of this.#named) void this.#dialNamed(address)
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
      // a peer that is connected already is not dialled twice
      await this.#dial(address)
      await this.#sleep(REDIAL_MS)
    }
  }

  async #lookUp(): Promise<void> {
    const { routing, libp2p } = this.#context
    const { signal } = this.#stopping
    for (let round = 0; !signal.aborted; round++) {
      for await (const { id, multiaddrs } of routing.findProviders(this.#root, { signal })) {
        void this.#meet(id, multiaddrs)
      }
      await this.#sleep(ROUND_PAUSES_MS[Math.min(round, ROUND_PAUSES_MS.length - 1)] ?? 0)
      if (libp2p.status !== 'started') return
    }
  }

  /** Connected peers are asked when they are met as neighbours; the others have to be dialled first. */
  async #meet(id: PeerId, addresses: readonly Multiaddr[]): Promise<void> {
    const { libp2p, driver } = this.#context
    if (driver.isBanned(peerKey(id.toString())) || libp2p.getConnections(id).length > 0) return
    if (addresses.length > 0)
      await libp2p.peerStore.merge(id, { multiaddrs: [...addresses] }).catch(() => undefined)
    await this.#dial(id)
  }

  async #dial(peer: PeerId | Multiaddr): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)])
    try {
      await this.#context.libp2p.dial(peer, { signal })
    } catch {
      // a peer that cannot be dialled is not there; the next round may name it with other addresses
    }
  }

  #sleep(ms: number): Promise<void> {
    const { signal } = this.#stopping
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms)
      function done(): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
    })
  }
}
