/**
 * Between the scheduler and one connection: events of the wire become events of the swarm, actions become commands.
 * Where an action cannot be carried out any more, because something crossed it, the scheduler is told so in its own
 * words, later: it is busy with the event that led to the action.
 */
import type { PeerKey, RootKey } from '../../core/types.ts'
import type { SwarmEvent } from '../../swarm/events.ts'
import type { Connection } from './connection.ts'
import type { WireEvent } from './events.ts'
import { Givings } from './givings.ts'
import type { PeerWireAction, PeerWireHost } from './host.ts'
import type { DataPart } from './outbox.ts'
import type { Receiving } from './receiving.ts'
import type { Sending } from './sending.ts'
import { type PeerTelling, Telling, translated } from './telling.ts'

type ActionOf<Type extends PeerWireAction['type']> = Extract<PeerWireAction, { readonly type: Type }>

type Sent = { readonly type: 'sent'; readonly piece: number; readonly begin: number; bytes: number }

/** A peer that takes no more requests may offer again after this. */
const FULL_MS = 100

export interface TradeOptions {
  readonly connection: Connection
  readonly host: PeerWireHost
  readonly root: RootKey
  readonly peer: PeerKey
  /** The pieces on their way to us. */
  expected(): Iterable<number>
  /** There is something to write. */
  onReady(): void
  /** So much of what left has arrived. */
  onConfirmed(bytes: number): void
}

export class Trade {
  readonly #options: TradeOptions
  readonly #telling: Telling
  readonly #givings: Givings
  /** Answers whose blocks are being read, by piece and begin. */
  readonly #reading = new Set<string>()
  /** What has left and is not told yet. */
  #sent: Sent | undefined
  #joined = false
  #ended = false

  constructor(options: TradeOptions) {
    this.#options = options
    const { host, root, peer } = options
    this.#telling = new Telling((event) => host.dispatch({ ...event, root, peer } as SwarmEvent))
    this.#givings = new Givings((block) => host.release?.(root, block))
  }

  /** The peer said what it has, so it takes part in the swarm. */
  get joined(): boolean {
    return this.#joined
  }

  // --- from the wire

  take(event: WireEvent): void {
    switch (event.type) {
      case 'listed':
        this.#join([...event.have])
        return
      case 'have':
        this.#telling.list('has', event.index)
        return
      case 'expects':
      case 'expects-no-more':
        this.#telling.list(event.type, event.index)
        return
      case 'data':
        this.#keep(event)
        this.#telling.arrived(event.index, event.begin, event.data.length)
        return
      case 'confirmed':
        this.confirmed(event.bytes)
        return
      case 'declined':
      case 'busy':
        // an eager piece ends here; what left of it is acknowledged, but nobody waits for that
        if (event.index !== undefined) this.#givings.end(event.index, 0, false)
        break
      case 'shortened':
        this.#shorten(event.index, event.begin, event.length, event.ended)
        break
    }
    const told = translated(event)
    if (told !== undefined) this.#telling.tell(told)
  }

  /** Call when nothing more comes for now. */
  flush(): void {
    this.#telling.flush()
  }

  /** Data was written. */
  left(data: DataPart): void {
    this.#givings.left(data)
    this.#options.host.onSent(this.#options.root, this.#options.peer, data.length)
    const { index: piece, request: begin, length: bytes } = data
    const sent = this.#sent
    if (sent?.piece === piece && sent.begin === begin) sent.bytes += bytes
    else this.#tellSent({ type: 'sent', piece, begin, bytes })
  }

