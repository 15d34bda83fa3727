/**
 * One TCP connection with a BitTorrent client, from behind the handshake on: when its bytes are read and written. Messages
 * leave at the end of what led to them, news of our pieces wait a moment for others; data leaves when its turn comes. Nothing
 * is written into a socket that does not drain, and nothing is read while bytes wait for the disk.
 */
import type { Socket } from 'node:net'
import type { Endpoint } from '../../core/endpoint.ts'
import { endpointText } from '../../core/endpoint.ts'
import { type Millis, type PeerKey, peerKey } from '../../core/types.ts'
import type { Outflow, Outlet } from '../../exchange/outflow.ts'
import type { BittorrentHandshake } from '../../exchange/peer-wire/bittorrent-handshake.ts'
import type { PeerWireAction } from '../../exchange/peer-wire/host.ts'
import { TorrentConnection, type TorrentEvent } from '../../exchange/peer-wire/torrent-connection.ts'
import type { TorrentGreeting } from '../../exchange/peer-wire/torrent-greeting.ts'
import { PexListener, PexTeller } from '../../exchange/peer-wire/torrent-pex.ts'
import { LATE_MS, Turns, type Writing } from '../../exchange/peer-wire/turns.ts'
import { WireViolation } from '../../exchange/peer-wire/violation.ts'
import { REQUESTS_TAKEN } from './answering.ts'
import { HashTalk } from './hash-talk.ts'
import type { TorrentHost } from './host.ts'
import { MetadataTalk } from './metadata-talk.ts'
import type { Torrent } from './torrent.ts'
import { type Left, TorrentTrade } from './trade.ts'

/** Others end connections on which nothing comes for 120 s (BEP 3). */
const KEEP_ALIVE_MS = 90_000
const SILENCE_MS = 150_000

/** A connection on which neither end wants anything is of use to nobody. */
const IDLE_MS = 300_000

export interface SessionOptions {
  readonly socket: Socket
  readonly torrent: Torrent
  readonly endpoint: Endpoint
  readonly outbound: boolean
  readonly handshake: BittorrentHandshake
  readonly host: TorrentHost
  readonly outflow: Outflow
  readonly version: string
  /** Where we listen; undefined where we do not. */
  readonly port: number | undefined
  readonly dhtPort: number | undefined
  readonly now: () => Millis
  onEnded(session: Session, error: Error | undefined): void
  /** Bytes wait to be stored: reading stops until the promise resolves. */
  full(): Promise<void> | undefined
}

export class Session implements Writing {
  readonly peer: PeerKey
  readonly endpoint: Endpoint
  readonly outbound: boolean
  readonly torrent: Torrent
  readonly connection: TorrentConnection
  readonly metadata: MetadataTalk
  readonly hashes: HashTalk
  readonly #options: SessionOptions
  readonly #turns: Turns
  readonly #pexTeller: PexTeller
  readonly #pexListener = new PexListener()
  #trade: TorrentTrade | undefined
  #outlet: Outlet | undefined
  #greeting: TorrentGreeting | undefined
  #writtenAt: Millis
  #heardAt: Millis
  #usefulAt: Millis
  #ended = false

