/**
 * Carries out what the scheduler decides: tells it every event, wakes it when its time has come, and routes each
 * action to the wire by which its peer takes part, or to the store. Actions run at once and in order; what they
 * lead to is told to the scheduler when all of them have run.
 */
import type { PieceTable } from '../content/manifest.ts'
import { Bitfield } from '../core/bitfield.ts'
import { createPrng } from '../core/prng.ts'
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import type { PeerWireAction } from '../exchange/peer-wire/host.ts'
import type { PeerView, SwarmAction, SwarmEvent, Wire } from '../swarm/events.ts'
import { Scheduler } from '../swarm/scheduler.ts'
import type { ArrivingPieces } from './arriving-pieces.ts'
import type { BitswapWire } from './bitswap-wire.ts'
import type { HttpWire } from './http-wire.ts'
import type { Joining } from './joining.ts'
import { type DownloadPort, type OpenSwarm, OpenSwarms, type PieceSource, wholeSwarm } from './open-swarms.ts'
import { isGateway, isTorrentPeer } from './peer-kind.ts'
import type { Readers } from './readers.ts'
import type { ShareWire } from './share-wire.ts'
import type { TorrentWire } from './torrent-wire.ts'
import type { BannedPeer } from './types.ts'
import type { WebSeeds } from './web-seeds.ts'

/** What the driver drives. They call back into it, so they come second. */
export interface Driven {
  readonly bitswap: BitswapWire
  readonly share: ShareWire
  readonly http: HttpWire
  readonly torrent: TorrentWire
  readonly webSeeds: WebSeeds
  readonly joining: Joining
  readonly arriving: ArrivingPieces
  readonly readers: Readers
}

type PeerAction = Exclude<
  Extract<SwarmAction, { readonly peer: PeerKey }>,
  { readonly type: 'ban' | 'verify-and-store' | 'discard' }
>

export interface SwarmDriverOptions {
  readonly now: () => Millis
  readonly seed: number
  /** A swarm was opened. */
  onOpen(root: RootKey): void
  /** Closes the peer's connections, and keeps it from coming back. */
  onBan(root: RootKey, banned: BannedPeer): void
}

export class SwarmDriver {
  readonly swarms = new OpenSwarms()
  readonly #options: SwarmDriverOptions
  readonly #scheduler: Scheduler
  #driven: Driven | undefined
  /** Events that came while another one was being handled. */
  readonly #events: SwarmEvent[] = []
  #handling = false
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires. */
  #due = Number.POSITIVE_INFINITY
  #stopped = false

  constructor(options: SwarmDriverOptions) {
    this.#options = options
    this.#scheduler = new Scheduler(createPrng(options.seed))
  }

