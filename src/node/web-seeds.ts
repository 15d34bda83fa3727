/**
 * Web seeds under the scheduler: each is a peer of the torrent's swarm that has every piece, never chokes but while it
 * rests, and wants nothing. Its bytes are checked like anybody's; who sends wrong ones is banned.
 */
import { type PeerKey, peerKey, type RootKey } from '../core/types.ts'
import type { Store } from '../store/types.ts'
import type { SwarmAction } from '../swarm/events.ts'
import type { TorrentSpace } from '../torrent/torrent-space.ts'
import type { ArrivingPieces } from './arriving-pieces.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import type { Traffic } from './traffic.ts'
import { WebSeed } from './web-seed.ts'

/** Bytes that wait for the disk before nothing new is asked for. */
const MOST_HELD_BYTES = 64 << 20

/** Of one torrent; a stranger's may name more. */
const MOST_SEEDS = 16

export interface WebSeedsContext {
  readonly store: Store
  readonly driver: SwarmDriver
  readonly arriving: ArrivingPieces
  readonly traffic: Traffic
  readonly log: (line: string) => void
}

export class WebSeeds {
  readonly #context: WebSeedsContext
  readonly #roots = new Map<RootKey, Map<PeerKey, WebSeed>>()
  #heldBytes = 0

  constructor(context: WebSeedsContext) {
    this.#context = context
  }

  /** These take part in the torrent's swarm, which is open. */
  join(root: RootKey, space: TorrentSpace, urls: readonly string[]): void {
    const { driver } = this.#context
    const seeds = this.#roots.get(root) ?? new Map<PeerKey, WebSeed>()
    this.#roots.set(root, seeds)
    for (const url of urls) {
      const peer = peerKey(url)
      if (seeds.size === MOST_SEEDS || seeds.has(peer) || driver.isBanned(peer)) continue
      seeds.set(peer, this.#seed(root, peer, space))
      driver.dispatch({
        type: 'joined',
        root,
        peer,
        wire: 'bittorrent',
        has: [...Array(space.length).keys()],
      })
      driver.dispatch({ type: 'unchoked', root, peer })
    }
  }

  isSeed(root: RootKey, peer: PeerKey): boolean {
    return this.#roots.get(root)?.has(peer) === true
  }

  /** Why it is not asked now, or not for everything. */
  problem(root: RootKey, peer: PeerKey): string | undefined {
    return this.#roots.get(root)?.get(peer)?.problem
  }

  /** The torrent is complete, or stopped. */
  close(root: RootKey): void {
    for (const peer of [...(this.#roots.get(root)?.keys() ?? [])]) this.#leave(root, peer)
    this.#roots.delete(root)
  }

  /** Banned. */
  drop(peer: PeerKey): void {
    for (const root of this.#roots.keys()) this.#leave(root, peer)
  }

  stop(): void {
    for (const root of [...this.#roots.keys()]) this.close(root)
  }

  act(action: SwarmAction & { readonly peer: PeerKey }): void {
    if (action.type !== 'request' && action.type !== 'cancel') return
    const seed = this.#roots.get(action.root)?.get(action.peer)
    if (action.type === 'request') seed?.request(action.piece, action.begin, action.length)
    else seed?.cancel(action.piece, action.begin)
  }

  hold(bytes: number): void {
    this.#holdBytes(this.#heldBytes + bytes)
  }

  release(bytes: number): void {
    this.#holdBytes(this.#heldBytes - bytes)
  }

  #holdBytes(bytes: number): void {
    const [was, is] = [this.#heldBytes > MOST_HELD_BYTES, bytes > MOST_HELD_BYTES]
    this.#heldBytes = bytes
    if (was === is) return
    for (const seeds of this.#roots.values()) for (const seed of seeds.values()) seed.hold(is)
  }

  #leave(root: RootKey, peer: PeerKey): void {
    const seed = this.#roots.get(root)?.get(peer)
    if (seed === undefined) return
    this.#roots.get(root)?.delete(peer)
    seed.end()
    this.#context.driver.dispatch({ type: 'left', root, peer })
  }

  #seed(root: RootKey, peer: PeerKey, space: TorrentSpace): WebSeed {
    const { arriving, driver, log, store, traffic } = this.#context
    return new WebSeed(peer, space, {
      onData: (piece, begin, data) => {
        const swarm = driver.swarms.get(root)
        if (swarm?.download === undefined) return
        traffic.downloaded(root, peer, data.length)
        store.count(root, { downloaded: data.length })
        arriving.keep(swarm, peer, piece, begin, data)
        driver.dispatch({ type: 'arrived', root, peer, piece, begin, length: data.length })
      },
      onRejected: (piece, begin, length) =>
        driver.dispatch({ type: 'rejected', root, peer, piece, begin, length }),
      onLacks: (pieces) => driver.dispatch({ type: 'lacks', root, peer, pieces }),
      onRest: (rests) => driver.dispatch({ type: rests ? 'choked' : 'unchoked', root, peer }),
      log,
    })
  }
}