  constructor(options: SessionOptions) {
    const { endpoint, handshake, now, socket, torrent } = options
    this.#options = options
    this.#turns = new Turns(this, now)
    this.endpoint = endpoint
    this.peer = peerKey(endpointText(endpoint))
    this.outbound = options.outbound
    this.torrent = torrent
    this.connection = new TorrentConnection({
      fast: handshake.flags.has('fast'),
      extended: handshake.flags.has('extended'),
      size: torrent.size,
    })
    const started = now()
    this.#writtenAt = started
    this.#heardAt = started
    this.#usefulAt = started
    this.#pexTeller = new PexTeller(started)
    this.metadata = new MetadataTalk(this)
    this.hashes = new HashTalk(this, options.host, speaksV2(handshake, this.torrent))
    socket.setNoDelay(true)
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    socket.on('drain', () => this.#turns.flush())
    socket.on('error', (error) => this.end(error))
    socket.on('close', () => this.end())
  }

  get ended(): boolean {
    return this.#ended
  }

  get joined(): boolean {
    return this.#trade?.joined === true
  }

  /** The id that its handshake gave. */
  get peerId(): Uint8Array {
    return this.#options.handshake.peerId
  }

  get greeting(): TorrentGreeting | undefined {
    return this.#greeting
  }

  /** Where it may be called: where we called it, or where it says that it listens. */
  get listens(): Endpoint | undefined {
    if (this.outbound) return this.endpoint
    const port = this.#greeting?.port
    return port === undefined ? undefined : { host: this.endpoint.host, port }
  }

  /** It says that it has everything. */
  get seeds(): boolean {
    const { have } = this.connection
    return have !== undefined && have.length > 0 && have.complete
  }

  /** Says who we are and what we have, and takes up what came behind the handshake. */
  start(rest: Uint8Array): void {
    const { torrent, connection } = this
    this.#greet()
    connection.list(torrent.have)
    const { dhtPort, handshake, socket } = this.#options
    if (dhtPort !== undefined && handshake.flags.has('dht') && !torrent.isPrivate)
      connection.send({ type: 'port', port: dhtPort })
    if (torrent.source !== undefined) this.#openTrade()
    if (rest.length > 0) this.#receive(rest)
    this.#turns.flush()
    if (!this.#ended) socket.resume()
  }

  /** The torrent's pieces are known from now on. */
  opened(): void {
    const { size } = this.torrent
    if (this.#ended || size === undefined || this.#trade !== undefined) return
    this.#openTrade()
    this.#turns.guard(() => {
      // it knows that we have nothing, as was said in the beginning
      this.#trade?.tellHave([...(this.torrent.have ?? [])])
      for (const event of this.connection.know(size)) this.#on(event)
      this.#trade?.flush()
    })
    // from now on others can have the info dictionary of us
    this.#greet()
    this.#turns.flush()
  }

  tellHave(indexes: readonly number[]): void {
    if (this.#ended) return
    this.#trade?.tellHave(indexes)
    this.#turns.soon()
  }

  act(action: PeerWireAction): void {
    if (!this.#ended) this.#turns.guard(() => this.#trade?.act(action))
  }

  /** There is something to write. */
  wake(): void {
    this.#turns.soon()
  }

  /** Looks at the clock: call every few seconds. */
  tick(): void {
    if (this.#ended) return
    const now = this.#options.now()
    if (now - this.#heardAt >= SILENCE_MS) {
      this.end(new Error('silent for too long'))
      return
    }
    if (this.#trade?.useful !== false || !this.torrent.isOpen) this.#usefulAt = now
    if (now - this.#usefulAt >= IDLE_MS) {
      this.end()
      return
    }
    this.#turns.guard(() => {
      this.metadata.tick(now)
      this.hashes.tick(now)
    })
    this.#tellPeers(now)
    if (now - this.#writtenAt >= KEEP_ALIVE_MS) this.connection.send({ type: 'keep-alive' }, 'now')
    this.#turns.flush()
  }

  /** Ends the connection at once, whoever wants that. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#turns.stop()
    this.#outlet?.close()
    this.#options.socket.destroy()
    this.metadata.end()
    this.hashes.end()
    const fault = error instanceof WireViolation && error.blame === 'peer' ? error.message : undefined
    this.#trade?.end(fault)
    if (fault !== undefined && this.#trade?.joined !== true) this.#options.host.ban(this.endpoint, fault)
    this.#options.onEnded(this, error)
  }

  // --- reading

  #receive(chunk: Uint8Array): void {
    if (this.#ended) return
    this.#heardAt = this.#options.now()
    this.#turns.take(() => {
      for (const event of this.connection.receive(chunk)) {
        if (this.#ended) return
        this.#on(event)
      }
      this.#trade?.flush()
    })
    if (!this.#ended) this.#waitWhileFull()
  }

  #on(event: TorrentEvent): void {
    switch (event.type) {
      case 'greeted':
        this.#onGreeted(event.greeting)
        return
      case 'metadata':
        this.metadata.take(event.message)
        return
      case 'hash-request':
      case 'hash-reject':
      case 'hashes':
        this.hashes.take(event)
        return
      case 'peers':
        if (this.#pexListener.hear(this.#options.now())) this.torrent.found(event.added, 'pex')
        return
      case 'dht':
        if (!this.torrent.isPrivate)
          this.#options.host.onDhtNode({ host: this.endpoint.host, port: event.port })
        return
      default:
        if (event.type === 'data' && this.#trade === undefined)
          throw new WireViolation('unrequested', 'bytes of pieces, before anything could be asked for')
        this.#trade?.take(event)
        if (event.type === 'listed' && this.seeds && this.torrent.wantsNothing) this.end()
    }
  }

  #onGreeted(greeting: TorrentGreeting): void {
    const first = this.#greeting === undefined
    this.#greeting = greeting
    if (this.#trade !== undefined) this.#trade.requests = greeting.requests
    const { listens } = this
    if (first && listens !== undefined && this.#options.host.isBanned(listens)) {
      this.end()
      return
    }
    this.metadata.greeted(greeting)
    this.hashes.pump()
    if (first) this.#tellPeers(this.#options.now())
  }

  #waitWhileFull(): void {
    const full = this.#options.full()
    const { socket } = this.#options
    if (full === undefined || socket.isPaused()) return
    socket.pause()
    void full.then(() => socket.resume())
  }

  // --- writing

  #greet(): void {
    const { port, version } = this.#options
    const { torrent } = this
    this.connection.greet(
      {
        version,
        requests: REQUESTS_TAKEN,
        port,
        metadataSize: torrent.source?.infoBytes?.length,
        uploadOnly: torrent.wantsNothing,
        yourIp: undefined,
      },
      torrent.isPrivate ? ['ut_metadata'] : ['ut_metadata', 'ut_pex'],
    )
  }

  #openTrade(): void {
    const { source, root } = this.torrent
    if (source === undefined) return
    const { host, outflow } = this.#options
    this.#trade = new TorrentTrade({
      connection: this.connection,
      host,
      root,
      peer: this.peer,
      space: source.space,
      has: (index) => this.torrent.have?.has(index) === true,
      onReady: () => this.#turns.soon(),
      onError: (error) => this.end(error),
    })
    if (this.#greeting !== undefined) this.#trade.requests = this.#greeting.requests
    this.#outlet = outflow.join({ root, confirms: false, write: (most) => this.#writeData(most) })
  }

  #tellPeers(now: Millis): void {
    if (this.torrent.isPrivate || !this.connection.speaks('ut_pex')) return
    const news = this.#pexTeller.news(this.torrent.pexPeers(this), now)
    if (news !== undefined) this.connection.sendPeers(news)
  }

  get drains(): boolean {
    const { socket } = this.#options
    return socket.writable && !socket.writableNeedDrain
  }

  get backlog(): number {
    return this.connection.backlog
  }

  /** Data takes the messages that wait along; without any, those that press go alone. */
  write(): void {
    if (this.#trade?.ready === true) this.#outlet?.wake()
    if (this.connection.haste === 'now') this.#writeMessages()
    else if (this.connection.backlog > 0) this.#turns.within(LATE_MS)
  }

  writeLate(): void {
    if (this.drains) this.#writeMessages()
  }

  #writeMessages(): void {
    const messages = this.connection.take()
    if (messages === undefined) return
    this.#options.outflow.charge(messages.bytes, this.torrent.root)
    this.#writtenAt = this.#options.now()
    this.#write(messages.parts, () => {})
  }

  #writeData(most: number): number {
    const trade = this.#trade
    if (trade === undefined || this.#ended || !this.drains) return 0
    const { parts, bytes, left } = trade.write(most)
    const messages = this.connection.take()
    if (messages !== undefined) this.#options.outflow.charge(messages.bytes, this.torrent.root)
    const all = [...(messages?.parts ?? []), ...parts]
    if (all.length === 0) {
      this.#taken(left, 0)
      return 0
    }
    this.#writtenAt = this.#options.now()
    this.#write(all, () => this.#taken(left, bytes))
    return bytes
  }

  /** The socket's taking them counts as their arrival: nothing else is known of it. */
  #taken(left: readonly Left[], bytes: number): void {
    if (this.#ended) return
    if (bytes > 0) this.#outlet?.confirmed(bytes)
    this.#trade?.delivered(left)
    this.#turns.soon()
  }

  /** In one write. */
  #write(parts: readonly Uint8Array[], onTaken: () => void): void {
    const { socket } = this.#options
    const last = parts.length - 1
    socket.cork()
    for (const [at, part] of parts.entries())
      if (at === last) socket.write(part, (error) => error ?? onTaken())
      else socket.write(part)
    socket.uncork()
  }
}

/** Of torrents of v2 alone libtorrent does not set the flag: it says as much to go by the hash of v2. */
function speaksV2({ flags, infoHash }: BittorrentHandshake, { hashes }: Torrent): boolean {
  return (
    flags.has('v2') ||
    (hashes.v2 !== undefined && Buffer.compare(infoHash, hashes.v2.subarray(0, infoHash.length)) === 0)
  )
}
