/**
 * Between the scheduler and one BitTorrent connection: what the peer says becomes events of the swarm, actions become
 * messages. Torrent pieces are translated to the swarm's, and back, by the torrent's piece space.
 */
import { asError } from '../../core/errors.ts'
import type { PeerKey, RootKey } from '../../core/types.ts'
import type { PeerWireAction } from '../../exchange/peer-wire/host.ts'
import { encodeMessage, type Span } from '../../exchange/peer-wire/messages.ts'
import { type PeerTelling, Telling } from '../../exchange/peer-wire/telling.ts'
import type { TorrentConnection, TorrentEvent } from '../../exchange/peer-wire/torrent-connection.ts'
import type { SwarmEvent } from '../../swarm/events.ts'
import { Answering, type Run } from './answering.ts'
import { Asking, type PieceSpan } from './asking.ts'
import type { TorrentHost } from './host.ts'
import { gainedBy, type PieceSpace, swarmHave } from './piece-space.ts'
import { readTorrent } from './reading.ts'

export interface TradeOptions {
  readonly connection: TorrentConnection
  readonly host: TorrentHost
  readonly root: RootKey
  readonly peer: PeerKey
  readonly space: PieceSpace
  /** Torrent pieces that are here. */
  has(index: number): boolean
  /** There is something to write. */
  onReady(): void
  /** What went wrong without a message's being at fault. */
  onError(error: Error): void
}

/** Bytes that left, by the request that they answer. */
export interface Left {
  readonly piece: number
  readonly begin: number
  bytes: number
}

/** The piece of runs that lie in no piece: zeros, or small files. They are sent at once. */
const NO_PIECE = -1

type ActionOf<Type extends PeerWireAction['type']> = Extract<PeerWireAction, { readonly type: Type }>

export class TorrentTrade {
  readonly #options: TradeOptions
  readonly #telling: Telling
  readonly #asking: Asking
  readonly #answering = new Answering()
  #choking = true
  #interested = false
  #joined = false
  #ended = false

  constructor(options: TradeOptions) {
    this.#options = options
    const { host, root, peer, connection } = options
    this.#telling = new Telling((event) => host.dispatch({ ...event, root, peer } as SwarmEvent))
    this.#asking = new Asking(connection.fast)
  }

  get joined(): boolean {
    return this.#joined
  }

  /** We want something of the peer, or it does of us. */
  get useful(): boolean {
    return this.#interested || !this.#choking || !this.#asking.idle
  }

  /** Requests that the peer takes at once. */
  set requests(limit: number) {
    this.#asking.limit = limit
  }

  // --- from the wire

