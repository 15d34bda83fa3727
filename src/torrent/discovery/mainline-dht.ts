/**
 * The mainline DHT (BEP 5, IPv4) through `bittorrent-dht`, on the port that peers are called at. It joins by the nodes that
 * it is told of and by those of its last run, looks for peers of each torrent now and then, and announces it where a
 * torrent may be announced. A node that is alone goes on trying.
 */
import { randomBytes } from 'node:crypto'
import DHT from 'bittorrent-dht'
import { type Endpoint, endpoint, endpointText } from '../../core/endpoint.ts'
import { reachOfIp } from '../../core/ip-reach.ts'
import { Slots } from '../../core/slots.ts'
import { Arrivals } from './arrivals.ts'
import type { Clock } from './clock.ts'
import { NODE_ID_BYTES } from './dht-messages.ts'
import { DhtSearch } from './dht-search.ts'
import { DhtSocket } from './dht-socket.ts'
import { fitsAddress, nodeIdFor } from './node-id.ts'
import type { Resolve } from './tracker-hosts.ts'

/** What a node knows when it ends, to begin with the next time. */
export interface DhtState {
  /** 20 bytes. */
  readonly id: Uint8Array
  readonly nodes: readonly Endpoint[]
}

/** Lookups at once; each asks some dozens of nodes, 16 at a time altogether. */
const LOOKUPS_AT_ONCE = 4

/** Announced peers are forgotten after this long, unless they announce again, as clients do every 15 to 30 min. */
const PEER_AGE_MS = 45 * 60_000

/** Torrents and peers that others have us remember. */
const MOST_PEERS = 10_000
const MOST_TABLES = 200

/** Fewer nodes are too few: those that are known by address are asked again, after pauses that double. */
const ENOUGH_NODES = 8
const FIRST_JOIN_PAUSE_MS = 2_000
const LONGEST_JOIN_PAUSE_MS = 5 * 60_000

/** Nodes that asked us, and are asked back, a second. */
const NEWCOMERS = { all: 5, each: 0.5 }

/** As many as two full buckets; older ones are gone by then. */
const MOST_KEPT_NODES = 200

/** Different nodes that have to agree on our address before it is believed. */
const WITNESSES = 5
const MOST_WITNESSES = 100

export interface MainlineDhtOptions {
  readonly host: string
  readonly port: number
  /** Nodes to join by: `host:port`, names too. */
  readonly bootstrap: readonly string[]
  /** Of the last run. */
  readonly state: DhtState | undefined
  readonly clock: Clock
  readonly resolve: Resolve
  readonly log: (line: string) => void
}

export class MainlineDht {
  readonly #options: MainlineDhtOptions
  readonly #socket: DhtSocket
  readonly #dht: DHT
  readonly #slots = new Slots(LOOKUPS_AT_ONCE)
  readonly #newcomers: Arrivals
  readonly #searches = new Map<string, Set<DhtSearch>>()
  /** Our own address, by who says so. */
  readonly #witnesses = new Map<string, string>()
  #known: readonly Endpoint[] = []
  #cancelJoin = (): void => {}
  #joinPause = FIRST_JOIN_PAUSE_MS
  #stopped = false

  private constructor(options: MainlineDhtOptions, socket: DhtSocket) {
    const { clock, state } = options
    this.#options = options
    this.#newcomers = new Arrivals(NEWCOMERS, clock.now())
    this.#socket = socket
      .on('newcomer', (node) => this.#onNewcomer(node))
      .on('seen', (from, { host }) => this.#onSeen(from, host))
    this.#dht = new DHT({
      socket,
      nodeId: Buffer.from(state?.id ?? randomBytes(NODE_ID_BYTES)),
      bootstrap: [],
      maxAge: PEER_AGE_MS,
      maxPeers: MOST_PEERS,
      maxTables: MOST_TABLES,
    })
    this.#dht.on('error', (error) => options.log(`dht: ${error.message}`))
    // a lost packet, an answer of the wrong node: daily bread
    this.#dht.on('warning', () => {})
    this.#dht.on('peer', (peer, infoHash) => this.#onPeer(peer, infoHash))
  }

  /** @throws the system's error, such as EADDRINUSE */
  static async open(options: MainlineDhtOptions): Promise<MainlineDht> {
    const socket = await DhtSocket.open(options, options.clock)
    const dht = new MainlineDht(options, socket)
    // the library waits to hear it
    socket.emit('listening')
    await dht.#begin()
    return dht
  }

  get port(): number {
    return this.#socket.address().port
  }

  /** Nodes in the routing table. */
  get nodes(): number {
    return this.#dht.toJSON().nodes.length
  }

  get id(): Uint8Array {
    return this.#dht.nodeId
  }

