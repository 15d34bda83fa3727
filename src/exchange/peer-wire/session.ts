/**
 * One libp2p stream with a peer, for one root: the connection behind it, and when its bytes are read and written.
 * Messages leave at the end of what led to them; those that are in no haste, and acknowledgements of less than a full
 * measure, wait a moment for others. Data leaves when its turn comes. Nothing is written into a stream that does not drain.
 */
import type { Stream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import type { Millis, PeerKey, RootKey } from '../../core/types.ts'
import type { Outflow, Outlet } from '../outflow.ts'
import { Connection, MAX_BACKLOG_BYTES, type Pieces } from './connection.ts'
import type { WireEvent } from './events.ts'
import type { PeerWireAction, PeerWireHost } from './host.ts'
import { NewsBudget } from './news-budget.ts'
import type { Outgoing } from './outbox.ts'
import type { PeerNews } from './peer-news.ts'
import { Trade } from './trade.ts'
import { WireViolation } from './violation.ts'

/** Requests that we take at once: the scheduler asks for one piece at a time, other clients for blocks of 16 KiB. */
const MOST_REQUESTS = 250

/** How long messages wait for others to go with: each write is a record, a packet and an event at the other end. */
const LATE_MS = 100
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

export class Session {
  readonly peer: PeerKey
  readonly connection: Connection
  readonly outbound: boolean
  readonly #options: SessionOptions
  readonly #openedAt: Millis
  readonly #news: NewsBudget
  #wroteAt: Millis
  #root: RootKey | undefined
  #trade: Trade | undefined
  #outlet: Outlet | undefined
  /** Written, not yet taken by the transport, and of a peer that acknowledges nothing. */
  #untaken = 0
  #ended = false
  #receiving = false
  #flushing = false
  #timer: NodeJS.Timeout | undefined
  #timerAt = 0
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
    stream.addEventListener('message', ({ data }) => this.#receive(data))
    // libp2p goes on with what it holds in a microtask of its own, after which it may be full again
    stream.addEventListener('drain', () => queueMicrotask(() => this.#onWritable()))
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
      onReady: () => this.#flushSoon(),
      onConfirmed: (count) => this.#outlet?.confirmed(count),
    })
    this.#guard(() => this.connection.introduce(bytes, pieces))
    this.#flush()
  }

  /** Our manifest is complete. */
  count(pieces: Pieces): void {
    if (this.#ended || this.#root === undefined || this.connection.counted) return
    this.#guard(() => this.connection.count(pieces))
    this.#flush()
  }

  act(action: PeerWireAction): void {
    if (this.#ended) return
    this.#guard(() => this.#trade?.act(action))
  }

  /** Tells of peers, which the host does not do too often. */
  tellPeers(news: PeerNews): void {
    if (!this.#ended && this.connection.tellPeers(news)) this.#flushSoon()
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
    this.#flush()
  }

  /** Ends the stream at once, whoever wants that. */
  end(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timer)
    this.#outlet?.close()
    const { stream } = this.#options
    if (stream.status === 'open') stream.abort(error ?? new Error('done'))
    this.#options.onEnded(this, error)
    const atFault = error instanceof WireViolation && error.blame === 'peer'
    this.#trade?.end(atFault ? error.message : undefined)
  }

  // --- reading

  #receive(data: Uint8Array | Uint8ArrayList): void {
    this.#receiving = true
    this.#guard(() => {
      for (const chunk of data instanceof Uint8Array ? [data] : data) this.#take(chunk)
      this.#trade?.flush()
    })
    this.#receiving = false
    if (this.#ended) return
    this.#flush()
    this.#waitWhileFull()
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

  get #writable(): boolean {
    const { stream } = this.#options
    return !this.#ended && stream.writeStatus === 'writable' && !stream.writableNeedsDrain
  }

  #onWritable(): void {
    if (!this.#writable) return
    this.#taken()
    this.#flush()
  }

  #flushSoon(): void {
    // what comes in ends with a flush of its own
    if (this.#flushing || this.#receiving) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  /** Data takes the messages that wait along; without any, those that press go alone. */
  #flush(): void {
    if (this.#ended) return
    if (this.connection.backlog > MAX_BACKLOG_BYTES) {
      this.end(new WireViolation('backlog', `${this.connection.backlog} bytes wait to be read`))
      return
    }
    if (!this.#writable) return
    if (this.connection.sending?.ready) this.#outlet?.wake()
    if (this.connection.haste === 'now') this.#writeMessages()
    if (this.connection.haste === 'soon') this.#flushWithin(SOON_MS)
    if ((this.connection.receiving?.unconfirmed ?? 0) > 0) this.#flushWithin(ACK_DELAY_MS)
    else if (this.connection.backlog > 0) this.#flushWithin(LATE_MS)
  }

  #flushWithin(ms: number): void {
    const due = this.#options.now() + ms
    if (this.#timer !== undefined && this.#timerAt <= due) return
    clearTimeout(this.#timer)
    this.#timerAt = due
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.connection.receiving?.acknowledge()
      if (this.#writable) this.#writeMessages()
    }, ms)
  }

  #writeMessages(): void {
    const messages = this.connection.nextMessages()
    if (messages === undefined) return
    this.#options.outflow.charge(messages.bytes, this.#root)
    this.#send(new Uint8ArrayList(...messages.parts))
  }

  #writeData(most: number): number {
    if (!this.#writable) return 0
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
      if (this.#options.stream.send(list) && this.#untaken > 0) queueMicrotask(() => this.#onWritable())
    } catch (thrown) {
      queueMicrotask(() => this.end(thrown instanceof Error ? thrown : new Error(String(thrown))))
    }
  }

  /** Where the peer acknowledges nothing, what the transport has taken counts as arrived. */
  #taken(): void {
    const bytes = this.#untaken
    this.#untaken = 0
    if (bytes > 0) this.#trade?.confirmed(bytes)
  }

  #guard(work: () => void): void {
    try {
      work()
    } catch (thrown) {
      this.end(thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }
}