  /** @throws WireViolation */
  take(event: TorrentEvent): void {
    switch (event.type) {
      case 'listed':
        this.#join(swarmHave(this.#options.space, event.have))
        return
      case 'have':
        this.#gain(event.index)
        return
      case 'choked':
        this.#telling.tell({ type: 'choked' })
        for (const lost of this.#asking.dropAll()) this.#telling.tell({ type: 'rejected', ...lost })
        return
      case 'unchoked':
      case 'interested':
        this.#telling.tell({ type: event.type })
        return
      case 'not-interested':
        this.#telling.tell({ type: 'uninterested' })
        return
      case 'data':
        this.#receive(event.index, event.begin, event.data)
        return
      case 'rejected':
        this.#rejected(event)
        return
      case 'suggested':
        for (const piece of new Set(this.#options.space.piecesOf(event.index)))
          this.#telling.tell({ type: 'suggested', piece })
        return
      case 'requested':
        this.#requested(event)
        return
      case 'cancelled':
        this.#cancelled(event)
        return
    }
  }

  /** Call when nothing more comes for now. */
  flush(): void {
    for (const { piece, begin, length } of this.#asking.arrived()) this.#telling.arrived(piece, begin, length)
    this.#telling.flush()
    this.#formRuns()
    this.#ask()
  }

  /** So much of what left was taken by the transport. */
  delivered(left: readonly Left[]): void {
    if (this.#ended) return
    for (const each of left) if (each.piece !== NO_PIECE) this.#telling.tell({ type: 'delivered', ...each })
  }

  /** The connection is over; with a reason, if that is the peer's fault. */
  end(fault: string | undefined): void {
    if (this.#ended) return
    // the scheduler may be what ended it
    if (this.#joined && fault !== undefined) this.#tellLater({ type: 'misbehaved', reason: fault })
    if (this.#joined) this.#tellLater({ type: 'left' })
    this.#ended = true
  }

  #join(has: readonly number[]): void {
    this.#joined = true
    this.#telling.tell({ type: 'joined', wire: 'bittorrent', has: this.#askable(has) })
  }

  #gain(index: number): void {
    const { connection, space } = this.#options
    if (connection.have === undefined) return
    for (const piece of this.#askable(gainedBy(space, index, connection.have)))
      this.#telling.list('has', piece)
  }

  /** What we could not ask for, for we do not know how it is wrapped, the peer might as well not have. */
  #askable(pieces: readonly number[]): number[] {
    const { connection, space } = this.#options
    const { have } = connection
    return have === undefined ? [] : pieces.filter((piece) => space.onWire(piece, 0, 0, have) !== undefined)
  }

  #receive(index: number, at: number, data: Uint8Array): void {
    const place = this.#asking.received(index, at, data.length)
    if (place === undefined) return
    const { host, root, peer } = this.#options
    host.keep(root, peer, place.piece, place.begin, data)
  }

  #rejected(span: Span): void {
    const rejected = this.#asking.rejected(span)
    if (rejected === undefined) return
    this.#sendCancels(rejected.cancelled)
    // what came before it counts first
    for (const { piece, begin, length } of this.#asking.arrived()) this.#telling.arrived(piece, begin, length)
    this.#telling.tell({ type: 'rejected', ...rejected.lost })
  }

  #requested(block: Span): void {
    const { has, space } = this.#options
    if (this.#choking || !has(block.index)) {
      this.#sendRejects([block])
      return
    }
    for (const part of space.inSwarm(block.index, block.begin, block.length)) {
      if (part.kind !== 'piece') continue
      this.#answering.add(spanOf(block), part)
      return
    }
    this.#answering.add(spanOf(block), { piece: NO_PIECE, begin: block.index })
  }

  #cancelled(span: Span): void {
    const { rejected, over } = this.#answering.cancel(span)
    this.#sendRejects(rejected)
    if (over !== undefined && over.piece !== NO_PIECE) this.#telling.tell({ type: 'shortened', ...over })
  }

  #formRuns(): void {
    for (const span of this.#answering.formed()) {
      if (span.piece === NO_PIECE) void this.#send(span)
      else this.#telling.tell({ type: 'requested', ...span, offered: false })
    }
  }

  // --- from the scheduler

  /** Torrent pieces that are here now. */
  tellHave(indexes: readonly number[]): void {
    const { connection } = this.#options
    for (const index of indexes)
      if (connection.have?.has(index) !== true) connection.send({ type: 'have', index })
  }

  act(action: PeerWireAction): void {
    if (this.#ended) return
    this.#command(action)
    this.#options.onReady()
  }

  #command(action: PeerWireAction): void {
    const { connection } = this.#options
    switch (action.type) {
      case 'choke':
        this.#choking = true
        connection.send({ type: 'choke' })
        this.#sendRejects(this.#answering.refuseAll())
        return
      case 'unchoke':
        this.#choking = false
        connection.send({ type: 'unchoke' })
        return
      case 'interested':
      case 'uninterested':
        this.#interested = action.type === 'interested'
        connection.send({ type: this.#interested ? 'interested' : 'not-interested' })
        return
      case 'suggest':
        this.#suggest(action.piece)
        return
      case 'request':
        this.#request(action)
        return
      case 'cancel':
        this.#sendCancels(this.#asking.cancel(action))
        return
      case 'send':
        void this.#send(action)
        return
      case 'reject':
        this.#sendRejects(this.#answering.refuse(action))
        return
      case 'offer':
      case 'offer-uplink':
        this.#tellLater({ type: 'declined', piece: action.type === 'offer' ? action.piece : undefined })
        return
    }
  }

  #suggest(piece: number): void {
    const { connection, space } = this.#options
    if (!connection.fast) return
    for (const { first } of space.indexesOf(piece)) {
      connection.send({ type: 'suggest', index: first })
      return
    }
  }

  #request({ piece, begin, length }: ActionOf<'request'>): void {
    const { connection, host, peer, root, space } = this.#options
    const parts = connection.have && space.onWire(piece, begin, length, connection.have)
    if (parts === undefined) {
      this.#tellLater({ type: 'rejected', piece, begin, length })
      return
    }
    for (const known of this.#asking.ask({ piece, begin, length }, parts))
      host.keep(root, peer, piece, known.begin, known.bytes)
    this.#ask()
  }

  #ask(): void {
    for (const { index, begin, length } of this.#asking.next())
      this.#options.connection.send({ type: 'request', index, begin, length })
  }

  async #send(span: Pick<PieceSpan, 'piece' | 'begin'>): Promise<void> {
    const run = this.#answering.grant(span)
    const data = run && (await this.#read(run))
    if (this.#ended) return
    if (run !== undefined && data !== undefined && this.#answering.give(run, data)) {
      this.#options.onReady()
      return
    }
    this.#sendRejects(run === undefined ? [] : this.#answering.refuse(span))
    this.#options.onReady()
    const { piece, begin } = span
    if (piece !== NO_PIECE) this.#telling.tell({ type: 'send-failed', piece, begin })
  }

  /** All bytes of a run; undefined where they cannot be read. */
  async #read(run: Run): Promise<Uint8Array | undefined> {
    const length = run.blocks.reduce((sum, block) => sum + block.length, 0)
    try {
      return await readTorrent(this.#options.host, this.#options, { index: run.index, begin: run.at, length })
    } catch (thrown) {
      this.#options.onError(asError(thrown))
      return undefined
    }
  }

  // --- data out

  get ready(): boolean {
    return this.#answering.ready
  }

  /** Blocks to write, at least `most` bytes of them if there are so many, in whole messages. */
  write(most: number): { readonly parts: Uint8Array[]; readonly bytes: number; readonly left: Left[] } {
    const parts: Uint8Array[] = []
    const left: Left[] = []
    let bytes = 0
    while (bytes < most) {
      const answer = this.#answering.next()
      if (answer === undefined) break
      const { run, block, data } = answer
      const last = left.at(-1)
      if (last?.piece === run.piece && last.begin === run.begin) last.bytes += block.length
      else left.push({ piece: run.piece, begin: run.begin, bytes: block.length })
      if (data === undefined) this.#sendRejects([block])
      else {
        parts.push(...encodeMessage({ type: 'piece', index: block.index, begin: block.begin, data }))
        bytes += data.length
      }
    }
    if (bytes > 0) this.#options.host.onSent(this.#options.root, this.#options.peer, bytes)
    return { parts, bytes, left }
  }

  // --- messages

  #sendCancels(blocks: readonly Span[]): void {
    for (const { index, begin, length } of blocks)
      this.#options.connection.send({ type: 'cancel', index, begin, length })
  }

  /** Only who speaks the fast extension is told. */
  #sendRejects(blocks: readonly Span[]): void {
    const { connection } = this.#options
    if (!connection.fast) return
    for (const { index, begin, length } of blocks) connection.send({ type: 'reject', index, begin, length })
  }

  #tellLater(event: PeerTelling): void {
    queueMicrotask(() => this.#telling.tell(event))
  }
}

function spanOf({ index, begin, length }: Span): Span {
  return { index, begin, length }
}
