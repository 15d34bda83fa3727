/**
 * Routing by others: HTTP endpoints that the user names are asked, all at once, who has something and where a peer is.
 * Their answers are claims like those of a DHT: peers are dialled by their ids, blocks checked by their hashes.
 */
import { type PeerId, type PeerInfo, type PeerRouting, peerRoutingSymbol } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { CID } from 'multiformats/cid'
import { reachOfIp } from '../core/ip-reach.ts'
import { type FoundPeer, readAnswer } from './routing-answer.ts'

/** One answer, in ms, however it trickles. */
const ANSWER_LIMIT = 30_000

/** An endpoint that failed is left alone for so long, in ms. */
const REST = 30_000

/** The same question is not put to an endpoint again before, in ms: searches go in rounds that begin much closer. */
const AGAIN_AFTER = 10_000

/** Questions whose times are remembered. */
const MOST_REMEMBERED = 1_000

/** Names neither HTTP gateways nor what else is no peer to exchange blocks with. */
const ONLY = '?filter-protocols=unknown,transport-bitswap'

interface Endpoint {
  readonly url: string
  restsUntil: number
  /** What it did wrong the last time. */
  fault: string | undefined
  readonly askedAt: Map<string, number>
}

export class DelegatedRouting {
  /** Told of the addresses that a router named which is itself on this machine or in a network around it. */
  onNeighbours: (addresses: readonly Multiaddr[]) => void = () => {}
  readonly #endpoints: readonly Endpoint[]
  readonly #log: (line: string) => void

  /** `urls` such as https://delegated-ipfs.dev, without the path of the protocol. */
  constructor(urls: readonly string[], log: (line: string) => void) {
    const distinct = new Set(urls.map((url) => url.replace(/\/+$/, '').replace(/\/routing\/v1$/, '')))
    this.#endpoints = [...distinct].map((url) => ({
      url,
      restsUntil: 0,
      fault: undefined,
      askedAt: new Map(),
    }))
    this.#log = log
  }

  /** Hands on who says to have it, as each endpoint answers; resolves when all have. Never rejects. */
  async findProviders(cid: CID, signal: AbortSignal, found: (peer: FoundPeer) => void): Promise<void> {
    await Promise.all(
      this.#endpoints.map((endpoint) => this.#ask(endpoint, `providers/${cid}`, signal, found)),
    )
  }

  /** For libp2p's `services`: where a peer is whose addresses nobody told, by the first endpoint that knows. */
  service(): { readonly [peerRoutingSymbol]: PeerRouting } {
    return {
      [peerRoutingSymbol]: {
        findPeer: (id, options) => this.#findPeer(id, options?.signal),
        getClosestPeers: async function* () {},
      },
    }
  }

  async #findPeer(id: PeerId, signal: AbortSignal | undefined): Promise<PeerInfo> {
    const answered = new AbortController()
    const either = signal === undefined ? answered.signal : AbortSignal.any([signal, answered.signal])
    const path = `peers/${id.toCID()}`
    const { promise, resolve, reject } = Promise.withResolvers<PeerInfo>()
    const asking = this.#endpoints.map((endpoint) =>
      this.#ask(endpoint, path, either, (peer) => {
        if (peer.id.equals(id) && peer.multiaddrs.length > 0) resolve(peer)
      }),
    )
    void Promise.all(asking).then(() => reject(new Error(`no delegated router knows where ${id} is`)))
    try {
      return await promise
    } finally {
      answered.abort()
    }
  }

  async #ask(
    endpoint: Endpoint,
    path: string,
    signal: AbortSignal,
    found: (peer: FoundPeer) => void,
  ): Promise<void> {
    if (signal.aborted || !mayAsk(endpoint, path)) return
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT)])
    try {
      for await (const peer of answer(`${endpoint.url}/routing/v1/${path}${ONLY}`, limited)) {
        if (signal.aborted) return
        if (isNear(endpoint.url)) this.onNeighbours(peer.multiaddrs)
        found(peer)
      }
      this.#worked(endpoint)
    } catch (thrown) {
      if (!signal.aborted) this.#failed(endpoint, limited.aborted ? 'was too slow' : reasonOf(thrown))
    }
  }

  #worked(endpoint: Endpoint): void {
    if (endpoint.fault !== undefined) this.#log(`the delegated router ${endpoint.url} answers again`)
    endpoint.fault = undefined
  }

  /** Said once, not in each round. */
  #failed(endpoint: Endpoint, fault: string): void {
    endpoint.restsUntil = performance.now() + REST
    if (endpoint.fault === fault) return
    endpoint.fault = fault
    this.#log(`the delegated router ${endpoint.url} is of no use for now: it ${fault}`)
  }
}

function isNear(url: string): boolean {
  const host = URL.parse(url)?.hostname.replace(/^\[|\]$/g, '') ?? ''
  return host === 'localhost' || (reachOfIp(host) ?? 'world') !== 'world'
}

/** Whether it is time for this question; if so it counts as put. */
function mayAsk({ askedAt, restsUntil }: Endpoint, path: string): boolean {
  const now = performance.now()
  if (now < restsUntil || now < (askedAt.get(path) ?? Number.NEGATIVE_INFINITY) + AGAIN_AFTER) return false
  askedAt.delete(path)
  askedAt.set(path, now)
  const [oldest = path] = askedAt.keys()
  if (askedAt.size > MOST_REMEMBERED) askedAt.delete(oldest)
  return true
}

async function* answer(url: string, signal: AbortSignal): AsyncGenerator<FoundPeer, void, undefined> {
  const { status, body, headers } = await fetch(url, {
    headers: { accept: 'application/x-ndjson, application/json;q=0.5' },
    // where it leads to was chosen by nobody here
    redirect: 'manual',
    signal,
  })
  const [type] = (headers.get('content-type') ?? '').split(';')
  try {
    // that nobody is known is an answer
    if (status === 404) return
    if (status !== 200 || body === null) throw new Error(`answered with status ${status}`)
    if (type !== 'application/x-ndjson' && type !== 'application/json')
      throw new Error('answered in a form that no delegated router has')
    yield* readAnswer(body, type === 'application/json' ? 'object' : 'lines')
  } finally {
    await body?.cancel().catch(() => undefined)
  }
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  return thrown.cause instanceof Error ? `cannot be reached: ${thrown.cause.message}` : thrown.message
}