  /** So many more of the bytes that left have arrived. */
  confirmed(bytes: number): void {
    this.#options.onConfirmed(bytes)
    for (const delivered of this.#givings.confirmed(bytes))
      this.#telling.tell({ type: 'delivered', ...delivered })
  }

  /** The connection is over; with a reason, if that is the peer's fault. */
  end(fault: string | undefined): void {
    if (this.#ended) return
    this.#telling.flush()
    // the scheduler may be what ended it
    if (fault !== undefined) this.#tellLater({ type: 'misbehaved', reason: fault })
    if (this.#joined) this.#tellLater({ type: 'left' })
    this.#ended = true
  }

  #join(pieces: readonly number[]): void {
    for (const piece of this.#options.expected()) this.#options.connection.receiving?.expect(piece)
    const wire = this.#options.connection.speaks('share_offer') ? 'share' : 'bittorrent'
    this.#joined = true
    this.#telling.tell({ type: 'joined', wire, has: pieces })
  }

  #keep({ index, begin, data }: Extract<WireEvent, { type: 'data' }>): void {
    const { host, root, peer } = this.#options
    host.keep(root, peer, index, begin, data)
  }

  #shorten(piece: number, begin: number, length: number, ended: boolean): void {
    if (length === 0) this.#reading.delete(keyOf(piece, begin))
    if (ended) this.#givings.end(piece, begin, length > 0)
  }

  // --- from the scheduler

  act(action: PeerWireAction): void {
    const { receiving, sending } = this.#options.connection
    // before both know the pieces there is nothing to trade, and what we have is told then
    if (receiving === undefined || sending === undefined || this.#ended) return
    this.#command(action, receiving, sending)
    this.#options.onReady()
  }

  #command(action: PeerWireAction, receiving: Receiving, sending: Sending): void {
    switch (action.type) {
      case 'have':
        sending.have(action.piece)
        return
      case 'expect':
      case 'expect-no-more':
        receiving.expect(action.piece, action.type === 'expect-no-more')
        return
      case 'choke':
        sending.choke()
        return
      case 'unchoke':
        sending.unchoke()
        return
      case 'interested':
      case 'uninterested':
        receiving.setInterested(action.type === 'interested')
        return
      case 'suggest':
        sending.suggest(action.piece)
        return
      case 'request':
        this.#request(action, receiving)
        return
      case 'cancel':
        receiving.cancel(spanOf(action))
        return
      case 'decline':
        receiving.decline(action.piece)
        return
      case 'busy':
        receiving.busy(action.ms, action.piece)
        return
      case 'offer':
        if (action.eager) void this.#offerEagerly(action, sending)
        else if (!sending.offer(action.piece, action))
          this.#tellLater({ type: 'declined', piece: action.piece })
        return
      case 'offer-uplink':
        if (!sending.offerUplink(action)) this.#tellLater({ type: 'declined', piece: undefined })
        return
      case 'send':
        void this.#send(action, sending)
        return
      case 'reject':
        this.#reading.delete(keyOf(action.piece, action.begin))
        sending.reject(action.piece, action.begin)
        this.#givings.end(action.piece, action.begin, false)
        return
    }
  }

  #request(action: ActionOf<'request'>, receiving: Receiving): void {
    const { piece, begin, length } = action
    if (receiving.request(spanOf(action))) return
    // the piece may have been offered, and an offer stands until it is answered
    receiving.busy(FULL_MS, piece)
    this.#tellLater({ type: 'rejected', piece, begin, length })
  }

  async #send({ piece, begin, length }: ActionOf<'send'>, sending: Sending): Promise<void> {
    const key = keyOf(piece, begin)
    this.#reading.add(key)
    const block = await this.#read(piece)
    const wanted = this.#reading.delete(key) && !this.#ended
    if (block !== undefined && wanted && block.length >= begin + length) {
      if (sending.answer(piece, begin, block.subarray(begin, begin + length))) {
        this.#givings.start(piece, begin, block)
        this.#options.onReady()
        return
      }
    }
    if (block !== undefined) this.#options.host.release?.(this.#options.root, block)
    if (!wanted) return
    // a choke may have ended the request meanwhile; otherwise the peer waits for an answer
    if (sending.reject(piece, begin)) this.#options.onReady()
    this.#telling.tell({ type: 'send-failed', piece, begin })
  }

  /** The block is read first: there is nothing to take back an offer with. */
  async #offerEagerly(action: ActionOf<'offer'>, sending: Sending): Promise<void> {
    const { piece } = action
    const block = await this.#read(piece)
    const size = this.#options.host.pieces(this.#options.root)?.sizes[piece]
    if (block !== undefined && block.length === size && !this.#ended) {
      if (sending.offerEagerly(piece, action, block)) {
        this.#givings.start(piece, 0, block)
        this.#options.onReady()
        return
      }
    }
    if (block !== undefined) this.#options.host.release?.(this.#options.root, block)
    if (!this.#ended) this.#telling.tell({ type: 'declined', piece })
  }

  async #read(piece: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#options.host.read(this.#options.root, piece)
    } catch {
      return undefined
    }
  }

  /** Later, and with what leaves of the same request until then. */
  #tellSent(sent: Sent): void {
    this.#sent = sent
    queueMicrotask(() => {
      if (this.#sent === sent) this.#sent = undefined
      this.#telling.tell(sent)
    })
  }

  #tellLater(event: PeerTelling): void {
    queueMicrotask(() => this.#telling.tell(event))
  }
}

function spanOf(action: { readonly piece: number; readonly begin: number; readonly length: number }) {
  return { index: action.piece, begin: action.begin, length: action.length }
}

function keyOf(piece: number, begin: number): string {
  return `${piece} ${begin}`
}
