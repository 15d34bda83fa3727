/**
 * One libp2p stream with a peer, for one root: the connection behind it, and when its bytes are read and written.
 * Messages leave at the end of what led to them; those that are in no haste, and acknowledgements of less than a full
 * measure, wait a moment for others. Data leaves when its turn comes. Nothing is written into a stream that does not drain.
 */
import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { asError } from '../../core/errors.ts'
import type { Millis, PeerKey, RootKey } from '../../core/types.ts'
import type { Outflow, Outlet } from '../outflow.ts'
import { Connection, type Pieces } from './connection.ts'
import type { WireEvent } from './events.ts'
import type { PeerWireAction, PeerWireHost } from './host.ts'
import { NewsBudget } from './news-budget.ts'
import type { Outgoing } from './outbox.ts'
import type { PeerNews } from './peer-news.ts'
import { Trade } from './trade.ts'
import { LATE_MS, Turns, type Writing } from './turns.ts'
import { WireViolation } from './violation.ts'

/** Requests that we take at once: the scheduler asks for one piece at a time, other clients for blocks of 16 KiB. */
const MOST_REQUESTS = 250

/** How long messages in some haste wait for others to go with. */
const SOON_MS = 20

/**
 * Data is acknowledged after so long, also where there is less of it than acknowledgements are made for; the send
 * window allows for as much (SLACK_MS there).
 */
const ACK_DELAY_MS = 40

/** After so much silence of ours a keep-alive: libp2p ends streams that rest for 120 s. */
const KEEP_ALIVE_MS = 75_000

/** From opening a stream to a handshake of both sides. */
const HANDSHAKE_MS = 10_000

export interface SessionOptions {
  readonly stream: Stream
  readonly peer: PeerKey
  readonly host: PeerWireHost
  readonly outflow: Outflow
  readonly version: string
  readonly now: () => Millis
  /** The peer named its root. One who was dialled is to `introduce` itself. */
  onGreeted(session: Session, root: Uint8Array): void
  onEnded(session: Session, error: Error | undefined): void
  /** The pieces on their way to us. */
  expected(root: RootKey): Iterable<number>
  /** Bytes wait to be stored: reading stops until the promise resolves. */
  full(): Promise<void> | undefined
}

export class Session implements Writing {
  readonly peer: PeerKey
  readonly connection: Connection
  readonly outbound: boolean
  readonly #options: SessionOptions
  readonly #openedAt: Millis
  readonly #news: NewsBudget
  readonly #turns: Turns
  #wroteAt: Millis
  #root: RootKey | undefined
  #trade: Trade | undefined
  #outlet: Outlet | undefined
  /** Written, not yet taken by the transport, and of a peer that acknowledges nothing. */
  #untaken = 0
  #ended = false
  #version: string | undefined

