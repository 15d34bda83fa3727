/**
 * One connection between two `share` nodes for one root, without a socket and without a clock: bytes go in and
 * events come out, commands go in and bytes come out.
 *
 * `receive` interprets each message when its event is asked for, so a command given in answer to one event counts
 * before the next. `next` gives what is to be written, when the one who owns the uplink wants to write: messages
 * first, then data. The state lies in three places: the phase here, `receiving` and `sending` from when both ends
 * know the pieces. After a violation there is nothing left but to close.
 */
import type { Bitfield } from '../../core/bitfield.ts'
import type { WireEvent } from './events.ts'
import { decodeExtension, EXTENSION_IDS, type ExtensionName } from './extensions.ts'
import { FrameDecoder } from './framing.ts'
import { decodeHandshake, encodeHandshake, type Handshake } from './handshake.ts'
import { type ListMessage, listedPieces, listMessage } from './have-list.ts'
import { decodeMessage, type Message } from './messages.ts'
import { type Haste, Outbox, type Outgoing } from './outbox.ts'
import type { PeerNews } from './peer-news.ts'
import { kindOf, type Phase, RULES } from './phases.ts'
import { Receiving } from './receiving.ts'
import { Sending } from './sending.ts'
import { WireViolation } from './violation.ts'

/** Messages that wait for a peer that does not read: the largest bitfield fits, and news of 200,000 pieces. */
export const MAX_BACKLOG_BYTES = 4 << 20

/** A manifest that was walked to its end. */
export interface Pieces {
  /** Bytes of each piece's block. */
  readonly sizes: ArrayLike<number>
  /** What we have; read when it is told, so it has to be kept up to date. */
  readonly have: Bitfield
}

export interface ConnectionOptions {
  /** Name and version of this program. */
  readonly version: string
  /** Requests that we take at once. */
  readonly requests: number
  /** Longest message taken, in bytes. */
  readonly maxFrameBytes?: number
}

