/** One round of asking who has something: every DHT and every delegated router at once, answers merged as they come. */
import type { PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import type { DelegatedRouting } from './delegated.ts'
import { type Dht, hasPeers, whenPeers } from './dht.ts'

export interface Provider {
  readonly id: PeerId
  /** May be empty: then only libp2p's peer store or a lookup by id knows where it is. */
  readonly multiaddrs: Multiaddr[]
}

/** How long a node without any DHT peers waits for the first, in ms: one that just started has some within seconds. */
const PEERS_LIMIT = 10_000

/** One DHT's answers, in ms. */
const ROUND_LIMIT = 60_000

/** Answers are strangers' claims: more than this in a round only costs dials. */
const MAX_PROVIDERS = 100

/** libp2p dials 25 addresses of a peer at most; twice that leaves room for repeats. */
const MAX_ADDRESSES = 50

/** Whom to ask. */
export interface Askable {
  readonly dhts: readonly Dht[]
  readonly delegated: DelegatedRouting
}

/** Ends when all have answered, or quietly when the signal fires. Nobody twice, and never ourselves. */
export async function* findProviders(
  { dhts, delegated }: Askable,
  cid: CID,
  self: PeerId,
  signal: AbortSignal,
): AsyncGenerator<Provider, void, undefined> {
  const left = new AbortController()
  const over = AbortSignal.any([signal, left.signal, AbortSignal.timeout(PEERS_LIMIT + ROUND_LIMIT)])
  const inbox = new Inbox()
  const asking = Promise.all([
    askAll(dhts, cid, over, inbox),
    delegated.findProviders(cid, over, (provider) => inbox.put([provider])),
  ]).then(() => inbox.close())
  const seen = new Set([self.toString()])
  try {
    for (let batch = await inbox.next(); batch !== undefined; batch = await inbox.next()) {
      for (const provider of batch) {
        if (signal.aborted || seen.size > MAX_PROVIDERS) return
        const key = provider.id.toString()
        if (seen.has(key)) continue
        seen.add(key)
        yield { id: provider.id, multiaddrs: distinct(provider.multiaddrs) }
      }
    }
  } finally {
    left.abort()
    await asking
  }
}

/** Peers store an address twice when they have it signed and unsigned. */
function distinct(multiaddrs: readonly Multiaddr[]): Multiaddr[] {
  const byText = new Map(multiaddrs.slice(0, MAX_ADDRESSES).map((each) => [each.toString(), each]))
  return [...byText.values()]
}

/** Asks the DHTs that have peers; one that has none yet is left to the next round, unless that holds for all. */
async function askAll(dhts: readonly Dht[], cid: CID, signal: AbortSignal, inbox: Inbox): Promise<void> {
  const lonely = !dhts.some(hasPeers)
  // with nobody to ask, what others told this node earlier is still worth a look
  await Promise.all(dhts.map((dht) => lookUp(dht, cid, signal, inbox)))
  if (!lonely) return
  await whenPeers(dhts, PEERS_LIMIT, signal)
  await Promise.all(dhts.filter(hasPeers).map((dht) => lookUp(dht, cid, signal, inbox)))
}

async function lookUp(dht: Dht, cid: CID, signal: AbortSignal, inbox: Inbox): Promise<void> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(ROUND_LIMIT)])
  try {
    for await (const event of dht.kad.findProviders(cid, { signal: limited })) {
      if (event.name === 'PROVIDER') inbox.put(event.providers)
    }
  } catch {
    // out of time, or one DHT failed: what the others say still counts
  }
}

/** Hands batches from several writers to one reader. */
class Inbox {
  #batches: (readonly Provider[])[] = []
  #closed = false
  #wake: (() => void) | undefined

  put(batch: readonly Provider[]): void {
    this.#batches.push(batch)
    this.#wake?.()
  }

  close(): void {
    this.#closed = true
    this.#wake?.()
  }

  /** The next batch; undefined when it is closed and empty. */
  async next(): Promise<readonly Provider[] | undefined> {
    while (this.#batches.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#batches.shift()
  }
}
