/** Who has it: announcing what this node serves and finding who serves what it wants, over both DHTs. */
import type { Libp2p } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { Announcer } from './announcer.ts'
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
  /** Before `libp2p.stop()`. */
  stop(): Promise<void>
}

export interface RoutingOptions {
  readonly libp2p: Libp2p & { readonly services: DhtServices }
  /** Peers to join the network by; unused when the node takes no part in a DHT. */
  readonly bootstrap: readonly string[]
}

export function createRouting({ libp2p, bootstrap }: RoutingOptions): Routing {
  const self = libp2p.peerId
  const dhts = dhtsOf(libp2p.services)
  const stopped = new AbortController()
  const announcers = dhts.map((dht) => new Announcer(dht, self))
  const leave = dhts.map((dht) => meetNeighbours(dht, self, stopped.signal))
  if (dhts.length > 0) leave.push(keepJoined(libp2p, bootstrap))

  return {
    async announce(cid, { signal } = {}) {
      signal?.throwIfAborted()
      const attempts = announcers.map((announcer) => announcer.announce(cid))
      return { confirmed: await raceSignal(anyTrue(attempts), signal) }
    },
    async withdraw(cid) {
      await Promise.all(announcers.map((announcer) => announcer.withdraw(cid)))
    },
    announced: (cid) => announcers.some((announcer) => announcer.announced(cid)),
    findProviders: (cid, { signal }) =>
      findProviders(dhts, cid, self, AbortSignal.any([signal, stopped.signal])),
    async stop() {
      stopped.abort()
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