export class Connection {
  readonly #options: ConnectionOptions
  readonly #frames: FrameDecoder
  readonly #outbox = new Outbox()
  #phase: Phase = 'greeting'
  /** What we told in our first handshake. */
  #root: Uint8Array | undefined
  #pieces: Pieces | undefined
  /** What the peer told. */
  #greeting: (Handshake & { root: Uint8Array }) | undefined
  #theirCount: number | undefined
  #receiving: Receiving | undefined
  #sending: Sending | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#frames = new FrameDecoder(options.maxFrameBytes)
  }

  get phase(): Phase {
    return this.#phase
  }

  /** What we get; undefined until both know the pieces. */
  get receiving(): Receiving | undefined {
    return this.#receiving
  }

  /** What we give; undefined until both know the pieces. */
  get sending(): Sending | undefined {
    return this.#sending
  }

  /** Our manifest is complete, as far as was said here. */
  get counted(): boolean {
    return this.#pieces !== undefined
  }

  /** Whether the peer takes this extension. */
  speaks(name: ExtensionName): boolean {
    return this.#outbox.speaks(name)
  }

  /**
   * Our first handshake: at once by the one who dialled, after `greeted` by the other. The root is CIDv1 bytes.
   * @throws WireViolation when the peer named another root, or counts other pieces
   */
  introduce(root: Uint8Array, pieces?: Pieces): void {
    if (this.#root !== undefined) throw new Error('introduced twice')
    this.#root = root
    this.#pieces = pieces
    this.#guarded(() => {
      this.#sendHandshake()
      this.#compareRoots()
      this.#compareCounts()
    })
  }

  /** Our second handshake, once the manifest is complete. @throws WireViolation when the peer counts other pieces */
  count(pieces: Pieces): void {
    if (this.#root === undefined || this.#pieces !== undefined) throw new Error('counted twice, or too early')
    this.#pieces = pieces
    this.#guarded(() => {
      this.#sendHandshake()
      this.#compareCounts()
    })
  }

  /** Tells of peers in the swarm. False before both have greeted, and when the peer does not know the message. */
  tellPeers(news: PeerNews): boolean {
    return this.#root !== undefined && this.#outbox.extend({ name: 'share_pex', ...news })
  }

  keepAlive(): void {
    this.#outbox.send({ type: 'keep-alive' })
  }

  /** Bytes of messages, without data, that wait to be written. Those of a peer that sends nothing grow: mind them. */
  get backlog(): number {
    return this.#outbox.bytes
  }

  /** How soon they are worth a write of their own. */
  get haste(): Haste {
    return this.#outbox.haste
  }

  /** What is to be written next; undefined when there is nothing. */
  next(): Outgoing | undefined {
    return this.nextMessages() ?? this.nextData()
  }

  /** The messages that wait, without data. */
  nextMessages(): Outgoing | undefined {
    return this.#phase === 'closed' ? undefined : this.#outbox.take()
  }

  /** One message of data, with at most so many bytes of it. */
  nextData(most = Number.POSITIVE_INFINITY): Outgoing | undefined {
    return this.#phase === 'closed' ? undefined : this.#sending?.next(most)
  }

  /**
   * What a chunk of the stream says. Run it to its end before the next chunk. Views of the chunk are handed on.
   * @throws WireViolation, and ignores all that comes after it
   */
  *receive(chunk: Uint8Array): Generator<WireEvent, void, undefined> {
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.#phase === 'closed') return
        yield* this.#take(frame instanceof Uint8Array ? decodeMessage(frame) : frame)
      }
    } catch (thrown) {
      this.#phase = 'closed'
      throw thrown
    }
  }

  *#take(message: Message): Generator<WireEvent> {
    if (this.#outbox.bytes > MAX_BACKLOG_BYTES)
      throw new WireViolation('backlog', `${this.#outbox.bytes} bytes wait to be read`)
    const rule = RULES[this.#phase][kindOf(message)]
    if (rule === 'ignore') return
    if (rule !== 'take') throw new WireViolation(rule, `a ${message.type} message while ${this.#phase}`)
    switch (message.type) {
      case 'extended':
        yield* this.#takeExtended(message.id, message.payload)
        break
      case 'bitfield':
      case 'have-all':
      case 'have-none':
        yield* this.#takeList(message)
        break
      case 'interested':
      case 'not-interested':
      case 'request':
      case 'cancel':
        yield* this.#sending?.take(message) ?? []
        break
      case 'choke':
      case 'unchoke':
      case 'have':
      case 'piece':
      case 'reject':
      case 'suggest':
      case 'allowed-fast':
        yield* this.#receiving?.take(message) ?? []
        break
    }
  }

  *#takeExtended(id: number, payload: Uint8Array): Generator<WireEvent> {
    if (id === 0) {
      yield* this.#takeHandshake(decodeHandshake(payload))
      return
    }
    const message = decodeExtension(id, payload)
    if (message === undefined) return
    switch (message.name) {
      case 'share_pex':
        yield { type: 'peers', added: message.added, dropped: message.dropped }
        break
      case 'share_offer':
        if (this.#receiving !== undefined) yield* this.#receiving.takeOffer(message)
        break
      default:
        yield* this.#sending?.takeExtension(message) ?? []
    }
  }

  *#takeHandshake(handshake: Handshake): Generator<WireEvent> {
    for (const name of Object.keys(EXTENSION_IDS) as ExtensionName[]) {
      const id = handshake.extensions.get(name)
      if (id !== undefined) this.#outbox.learn(name, id)
    }
    const first = this.#greeting === undefined
    if (first) yield this.#greet(handshake)
    if (handshake.pieces === undefined || handshake.pieces === this.#theirCount) return
    if (this.#theirCount !== undefined)
      throw new WireViolation('count-changed', `${handshake.pieces} pieces, after ${this.#theirCount}`)
    this.#theirCount = handshake.pieces
    yield { type: 'counted', pieces: handshake.pieces, seed: handshake.seed }
    this.#compareCounts()
  }

  #greet(handshake: Handshake): WireEvent {
    const { root } = handshake
    if (root === undefined) throw new WireViolation('wrong-root', 'a handshake without a root')
    this.#greeting = { ...handshake, root }
    this.#phase = 'counting'
    this.#compareRoots()
    return { type: 'greeted', handshake, root }
  }

  *#takeList(message: ListMessage): Generator<WireEvent> {
    if (this.#receiving === undefined) return
    const have = listedPieces(message, this.#receiving.have.length)
    this.#receiving.list(have)
    this.#phase = 'trading'
    yield { type: 'listed', have }
  }

  #sendHandshake(): void {
    if (this.#root === undefined) return
    const payload = encodeHandshake({
      root: this.#root,
      version: this.#options.version,
      requests: this.#options.requests,
      pieces: this.#pieces?.sizes.length,
      seed: this.#pieces?.have.complete ?? false,
      extensions: EXTENSION_IDS,
    })
    this.#outbox.send({ type: 'extended', id: 0, payload })
  }

  #compareRoots(): void {
    if (this.#root === undefined || this.#greeting === undefined) return
    if (Buffer.compare(this.#root, this.#greeting.root) !== 0)
      throw new WireViolation('wrong-root', 'a handshake for another root')
  }

  /** Once both counts are known: says what we have, and opens the trade. */
  #compareCounts(): void {
    if (this.#phase !== 'counting' || this.#greeting === undefined) return
    if (this.#pieces === undefined || this.#theirCount === undefined) return
    const { sizes, have } = this.#pieces
    if (sizes.length !== this.#theirCount)
      throw new WireViolation('count-differs', `${this.#theirCount} pieces here ${sizes.length}`)
    const outbox = this.#outbox
    this.#receiving = new Receiving({ sizes, outbox, limit: this.#greeting.requests })
    this.#sending = new Sending({ sizes, outbox, limit: this.#options.requests })
    this.#phase = 'listing'
    outbox.send(listMessage(have))
  }

  /** A violation closes, also where a command finds it. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (thrown) {
      this.#phase = 'closed'
      throw thrown
    }
  }
}
