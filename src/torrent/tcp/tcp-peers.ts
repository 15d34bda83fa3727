/**
 * BitTorrent's peers over TCP: one port for all torrents, on which the info hash in a handshake says which one is meant, and
 * calls to those that were found. It keeps within bounds how many connections there are, and decides nothing else.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { printable } from '../../core/cid.ts'
import { type Endpoint, endpoint, endpointText } from '../../core/endpoint.ts'
import { type Millis, type PeerKey, peerKey, type RootKey } from '../../core/types.ts'
import { MemoryGate } from '../../exchange/bitswap/memory-gate.ts'
import type { Outflow } from '../../exchange/outflow.ts'
import type { PeerWireAction } from '../../exchange/peer-wire/host.ts'
import { WireViolation } from '../../exchange/peer-wire/violation.ts'
import { wireHashes } from '../info.ts'
import type { TorrentHost } from './host.ts'
import type { AddTorrent } from './known-torrent.ts'
import { Session } from './session.ts'
import { dial, ourHandshake, readHandshake, type Shaken } from './shaking.ts'
import { MOST_SESSIONS, Torrent, type TorrentContext } from './torrent.ts'

/** Calls under way: more at once look like an attack to some routers. */
const MOST_CALLS = 24

/** Connections that have not said which torrent they mean, in all and of one address. */
const MOST_STRANGERS = 100
const MOST_STRANGERS_OF_ONE = 32

/** How often sessions and candidates look at the clock. */
const TICK_MS = 1_000

export interface TcpPeersOptions {
  readonly host: TorrentHost
  readonly peerId: Uint8Array
  /** Name and version of this program. */
  readonly version: string
  readonly outflow: Outflow
  /** Connections at most. */
  readonly most: number
  readonly now: () => Millis
  readonly progress: TorrentContext['progress']
  onChanged(torrent: Torrent): void
  onClosed(torrent: Torrent): void
  readonly log: (line: string) => void
}

