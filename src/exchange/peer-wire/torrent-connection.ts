/**
 * One connection with a BitTorrent client for one torrent, from behind the 68 bytes of its handshake on; without a socket and
 * without a clock: bytes go in and events come out, commands go in and messages come out. Data goes out past it, for its
 * order is that of the uplink.
 *
 * The pieces may become known later, where only the info hash was known: until then the peer's list is kept, nothing can
 * be asked for, and what it asks for is turned down.
 */
import { Bitfield } from '../../core/bitfield.ts'
import { MAX_BACKLOG_BYTES } from './connection.ts'
import { FrameDecoder } from './framing.ts'
import { type ListMessage, listedPieces, listMessage } from './have-list.ts'
import { decodeMessage, type KnownMessage, type Message, type Span } from './messages.ts'
import { decodeMetadataMessage, encodeMetadataMessage, type MetadataMessage } from './metadata-messages.ts'
import { type Haste, Outbox, type Outgoing } from './outbox.ts'
import { decodeTorrentGreeting, encodeTorrentGreeting, type TorrentGreeting } from './torrent-greeting.ts'
import { decodePex, encodePex, type PexNews } from './torrent-pex.ts'
import { WireViolation } from './violation.ts'

/** The largest bitfield, of 2^21 pieces; blocks, metadata and hashes are smaller. */
const MAX_TORRENT_FRAME_BYTES = 320 << 10

/** Longest block that may be asked for: most clients ask for 16 KiB, and hang up on more than 128. */
const MAX_BLOCK_BYTES = 128 << 10

/** Haves that are kept until the pieces are known. */
const MOST_EARLY_HAVES = 65_536

/** The ids by which we want to be sent extensions. */
const IDS = { ut_metadata: 1, ut_pex: 2 } as const
type TorrentExtension = keyof typeof IDS

type Hashes = Extract<Message, { type: 'hash-request' | 'hash-reject' | 'hashes' }>

export type TorrentEvent =
  | { readonly type: 'greeted'; readonly greeting: TorrentGreeting }
  /** What the peer has; comes once the pieces are known and it said so, or said anything else. */
  | { readonly type: 'listed'; readonly have: Bitfield }
  | { readonly type: 'choked' | 'unchoked' | 'interested' | 'not-interested' }
  | { readonly type: 'have' | 'suggested' | 'allowed'; readonly index: number }
  /** Bytes of a block, or a part of one: a view of what was received. */
  | { readonly type: 'data'; readonly index: number; readonly begin: number; readonly data: Uint8Array }
  | ({ readonly type: 'requested' | 'cancelled' | 'rejected' } & Span)
  | { readonly type: 'metadata'; readonly message: MetadataMessage }
  | ({ readonly type: 'peers' } & PexNews)
  | Hashes
  /** The UDP port of its DHT node. */
  | { readonly type: 'dht'; readonly port: number }

/** The dimensions of a torrent. */
export interface TorrentSize {
  readonly pieces: number
  /** Bytes of a piece on the wire. */
  sizeOf(index: number): number
}

export interface TorrentConnectionOptions {
  /** What the peer's handshake said that it speaks. */
  readonly fast: boolean
  readonly extended: boolean
  readonly size: TorrentSize | undefined
}

export class TorrentConnection {
  readonly fast: boolean
  readonly #extended: boolean
  readonly #frames = new FrameDecoder(MAX_TORRENT_FRAME_BYTES)
  readonly #outbox = new Outbox()
  readonly #theirIds = new Map<string, number>()
  #size: TorrentSize | undefined
  /** What the peer said before the pieces were known. */
  #list: ListMessage | undefined
  readonly #early = new Set<number>()
  #unchoked = false
  #interested = false
  #have: Bitfield | undefined

  constructor({ fast, extended, size }: TorrentConnectionOptions) {
    this.fast = fast
    this.#extended = extended
    this.#size = size
  }

