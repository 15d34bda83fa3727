/**
 * Fetches DAG nodes, which are few and small and stand in the way of everything else: each is asked of one
 * peer of its session, of a further one when that one lacks it or is slow, and of everyone that joins later.
 * A want stays with the peers that lacked the node, so one that gets it later sends it.
 */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../core/cid.ts'
import type { BlockKey, PeerKey } from '../../core/types.ts'

/** A peer that has not sent a node for so long is no longer waited for alone. */
const PATIENCE_MS = 2_000

/** When nobody is left to ask, those that were asked are reminded this often: an answer may be lost with a connection. */
const REMIND_MS = 10_000

/** What the fetcher needs of the exchange. */
export interface NodeWire {
  want(peer: PeerKey, cids: Iterable<CID>, kind: 'block'): void
  remind(peer: PeerKey, cids: Iterable<CID>): void
  cancel(peer: PeerKey, cid: CID): void
}

/** The peers that may have the nodes of one root. */
export class FetchSession {
  readonly peers = new Set<PeerKey>()
}

interface Fetch {
  readonly cid: CID
  readonly sessions: Set<FetchSession>
  readonly asked: Set<PeerKey>
  readonly resolve: (block: Uint8Array) => void
  readonly promise: Promise<Uint8Array>
  users: number
  timer: NodeJS.Timeout | undefined
}

export class NodeFetcher {
  readonly #wire: NodeWire
  readonly #fetches = new Map<BlockKey, Fetch>()
  /** Nodes in flight per peer: the least busy is asked first. */
  readonly #busy = new Map<PeerKey, number>()

  constructor(wire: NodeWire) {
    this.#wire = wire
  }

  /** The block, its hash checked by the exchange. Waits for as long as the signal lets it. */
  async fetch(cid: CID, session: FetchSession, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted()
    const fetch = this.#fetches.get(blockKey(cid)) ?? this.#begin(cid)
    fetch.users++
    if (!fetch.sessions.has(session)) {
      fetch.sessions.add(session)
      this.#askNext(fetch)
    }
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => aborted.reject(signal.reason)
    signal.addEventListener('abort', onAbort)
    try {
      return await Promise.race([fetch.promise, aborted.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
      fetch.users--
      if (fetch.users === 0) this.#end(fetch)
    }
  }

  /** A block arrived. True when it is one that was waited for. */
  offer(cid: CID, block: Uint8Array): boolean {
    const fetch = this.#fetches.get(blockKey(cid))
    if (fetch === undefined) return false
    this.#end(fetch)
    fetch.resolve(block)
    return true
  }

  /** The peer has no such block; another one is asked at once. */
  lacks(peer: PeerKey, cid: CID): void {
    const fetch = this.#fetches.get(blockKey(cid))
    if (fetch?.asked.has(peer) === true) this.#askNext(fetch)
  }

  joined(session: FetchSession, peer: PeerKey): void {
    if (session.peers.has(peer)) return
    session.peers.add(peer)
    for (const fetch of this.#fetches.values())
      if (fetch.sessions.has(session) && !fetch.asked.has(peer)) this.#ask(fetch, peer)
  }

  left(session: FetchSession, peer: PeerKey): void {
    if (!session.peers.delete(peer)) return
    this.#busy.delete(peer)
    for (const fetch of this.#fetches.values()) {
      if (fetch.sessions.has(session) && fetch.asked.delete(peer)) this.#askNext(fetch)
    }
  }

  #begin(cid: CID): Fetch {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>()
    const fetch: Fetch = {
      cid,
      sessions: new Set(),
      asked: new Set(),
      resolve,
      promise,
      users: 0,
      timer: undefined,
    }
    this.#fetches.set(blockKey(cid), fetch)
    return fetch
  }

  #askNext(fetch: Fetch): void {
    clearTimeout(fetch.timer)
    let idlest: PeerKey | undefined
    const peers = new Set([...fetch.sessions].flatMap((session) => [...session.peers]))
    for (const peer of peers) {
      if (fetch.asked.has(peer)) continue
      if (idlest === undefined || this.#load(peer) < this.#load(idlest)) idlest = peer
    }
    if (idlest === undefined) {
      fetch.timer = setTimeout(() => this.#remind(fetch), REMIND_MS)
      return
    }
    this.#ask(fetch, idlest)
    fetch.timer = setTimeout(() => this.#askNext(fetch), PATIENCE_MS)
  }

  #remind(fetch: Fetch): void {
    for (const peer of fetch.asked) this.#wire.remind(peer, [fetch.cid])
    this.#askNext(fetch)
  }

  #ask(fetch: Fetch, peer: PeerKey): void {
    fetch.asked.add(peer)
    this.#busy.set(peer, this.#load(peer) + 1)
    this.#wire.want(peer, [fetch.cid], 'block')
  }

  #end(fetch: Fetch): void {
    const key = blockKey(fetch.cid)
    // the same block may be fetched anew by now
    if (this.#fetches.get(key) !== fetch) return
    this.#fetches.delete(key)
    clearTimeout(fetch.timer)
    for (const peer of fetch.asked) {
      this.#busy.set(peer, Math.max(0, this.#load(peer) - 1))
      this.#wire.cancel(peer, fetch.cid)
    }
  }

  #load(peer: PeerKey): number {
    return this.#busy.get(peer) ?? 0
  }
}