export class TcpPeers {
  /** The UDP port of our DHT node, which peers are told. */
  dhtPort: number | undefined
  readonly #options: TcpPeersOptions
  readonly #gate = new MemoryGate()
  /** By the 20 bytes of each of their hashes, in hex. */
  readonly #byHash = new Map<string, Torrent>()
  readonly #byRoot = new Map<RootKey, Set<Torrent>>()
  readonly #stopping = new AbortController()
  #server: Server | undefined
  #address: Endpoint | undefined
  #sessions = 0
  #calls = 0
  readonly #strangers = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: TcpPeersOptions) {
    this.#options = options
  }

  /** Where it listens; undefined where it does not. */
  get address(): Endpoint | undefined {
    return this.#address
  }

  get torrents(): readonly Torrent[] {
    return [...new Set(this.#byHash.values())]
  }

  /** @throws the system's error when the port cannot be had */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<void> {
    const server = createServer({ pauseOnConnect: false, highWaterMark: 256 << 10 }, (socket) =>
      this.#accept(socket),
    )
    server.listen({ host, port, ipv6Only: host !== '::' && host.includes(':') })
    await once(server, 'listening')
    const address = server.address()
    this.#server = server
    if (address !== null && typeof address === 'object') this.#address = { host, port: address.port }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    clearInterval(this.#timer)
    for (const torrent of this.torrents) torrent.close()
    const server = this.#server
    if (server === undefined) return
    server.close()
    await once(server, 'close')
  }

  // --- torrents

  /** From now on it is called, and calls. One with the same hashes takes its place. */
  add(torrent: AddTorrent): Torrent {
    const added = new Torrent(torrent, {
      host: this.#options.host,
      progress: this.#options.progress,
      onCandidates: (each) => this.#callFor(each),
      onChanged: (each) => this.#options.onChanged(each),
      onClosed: (each) => this.#forget(each),
    })
    for (const hash of wireHashes(torrent.hashes)) {
      this.#byHash.get(hex(hash))?.close()
      this.#byHash.set(hex(hash), added)
    }
    const ofRoot = this.#byRoot.get(torrent.root) ?? new Set()
    this.#byRoot.set(torrent.root, ofRoot.add(added))
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
    return added
  }

  of(root: RootKey): readonly Torrent[] {
    return [...(this.#byRoot.get(root) ?? [])]
  }

  byHash(hash: Uint8Array): Torrent | undefined {
    return this.#byHash.get(hex(hash))
  }

  // --- the scheduler

  /** Carries out an action, with one peer or, where it names none, with all of the root. What concerns nobody any more is passed over. */
  act(action: PeerWireAction): void {
    for (const torrent of this.#byRoot.get(action.root) ?? [])
      if (action.type === 'have') torrent.stored(action.piece)
      else if ('peer' in action) torrent.sessions.get(action.peer)?.act(action)
  }

  /** Ends all connections with this peer. */
  drop(peer: PeerKey): void {
    for (const torrent of this.torrents) {
      const session = torrent.sessions.get(peer)
      if (session === undefined) continue
      torrent.candidates.drop(session.listens ?? session.endpoint)
      session.end()
    }
  }

  /** Where a peer of the root is, if it is connected. */
  session(root: RootKey, peer: PeerKey): Session | undefined {
    for (const torrent of this.#byRoot.get(root) ?? []) {
      const session = torrent.sessions.get(peer)
      if (session !== undefined) return session
    }
    return undefined
  }

  /** Bytes that the host keeps count until it releases them; too many stop the reading of all sockets. */
  hold(bytes: number): void {
    this.#gate.hold(bytes)
  }

  release(bytes: number): void {
    this.#gate.release(bytes)
  }

  // --- calling

  #callFor(torrent: Torrent): void {
    const { now, most, host } = this.#options
    while (this.#calls < MOST_CALLS && this.#sessions + this.#calls < most && torrent.wantsPeers()) {
      const endpoint = torrent.candidates.next(now())
      if (endpoint === undefined) return
      if (host.isBanned(endpoint)) torrent.candidates.drop(endpoint)
      else void this.#call(torrent, endpoint)
    }
  }

  async #call(torrent: Torrent, endpoint: Endpoint): Promise<void> {
    const { signal } = this.#stopping
    this.#calls++
    try {
      const socket = await dial(endpoint, signal)
      socket.on('error', () => {})
      socket.write(ourHandshake(torrent.hashes, this.#ourselves))
      const shaken = await readHandshake(socket, signal)
      const known = wireHashes(torrent.hashes).some((hash) => sameBytes(hash, shaken.handshake.infoHash))
      if (!known) {
        socket.destroy()
        throw new Error('it answered for another torrent')
      }
      this.#converse(socket, torrent, { endpoint, outbound: true, shaken })
    } catch (thrown) {
      torrent.candidates.failed(endpoint, this.#options.now())
      this.#report(endpoint, thrown)
    } finally {
      this.#calls--
    }
  }

  // --- being called

  #accept(socket: Socket): void {
    socket.on('error', () => {})
    const caller = endpoint(socket.remoteAddress ?? '', socket.remotePort ?? 0)
    const { host, most } = this.#options
    const strangers = [...this.#strangers.values()].reduce((sum, count) => sum + count, 0)
    const ofOne = (caller && this.#strangers.get(caller.host)) ?? 0
    const full = this.#sessions >= most || strangers >= MOST_STRANGERS || ofOne >= MOST_STRANGERS_OF_ONE
    if (caller === undefined || full || host.isBanned(caller)) socket.destroy()
    else void this.#welcome(socket, caller)
  }

  async #welcome(socket: Socket, caller: Endpoint): Promise<void> {
    this.#strangers.set(caller.host, (this.#strangers.get(caller.host) ?? 0) + 1)
    try {
      const shaken = await readHandshake(socket, this.#stopping.signal)
      const { infoHash } = shaken.handshake
      const torrent = this.byHash(infoHash) ?? (await this.#called(infoHash))
      if (torrent === undefined || torrent.closed || torrent.sessions.size >= MOST_SESSIONS) {
        socket.destroy()
        return
      }
      if (socket.destroyed) return
      socket.write(ourHandshake(torrent.hashes, this.#ourselves, shaken.handshake))
      this.#converse(socket, torrent, { endpoint: caller, outbound: false, shaken })
    } catch {
      // scanners, and clients that try encryption first
      socket.destroy()
    } finally {
      const left = (this.#strangers.get(caller.host) ?? 1) - 1
      if (left > 0) this.#strangers.set(caller.host, left)
      else this.#strangers.delete(caller.host)
    }
  }

  async #called(hash: Uint8Array): Promise<Torrent | undefined> {
    const handle = await this.#options.host.called(hash)
    return handle && this.byHash(hash)
  }

  // --- conversing

  #converse(
    socket: Socket,
    torrent: Torrent,
    { endpoint, outbound, shaken }: { endpoint: Endpoint; outbound: boolean; shaken: Shaken },
  ): void {
    const { host, outflow, peerId, version, now } = this.#options
    const { handshake, rest } = shaken
    const key = peerKey(endpointText(endpoint))
    const double = [...torrent.sessions.values()].some((each) => sameBytes(each.peerId, handshake.peerId))
    const ourselves = sameBytes(handshake.peerId, peerId)
    if (double || ourselves || torrent.closed || torrent.sessions.has(key) || socket.destroyed) {
      socket.destroy()
      if (!outbound) return
      if (ourselves) torrent.candidates.drop(endpoint)
      else torrent.candidates.ended(endpoint, double, now())
      return
    }
    const session = new Session({
      socket,
      torrent,
      endpoint,
      outbound,
      handshake,
      host,
      outflow,
      version,
      port: this.#address?.port,
      dhtPort: this.dhtPort,
      now,
      onEnded: (ended, error) => this.#onEnded(ended, error),
      full: () => this.#gate.pass(),
    })
    torrent.sessions.set(key, session)
    this.#sessions++
    torrent.candidates.connected(endpoint)
    session.start(rest)
  }

  #onEnded(session: Session, error: Error | undefined): void {
    const { torrent, endpoint, peer, seeds, outbound } = session
    if (torrent.sessions.get(peer) !== session) return
    torrent.sessions.delete(peer)
    this.#sessions--
    if (outbound) torrent.candidates.ended(endpoint, seeds && torrent.wantsNothing, this.#options.now())
    if (error !== undefined) this.#report(endpoint, error)
  }

  #forget(torrent: Torrent): void {
    for (const hash of wireHashes(torrent.hashes))
      if (this.#byHash.get(hex(hash)) === torrent) this.#byHash.delete(hex(hash))
    const ofRoot = this.#byRoot.get(torrent.root)
    ofRoot?.delete(torrent)
    if (ofRoot?.size === 0) this.#byRoot.delete(torrent.root)
    if (this.#byHash.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.#options.onClosed(torrent)
  }

  #tick(): void {
    for (const torrent of this.torrents) {
      for (const session of [...torrent.sessions.values()]) session.tick()
      this.#callFor(torrent)
    }
  }

  get #ourselves(): { peerId: Uint8Array; dht: boolean } {
    return { peerId: this.#options.peerId, dht: this.dhtPort !== undefined }
  }

  /** Only what a peer did wrong is worth a line. */
  #report(endpoint: Endpoint, thrown: unknown): void {
    if (thrown instanceof WireViolation && !this.#stopping.signal.aborted)
      this.#options.log(`bittorrent: ${endpointText(endpoint)}: ${printable(thrown.message)}`)
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0
}