  attach(driven: Driven): void {
    this.#driven = driven
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** Bytes a second, for one root or for all; 0 is unlimited. */
  limitDownload(down: number, root?: RootKey): void {
    this.dispatch({ type: 'limited', down, ...(root !== undefined && { root }) })
  }

  isBanned(peer: PeerKey): boolean {
    return this.#scheduler.isBanned(peer)
  }

  peers(root: RootKey): readonly PeerView[] {
    return this.#scheduler.peers(root)
  }

  /** Whether something is to come from the peer in some swarm, or to go to it. */
  trades(peer: PeerKey): boolean {
    for (const { root, members, download } of this.swarms) {
      if (!members.has(peer)) continue
      if (download !== undefined || this.peers(root).some((view) => view.peer === peer && view.wanted))
        return true
    }
    return false
  }

  // --- the life of a swarm

  /** A download begins. */
  open(root: RootKey, download: DownloadPort, source: PieceSource): void {
    this.close(root)
    this.swarms.add({
      root,
      pieces: download.pieces,
      have: new Bitfield(0),
      final: false,
      download,
      ...source,
      shares: new Set([root]),
    })
    this.dispatch({ type: 'opened', root, sizes: [], have: [], final: false })
    this.#options.onOpen(root)
  }

  /** The walk found pieces up to the table's length; `found` of them are stored already. */
  grow(root: RootKey, from: number, found: readonly number[], final: boolean): void {
    const swarm = this.swarms.get(root)
    if (swarm?.download === undefined) return
    const { pieces } = swarm
    if (pieces.length > swarm.have.length) swarm.have = swarm.have.resized(pieces.length)
    const first = swarm.have.count === 0 && found.length > 0
    for (const piece of found) swarm.have.add(piece)
    swarm.final = final
    this.#wires.bitswap.grew(swarm, from)
    this.dispatch({ type: 'grown', root, sizes: pieces.blockSizes.subarray(from), found, final })
    if (first) swarm.download.onFirstPiece()
    if (final) this.#wires.share.counted(root)
    this.#wires.readers.grew(swarm)
  }

  /** The download is over: from now on the same swarm, with the same peers, seeds. */
  finish(root: RootKey): void {
    const swarm = this.swarms.get(root)
    if (swarm === undefined) return
    this.#wires.joining.closed(root)
    this.#wires.http.close(swarm)
    this.#wires.bitswap.finished(swarm)
    swarm.download = undefined
    this.#wires.readers.closed(root)
  }

  /** Something that is wholly here is traded in. */
  seed(root: RootKey, pieces: PieceTable, source: Pick<OpenSwarm, 'read' | 'shares'>): void {
    this.swarms.add(wholeSwarm(root, pieces, source))
    const { blockSizes: sizes, length } = pieces
    this.dispatch({ type: 'opened', root, sizes, have: Array(length).keys(), final: true })
    this.#options.onOpen(root)
  }

  /** Ends the swarm of this root, and those that give out bytes of its share. */
  close(root: RootKey): void {
    for (const swarm of [...this.swarms]) {
      if (swarm.root !== root && !swarm.shares.has(root)) continue
      this.#wires.joining.closed(swarm.root)
      this.#wires.share.close(swarm.root)
      this.#wires.torrent.close(swarm.root)
      this.#wires.http.close(swarm)
      this.#wires.bitswap.close(swarm)
      this.#wires.arriving.close(swarm.root)
      this.#wires.readers.closed(swarm.root)
      this.swarms.delete(swarm.root)
      this.dispatch({ type: 'closed', root: swarm.root })
    }
  }

  // --- the scheduler

  /** Tells the scheduler, and does what it answers; inside of an action, when the actions before have run. */
  dispatch(event: SwarmEvent): void {
    if (this.#stopped) return
    this.#events.push(event)
    if (this.#handling) return
    this.#handling = true
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        this.#note(next)
        for (const action of this.#scheduler.handle(next, this.#options.now())) this.#act(action)
      }
    } finally {
      this.#handling = false
    }
    this.#rearm()
  }

  /** What the swarms' own books take from an event. */
  #note(event: SwarmEvent): void {
    if (!('root' in event) || event.root === undefined) return
    const swarm = this.swarms.get(event.root)
    if (swarm === undefined) return
    switch (event.type) {
      case 'joined':
        swarm.members.set(event.peer, event.wire)
        return
      case 'left':
        swarm.members.delete(event.peer)
        return
      case 'stored':
        if (swarm.have.add(event.piece) && swarm.have.count === 1) swarm.download?.onFirstPiece()
        this.#wires.readers.stored(swarm, event.piece)
        return
    }
  }

  #act(action: SwarmAction): void {
    const { arriving, bitswap, share, torrent } = this.#wires
    const swarm = 'root' in action ? this.swarms.get(action.root) : undefined
    switch (action.type) {
      case 'verify-and-store':
        if (swarm !== undefined) void arriving.settle(swarm, action.piece)
        break
      case 'discard':
        arriving.discard(action.root, action.piece)
        break
      case 'have':
        bitswap.tellHave(action.root, action.piece)
        share.act(action)
        torrent.act(action)
        break
      case 'expect':
      case 'expect-no-more':
        share.act(action)
        break
      case 'ban':
        if (isTorrentPeer(action.peer)) torrent.banned(action.root, action.peer)
        this.#options.onBan(action.root, { id: action.peer, reason: action.reason })
        break
      case 'completed':
        swarm?.download?.onComplete()
        break
      default:
        this.#actOnPeer(action, swarm?.members.get(action.peer))
    }
  }

  #actOnPeer(action: PeerAction, wire: Wire | undefined): void {
    const { bitswap, http, share, torrent, webSeeds } = this.#wires
    if (webSeeds.isSeed(action.root, action.peer)) webSeeds.act(action)
    else if (isGateway(action.peer)) http.act(action)
    else if (isTorrentPeer(action.peer)) {
      if (isOnPeerWire(action)) torrent.act(action)
    } else if (wire === 'bitswap') bitswap.act(action)
    else if (wire !== undefined && isOnPeerWire(action)) share.act(action)
  }

  /** Most events change nothing about the time; a timer that is early sets itself anew. */
  #rearm(): void {
    const due = this.#scheduler.nextTimeout()
    if (due === undefined || due >= this.#due || this.#stopped) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => this.#onTime(), Math.max(1, due - this.#options.now()))
  }

  #onTime(): void {
    this.#due = Number.POSITIVE_INFINITY
    const due = this.#scheduler.nextTimeout()
    if (due !== undefined && due <= this.#options.now()) this.dispatch({ type: 'woke' })
    else this.#rearm()
  }

  get #wires(): Driven {
    if (this.#driven === undefined) throw new Error('the driver has no wires yet')
    return this.#driven
  }
}

/** Questions are asked on Bitswap alone. */
function isOnPeerWire(action: PeerAction): action is Extract<PeerAction, PeerWireAction> {
  return action.type !== 'ask' && action.type !== 'unask' && action.type !== 'remind'
}