  /** Looks for peers of this info hash until it is stopped, and announces the port under it. @param hash 20 bytes */
  seek(
    hash: Uint8Array,
    search: { wantsPeers(): boolean; found(peers: readonly Endpoint[]): void },
  ): DhtSearch {
    const key = Buffer.from(hash).toString('hex')
    const started = new DhtSearch({
      ...search,
      clock: this.#options.clock,
      hasNodes: () => this.nodes > 0,
      lookUp: () => this.#lookUp(hash),
      announce: () => this.#announce(hash),
      onStop: () => {
        this.#searches.get(key)?.delete(started)
        if (this.#searches.get(key)?.size === 0) this.#searches.delete(key)
      },
    })
    this.#searches.set(key, (this.#searches.get(key) ?? new Set()).add(started))
    return started.start()
  }

  /** A node that somebody names; it is remembered when it answers. */
  meet({ host, port }: Endpoint): void {
    if (!this.#stopped && !host.includes(':')) this.#dht.addNode({ host, port })
  }

  /** With an id that fits our address, as far as that is known by now. */
  state(): DhtState {
    const nodes = this.#dht.toJSON().nodes.flatMap(({ host, port }) => endpoint(host, port) ?? [])
    const own = this.#ownAddress()
    const fitting = own === undefined || fitsAddress(this.id, own) ? undefined : nodeIdFor(own, this.id)
    return { id: fitting ?? this.id, nodes: nodes.slice(-MOST_KEPT_NODES) }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelJoin()
    for (const searches of this.#searches.values()) for (const search of searches) search.stop()
    await new Promise<void>((done) => this.#dht.destroy(done))
  }

  async #begin(): Promise<void> {
    const { bootstrap, state, resolve, log } = this.#options
    const named = await Promise.all(
      bootstrap.map(async (text) => {
        const url = new URL(`udp://${text}`)
        const addresses = await resolve(url.hostname.replace(/^\[(.*)\]$/, '$1')).catch(() => [])
        if (addresses.length === 0) log(`dht: there is no host ${url.hostname}`)
        return addresses.flatMap(({ address }) => endpoint(address, Number(url.port)) ?? [])
      }),
    )
    this.#known = [...named.flat(), ...(state?.nodes ?? [])]
    this.#join()
  }

  /** Asks those that are known by address who they are, and looks for nodes near to ourselves. */
  #join(): void {
    if (this.#stopped) return
    if (this.nodes < ENOUGH_NODES) for (const node of this.#known) this.meet(node)
    this.#cancelJoin = this.#options.clock.after(this.#joinPause, () => {
      this.#joinPause = Math.min(2 * this.#joinPause, LONGEST_JOIN_PAUSE_MS)
      const few = this.nodes < ENOUGH_NODES
      if (this.nodes > 0 && few) this.#dht.lookup(this.#dht.nodeId, () => {})
      this.#join()
    })
  }

  #lookUp(hash: Uint8Array): Promise<number> {
    return this.#call((done) => this.#dht.lookup(Buffer.from(hash), done))
  }

  #announce(hash: Uint8Array): Promise<number> {
    return this.#call((done) => this.#dht.announce(Buffer.from(hash), this.#options.port, done))
  }

  #call(work: (done: (error: Error | null, nodes: number) => void) => void): Promise<number> {
    return this.#slots.run(
      () =>
        new Promise((resolve, reject) => {
          if (this.#stopped) return resolve(0)
          work((error, nodes) => (error === null || error === undefined ? resolve(nodes) : reject(error)))
        }),
    )
  }

  #onPeer({ host, port }: Endpoint, infoHash: Uint8Array): void {
    const peer = endpoint(host, port)
    if (peer === undefined) return
    for (const search of this.#searches.get(Buffer.from(infoHash).toString('hex')) ?? []) search.heard(peer)
  }

  #onNewcomer(node: Endpoint): void {
    if (this.#newcomers.admits(endpointText(node), this.#options.clock.now())) this.meet(node)
  }

  #onSeen(from: string, host: string): void {
    if (reachOfIp(host) !== 'world') return
    this.#witnesses.delete(from)
    this.#witnesses.set(from, host)
    if (this.#witnesses.size > MOST_WITNESSES)
      this.#witnesses.delete(this.#witnesses.keys().next().value ?? '')
  }

  /** What most say who say anything. */
  #ownAddress(): string | undefined {
    const counts = new Map<string, number>()
    for (const host of this.#witnesses.values()) counts.set(host, (counts.get(host) ?? 0) + 1)
    const [best] = [...counts].sort(([, a], [, b]) => b - a)
    return best !== undefined && best[1] >= WITNESSES ? best[0] : undefined
  }
}
