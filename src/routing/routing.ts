/** Who has it: announcing what this node serves over both DHTs, and finding who serves what it wants, by delegated routers too. */
import type { Libp2p } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { Announcer } from './announcer.ts'
import type { DelegatedRouting } from './delegated.ts'
import { type DhtServices, dhtsOf, meetNeighbours } from './dht.ts'
import { keepJoined } from './join.ts'
import { findProviders, type Provider } from './providers.ts'

export interface Routing {
  /**
   * Announces now on every DHT, and keeps the record announced until it is withdrawn. Resolves once a lookup on
   * one of them shows it, or, unconfirmed, when all have tried; attempts then go on in the background. The signal
   * ends only the waiting, by a rejection with its reason.
   */
  announce(cid: CID, options?: { signal?: AbortSignal }): Promise<{ confirmed: boolean }>
  /** The same for many that matter less: no lookup has to show them. As many at once as there are slots for; resolves when all have been sent once. */
  announceMany(cids: Iterable<CID>, isWanted: () => boolean): Promise<void>
  /** Stops renewing. What others hold expires by itself within two days. */
  withdraw(cid: CID): Promise<void>
  /** Whether a lookup on some DHT has shown the record. */
  announced(cid: CID): boolean
  /**
   * Peers that say they have it, as they are found, without ourselves and without repeats. Ends when the round is
   * over, or when the signal fires; throws nothing. With no DHT peers at all a round waits ten seconds for some.
   * With peers it may be over within milliseconds: pause before the next one.
   */
  findProviders(cid: CID, options: { signal: AbortSignal }): AsyncIterable<Provider>
  /** The network changed: joins it again, at once. */
  rejoin(): void
  /** Before `libp2p.stop()`. */
  stop(): Promise<void>
}

export interface RoutingOptions {
  readonly libp2p: Libp2p & { readonly services: DhtServices }
  /** Peers to join the network by; unused when the node takes no part in a DHT. */
  readonly bootstrap: readonly string[]
  readonly delegated: DelegatedRouting
}

export function createRouting({ libp2p, bootstrap, delegated }: RoutingOptions): Routing {
  const self = libp2p.peerId
  const dhts = dhtsOf(libp2p.services)
  const stopped = new AbortController()
  const announcers = dhts.map((dht) => new Announcer(dht, self))
  const leave = dhts.map((dht) => meetNeighbours(dht, self, stopped.signal))
  const joined = keepJoined(libp2p, dhts.length > 0 ? bootstrap : [])

  return {
    async announce(cid, { signal } = {}) {
      signal?.throwIfAborted()
      const attempts = announcers.map((announcer) => announcer.announce(cid))
      return { confirmed: await raceSignal(anyTrue(attempts), signal) }
    },
    async announceMany(cids, isWanted) {
      await Promise.all(announcers.map((announcer) => announcer.announceMany(cids, isWanted)))
    },
    async withdraw(cid) {
      await Promise.all(announcers.map((announcer) => announcer.withdraw(cid)))
    },
    announced: (cid) => announcers.some((announcer) => announcer.announced(cid)),
    findProviders: (cid, { signal }) =>
      findProviders({ dhts, delegated }, cid, self, AbortSignal.any([signal, stopped.signal])),
    rejoin: () => joined.again(),
    async stop() {
      stopped.abort()
      joined.stop()
      for (const end of leave) end()
      await Promise.all(announcers.map((announcer) => announcer.stop()))
    },
  }
}

/** True with the first that is true, false when none is. */
async function anyTrue(attempts: readonly Promise<boolean>[]): Promise<boolean> {
  const first = Promise.any(
    attempts.map(async (attempt) => (await attempt) || Promise.reject(new Error('no'))),
  )
  return await first.catch(() => false)
}

function raceSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