  /** What the peer has; undefined until it is known. */
  get have(): Bitfield | undefined {
    return this.#have
  }

  /** Bytes of messages that wait to be written. */
  get backlog(): number {
    return this.#outbox.bytes
  }

  get haste(): Haste {
    return this.#outbox.haste
  }

  speaks(name: TorrentExtension): boolean {
    return this.#theirIds.has(name)
  }

  // --- commands

  /** Our extended handshake; nothing where the peer knows none. */
  greet(greeting: Omit<TorrentGreeting, 'extensions'>, extensions: readonly TorrentExtension[]): void {
    if (!this.#extended) return
    const ids = new Map(extensions.map((name) => [name, IDS[name]]))
    const payload = encodeTorrentGreeting({ ...greeting, extensions: ids })
    this.#outbox.send({ type: 'extended', id: 0, payload })
  }

  /** What we have, once, before any other piece message; undefined while the pieces are not known. */
  list(have: Bitfield | undefined): void {
    if (this.fast) this.#outbox.send(have === undefined ? { type: 'have-none' } : listMessage(have))
    else if (have !== undefined && have.count > 0)
      this.#outbox.send({ type: 'bitfield', bits: have.bytes.slice() })
  }

  /** The pieces are known from now on; what the peer said of them before comes as events. @throws WireViolation */
  know(size: TorrentSize): readonly TorrentEvent[] {
    this.#size = size
    const said = this.#list !== undefined || this.#early.size > 0 || this.#unchoked || this.#interested
    return [
      ...(said ? [this.#listed(size)] : []),
      ...(this.#unchoked ? [{ type: 'unchoked' } as const] : []),
      ...(this.#interested ? [{ type: 'interested' } as const] : []),
    ]
  }

  send(message: Exclude<KnownMessage, { type: 'piece' | 'extended' }>, haste?: Haste): void {
    this.#outbox.send(message, haste)
  }

  /** False when the peer does not know the extension. */
  sendMetadata(message: MetadataMessage): boolean {
    return this.#extend('ut_metadata', Buffer.concat(encodeMetadataMessage(message)))
  }

  sendPeers(news: PexNews): boolean {
    return this.#extend('ut_pex', encodePex(news))
  }

  /** The messages that wait. */
  take(): Outgoing | undefined {
    return this.#outbox.take()
  }

  #extend(name: TorrentExtension, payload: Uint8Array): boolean {
    const id = this.#theirIds.get(name)
    if (id === undefined) return false
    this.#outbox.send({ type: 'extended', id, payload })
    return true
  }

  // --- what comes in

  /** What a chunk of the stream says. Run it to its end before the next chunk. @throws WireViolation */
  *receive(chunk: Uint8Array): Generator<TorrentEvent, void, undefined> {
    for (const frame of this.#frames.push(chunk)) {
      if (this.#outbox.bytes > MAX_BACKLOG_BYTES)
        throw new WireViolation('backlog', `${this.#outbox.bytes} bytes wait to be read`)
      yield* this.#take(frame instanceof Uint8Array ? decodeMessage(frame) : frame)
    }
  }

  *#take(message: Message): Generator<TorrentEvent> {
    switch (message.type) {
      case 'bitfield':
      case 'have-all':
      case 'have-none':
        yield* this.#takeList(message)
        return
      case 'have':
        yield* this.#takeHave(message.index)
        return
      case 'extended':
        yield* this.#takeExtended(message.id, message.payload)
        return
      case 'port':
        if (message.port > 0) yield { type: 'dht', port: message.port }
        return
      case 'hash-request':
      case 'hash-reject':
      case 'hashes':
        yield message
        return
      case 'keep-alive':
      case 'unknown':
        return
      default:
        yield* this.#takeTrade(message)
    }
  }

  *#takeTrade(
    message: Extract<
      Message,
      {
        type:
          | 'choke'
          | 'unchoke'
          | 'interested'
          | 'not-interested'
          | 'request'
          | 'cancel'
          | 'reject'
          | 'piece'
          | 'suggest'
          | 'allowed-fast'
      }
    >,
  ): Generator<TorrentEvent> {
    // who has nothing need not say so, and says other things then
    if (this.#size !== undefined && this.#have === undefined) yield this.#listed(this.#size)
    switch (message.type) {
      case 'choke':
      case 'unchoke':
        this.#unchoked = message.type === 'unchoke'
        if (this.#size !== undefined) yield { type: this.#unchoked ? 'unchoked' : 'choked' }
        return
      case 'interested':
      case 'not-interested':
        this.#interested = message.type === 'interested'
        if (this.#size !== undefined) yield { type: message.type }
        return
      case 'request':
        yield* this.#takeRequest(message)
        return
      case 'cancel':
        yield { ...message, type: 'cancelled' }
        return
      case 'reject':
        yield { ...message, type: 'rejected' }
        return
      case 'piece':
        yield { ...message, type: 'data' }
        return
      case 'suggest':
      case 'allowed-fast':
        if (this.#size === undefined) return
        this.#check(message.index, this.#size)
        yield { type: message.type === 'suggest' ? 'suggested' : 'allowed', index: message.index }
    }
  }

  /** A list that comes later is news like haves: aria2 sends it where it is shorter than they are. */
  *#takeList(message: ListMessage): Generator<TorrentEvent> {
    if (this.#have !== undefined) {
      for (const index of listedPieces(message, this.#have.length))
        if (this.#have.add(index)) yield { type: 'have', index }
      return
    }
    this.#list = message
    if (this.#size !== undefined) yield this.#listed(this.#size)
  }

  *#takeHave(index: number): Generator<TorrentEvent> {
    if (this.#size === undefined) {
      if (this.#early.size < MOST_EARLY_HAVES) this.#early.add(index)
      return
    }
    if (this.#have === undefined) yield this.#listed(this.#size)
    this.#check(index, this.#size)
    if (this.#have?.add(index)) yield { type: 'have', index }
  }

  *#takeRequest({ index, begin, length }: Span): Generator<TorrentEvent> {
    if (this.#size === undefined) {
      if (this.fast) this.#outbox.send({ type: 'reject', index, begin, length })
      return
    }
    this.#check(index, this.#size)
    const size = this.#size.sizeOf(index)
    if (length === 0 || length > MAX_BLOCK_BYTES || begin + length > size)
      throw new WireViolation('out-of-bounds', `bytes ${begin}+${length} of ${size} in piece ${index}`)
    yield { type: 'requested', index, begin, length }
  }

  *#takeExtended(id: number, payload: Uint8Array): Generator<TorrentEvent> {
    switch (id) {
      case 0: {
        const greeting = decodeTorrentGreeting(payload)
        for (const [name, theirs] of greeting.extensions)
          if (theirs === 0) this.#theirIds.delete(name)
          else if (name in IDS) this.#theirIds.set(name, theirs)
        yield { type: 'greeted', greeting }
        return
      }
      case IDS.ut_metadata: {
        const message = decodeMetadataMessage(payload)
        if (message !== undefined) yield { type: 'metadata', message }
        return
      }
      case IDS.ut_pex:
        yield { type: 'peers', ...decodePex(payload) }
    }
  }

  #listed({ pieces }: TorrentSize): TorrentEvent {
    const have = this.#list === undefined ? new Bitfield(pieces) : listedPieces(this.#list, pieces)
    for (const index of this.#early) have.add(index)
    this.#list = undefined
    this.#early.clear()
    this.#have = have
    return { type: 'listed', have }
  }

  #check(index: number, { pieces }: TorrentSize): void {
    if (index >= pieces) throw new WireViolation('out-of-bounds', `piece ${index} of ${pieces}`)
  }
}