  constructor(options: SessionOptions) {
    const { stream, now } = options
    this.#options = options
    this.peer = options.peer
    this.outbound = stream.direction === 'outbound'
    this.connection = new Connection({ version: options.version, requests: MOST_REQUESTS })
    this.#openedAt = now()
    this.#wroteAt = now()
    this.#news = new NewsBudget(now())
    this.#turns = new Turns(this, now)
    stream.addEventListener('message', ({ data }) => this.#receive(data))
    // libp2p goes on with what it holds in a microtask of its own, after which it may be full again
    stream.addEventListener('drain', () => queueMicrotask(() => this.#onDrain()))
    stream.addEventListener('end', () => this.end())
    stream.addEventListener('close', ({ error }) => this.end(error))
  }

  get root(): RootKey | undefined {
    return this.#root
  }

  get joined(): boolean {
    return this.#trade?.joined === true
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Name and version of the peer's program, as it says. */
  get version(): string | undefined {
    return this.#version
  }

  /** Our handshake for this root; with the pieces, if they are all known. */
  introduce(root: RootKey, bytes: Uint8Array, pieces: Pieces | undefined): void {
    this.#root = root
    this.#trade = new Trade({
      connection: this.connection,
      host: this.#options.host,
      root,
      peer: this.peer,
      expected: () => this.#options.expected(root),
      onReady: () => this.#turns.soon(),
      onConfirmed: (count) => this.#outlet?.confirmed(count),
    })
    this.#turns.guard(() => this.connection.introduce(bytes, pieces))
    this.#turns.flush()
  }

  /** Our manifest is complete. */
  count(pieces: Pieces): void {
    if (this.#ended || this.#root === undefined || this.connection.counted) return
    this.#turns.guard(() => this.connection.count(pieces))
    this.#turns.flush()
  }

  act(action: PeerWireAction): void {
    if (this.#ended) return
    this.#turns.guard(() => this.#trade?.act(action))
  }

  /** Tells of peers, which the host does not do too often. */
  tellPeers(news: PeerNews): void {
    if (!this.#ended && this.connection.tellPeers(news)) this.#turns.soon()
  }

  /** Looks at the clock: call every few seconds. */
  tick(): void {
    const now = this.#options.now()
    if (this.#ended) return
    if (this.connection.phase === 'greeting' || this.#root === undefined) {
      if (now - this.#openedAt >= HANDSHAKE_MS) this.end(new Error('no handshake came'))
      return
    }
    if (now - this.#wroteAt < KEEP_ALIVE_MS) return
    this.connection.keepAlive()
    this.#turns.flush()
  }

  /** Ends the stream at once, whoever wants that. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#turns.stop()
    this.#outlet?.close()
    const { stream } = this.#options
    if (stream.status === 'open') stream.abort(error ?? new Error('done'))
    this.#options.onEnded(this, error)
    const atFault = error instanceof WireViolation && error.blame === 'peer'
    this.#trade?.end(atFault ? error.message : undefined)
  }

  // --- reading

  #receive(data: Uint8Array | Uint8ArrayList): void {
    this.#turns.take(() => {
      for (const chunk of data instanceof Uint8Array ? [data] : data) this.#take(chunk)
      this.#trade?.flush()
    })
    if (!this.#ended) this.#waitWhileFull()
  }

  #take(chunk: Uint8Array): void {
    for (const event of this.connection.receive(chunk)) {
      if (this.#ended) return
      this.#on(event)
    }
  }

  #on(event: WireEvent): void {
    switch (event.type) {
      case 'greeted':
        this.#version = event.handshake.version
        this.#options.onGreeted(this, event.root)
        return
      case 'peers': {
        const news = this.#root && this.#news.hear(event, this.#options.now())
        if (news !== undefined) this.#options.host.onPeers(this.#root as RootKey, this.peer, news)
        return
      }
      default:
        if (event.type === 'listed') this.#openOutlet()
        this.#trade?.take(event)
    }
  }

  #waitWhileFull(): void {
    const full = this.#options.full()
    const { stream } = this.#options
    if (full === undefined || stream.readStatus !== 'readable') return
    stream.pause()
    void full.then(() => {
      if (stream.readStatus === 'paused') stream.resume()
    })
  }

  // --- writing

  #openOutlet(): void {
    this.#outlet = this.#options.outflow.join({
      root: this.#root,
      confirms: this.connection.speaks('share_ack'),
      write: (most) => this.#writeData(most),
    })
  }

  get drains(): boolean {
    const { stream } = this.#options
    return stream.writeStatus === 'writable' && !stream.writableNeedsDrain
  }

  get backlog(): number {
    return this.connection.backlog
  }

  #onDrain(): void {
    if (this.#ended || !this.drains) return
    this.#taken()
    this.#turns.flush()
  }

  /** Data takes the messages that wait along; without any, those that press go alone. */
  write(): void {
    const { connection } = this
    if (connection.sending?.ready) this.#outlet?.wake()
    if (connection.haste === 'now') this.#writeMessages()
    if (connection.haste === 'soon') this.#turns.within(SOON_MS)
    if ((connection.receiving?.unconfirmed ?? 0) > 0) this.#turns.within(ACK_DELAY_MS)
    else if (connection.backlog > 0) this.#turns.within(LATE_MS)
  }

  writeLate(): void {
    this.connection.receiving?.acknowledge()
    if (this.drains) this.#writeMessages()
  }

  #writeMessages(): void {
    const messages = this.connection.nextMessages()
    if (messages === undefined) return
    this.#options.outflow.charge(messages.bytes, this.#root)
    this.#send(new Uint8ArrayList(...messages.parts))
  }

  #writeData(most: number): number {
    if (this.#ended || !this.drains) return 0
    const messages = this.connection.nextMessages()
    const list = new Uint8ArrayList(...(messages?.parts ?? []))
    let bytes = 0
    while (bytes < most) {
      const outgoing = this.connection.nextData(most - bytes)
      if (outgoing?.data === undefined) break
      this.#appendData(list, outgoing)
      bytes += outgoing.data.length
    }
    if (list.byteLength === 0) return 0
    this.#options.outflow.charge(list.byteLength - bytes, this.#root)
    if (!this.connection.speaks('share_ack')) this.#untaken += bytes
    this.#send(list)
    return bytes
  }

  #appendData(list: Uint8ArrayList, { parts, data }: Outgoing): void {
    for (const part of parts) list.append(part)
    if (data !== undefined) this.#trade?.left(data)
  }

  #send(list: Uint8ArrayList): void {
    this.#wroteAt = this.#options.now()
    try {
      if (this.#options.stream.send(list) && this.#untaken > 0) queueMicrotask(() => this.#onDrain())
    } catch (thrown) {
      queueMicrotask(() => this.end(asError(thrown)))
    }
  }

  /** Where the peer acknowledges nothing, what the transport has taken counts as arrived. */
  #taken(): void {
    const bytes = this.#untaken
    this.#untaken = 0
    if (bytes > 0) this.#trade?.confirmed(bytes)
  }
}
