/**
 * Bitswap with all peers: registers the protocol, keeps a link for each peer, and turns frames into calls of
 * its host. It checks what a block hashes to, because only the hash tells which want a block answers; it
 * decides nothing else.
 */
import { setTimeout } from 'node:timers/promises'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { pipe } from 'it-pipe'
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../core/cid.ts'
import { asError } from '../../core/errors.ts'
import { type Millis, type PeerKey, peerKey, type RootKey } from '../../core/types.ts'
import { openStream } from '../open-stream.ts'
import type { Outflow } from '../outflow.ts'
import { FrameCredit } from './frame-credit.ts'
import { decodeFrames, FrameTooLong } from './framing.ts'
import { Handling } from './handling.ts'
import type { PeerWant } from './ledger.ts'
import { MemoryGate } from './memory-gate.ts'
import { decodeMessage, MalformedMessage, type Message, type Presence, type WantKind } from './message.ts'
import { type HashBlock, type NamedBlock, nameBlocks } from './named-blocks.ts'
import { BITSWAP_100, BITSWAP_110, BITSWAP_120, PeerLink } from './peer-link.ts'
import { streamSource } from './streams.ts'

const PROTOCOLS = [BITSWAP_120, BITSWAP_110, BITSWAP_100]

/** kubo may open a stream for each message. */
const MOST_STREAMS = 1_024

/** What a stream throws when its peer, its connection or we ourselves went away. */
const GONE: ReadonlySet<string> = new Set([
  'StreamResetError',
  'StreamAbortedError',
  'StreamClosedError',
  'ConnectionClosedError',
  'AbortError',
])

/** Streams rest as long as their peer stays; libp2p's two minutes would cut them. */
const REST_MS = 24 * 60 * 60 * 1000

/** Messages up to this are read at once under any limit: they are mostly wants and presences. */
const SMALL_FRAME = 16 << 10

/** A limit that is changed takes effect after that at the latest. */
const MOST_WAIT_MS = 1_000

/** What the exchange tells its host. Calls come in the order of the messages of one stream. */
export interface BitswapHost {
  /** A block that we want or wanted of this peer, its hash checked. The bytes are the host's to keep. */
  onBlock(peer: PeerKey, cid: CID, block: Uint8Array): void
  /** A block that hashes to nothing we ever wanted of this peer. */
  onStrayBlock(peer: PeerKey, cid: CID): Promise<void>
  /** It sent what is no Bitswap message, which no honest peer does. */
  onViolation(peer: PeerKey, reason: string): void
  onPresences(
    peer: PeerKey,
    presences: readonly { readonly cid: CID; readonly has: boolean; readonly asked: WantKind | undefined }[],
  ): void
  /** The peer's new wants and the ones that it no longer has. The next message waits for the promise. */
  onWants(peer: PeerKey, wants: readonly PeerWant[], dropped: readonly CID[]): Promise<void>
  /** A good part of a larger message came in, which may hold a block. */
  onBytes(peer: PeerKey): void
  onGone(peer: PeerKey): void
}

export interface BitswapOptions {
  readonly libp2p: Libp2p
  readonly host: BitswapHost
  readonly outflow: Outflow
  readonly hashBlock: HashBlock
  readonly now: () => Millis
  readonly log: (line: string) => void
}

export class Bitswap {
  readonly #options: BitswapOptions
  readonly #links = new Map<PeerKey, PeerLink>()
  readonly #gate = new MemoryGate()
  readonly #stopping = new AbortController()
  readonly #onDisconnect = (event: CustomEvent<{ toString(): string }>): void =>
    this.drop(peerKey(event.detail.toString()))

  constructor(options: BitswapOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { libp2p } = this.#options
    libp2p.addEventListener('peer:disconnect', this.#onDisconnect)
    await libp2p.handle(PROTOCOLS, (stream, connection) => this.#serve(stream, connection), {
      maxInboundStreams: MOST_STREAMS,
      maxOutboundStreams: MOST_STREAMS,
      runOnLimitedConnection: true,
    })
  }

  async stop(): Promise<void> {
    const { libp2p } = this.#options
    libp2p.removeEventListener('peer:disconnect', this.#onDisconnect)
    this.#stopping.abort()
    await libp2p.unhandle(PROTOCOLS)
    for (const link of this.#links.values()) link.close()
    this.#links.clear()
  }

  /** Asks for a block, or for whether the peer has it. */
  want(peer: PeerKey, cids: Iterable<CID>, kind: WantKind): void {
    const link = this.#link(peer)
    for (const cid of cids) link.wants.want(cid, kind)
    link.tellWants()
  }

  /** Tells the peer once more of what it was asked for. */
  remind(peer: PeerKey, cids: Iterable<CID>): void {
    const link = this.#links.get(peer)
    for (const cid of cids) link?.wants.remind(cid)
    link?.tellWants()
  }

  /** Whether blocks are to come from the peer. */
  awaits(peer: PeerKey): boolean {
    return this.#links.get(peer)?.wants.awaitsBlocks === true
  }

  cancel(peer: PeerKey, cid: CID): void {
    const link = this.#links.get(peer)
    link?.wants.cancel(cid)
    link?.tellWants()
  }

  /** Sends a block that the peer wants; see `PeerLink.sendBlock`. A peer that is gone takes nothing. */
  sendBlock(
    peer: PeerKey,
    cid: CID,
    read: () => Promise<Uint8Array | undefined>,
    root?: RootKey,
  ): Promise<number | undefined> {
    const link = this.#links.get(peer)
    if (link === undefined) return Promise.resolve(undefined)
    link.ledger.remove(cid)
    return link.sendBlock(cid, read, root)
  }

  /** Answers a question. After HAVE the question is settled; after DONT_HAVE it stands. */
  tellPresence(peer: PeerKey, cid: CID, has: boolean): void {
    const link = this.#links.get(peer)
    if (has) link?.ledger.remove(cid)
    link?.tellPresence(cid, has)
  }

  /** Who waits for this block, and how. */
  waitingFor(cid: CID): { peer: PeerKey; want: PeerWant }[] {
    const waiting: { peer: PeerKey; want: PeerWant }[] = []
    for (const link of this.#links.values()) {
      const want = link.ledger.get(cid)
      if (want !== undefined) waiting.push({ peer: link.peer, want })
    }
    return waiting
  }

  /** Who waits for anything, and how. */
  waiting(): { peer: PeerKey; want: PeerWant }[] {
    return [...this.#links.values()].flatMap(({ peer, ledger }) =>
      [...ledger.wants].map((want) => ({ peer, want })),
    )
  }

  /** What the peer still wants by this block, under the CID that it used. */
  wantOf(peer: PeerKey, cid: CID): PeerWant | undefined {
    return this.#links.get(peer)?.ledger.get(cid)
  }

  /** Bytes handed to the host stay counted until it releases them; too many stop the reading of all streams. */
  hold(bytes: number): void {
    this.#gate.hold(bytes)
  }

  release(bytes: number): void {
    this.#gate.release(bytes)
  }

  /** Forgets the peer; its connection is the caller's to close. */
  drop(peer: PeerKey): void {
    const link = this.#links.get(peer)
    if (link === undefined) return
    this.#links.delete(peer)
    link.close()
    this.#options.host.onGone(peer)
  }

  #link(peer: PeerKey): PeerLink {
    const known = this.#links.get(peer)
    if (known !== undefined) return known
    const { libp2p, outflow } = this.#options
    const id = peerIdFromString(peer)
    const link = new PeerLink({
      peer,
      outflow,
      open: (signal) => openStream(libp2p, id, PROTOCOLS, { signal, maxOutboundStreams: MOST_STREAMS }),
      lost: (gone) => this.drop(gone),
    })
    this.#links.set(peer, link)
    return link
  }

  #serve(stream: Stream, connection: Connection): void {
    const peer = peerKey(connection.remotePeer.toString())
    stream.inactivityTimeout = REST_MS
    this.#read(stream, peer, connection).catch((thrown: unknown) => {
      const reason = asError(thrown)
      const violates = reason instanceof MalformedMessage || reason instanceof FrameTooLong
      if (violates) this.#options.host.onViolation(peer, `sent ${reason.message}`)
      // peers come and go; anything but that is worth a line
      else if (!GONE.has(reason.name)) this.#options.log(`bitswap: reading from ${peer}: ${reason.message}`)
      stream.abort(reason)
    })
  }

  async #read(stream: Stream, peer: PeerKey, connection: Connection): Promise<void> {
    const credit = new FrameCredit()
    const handling = new Handling(this.#gate, (reason) => stream.abort(reason))
    const { hashBlock } = this.#options
    await handling.whole(
      pipe(
        () => streamSource(stream, this.#gate),
        (chunks) => this.#charged(chunks, credit),
        decodeFrames((frameBytes) => {
          if (credit.spend()) this.#options.host.onBytes(peer)
          return frameBytes > SMALL_FRAME ? this.#debtPaid() : undefined
        }),
        async (frames) => {
          for await (const frame of frames) {
            // what is still unread of a peer that is gone must not bring its link back to life
            const link = connection.status === 'open' ? this.#link(peer) : this.#links.get(peer)
            if (link === undefined) return
            const message = decodeMessage(frame)
            credit.settle(frame.length, message.blocks.length > 0)
            const named = nameBlocks(message.blocks, hashBlock)
            const handled = handling.next(frame.length, named, (blocks) =>
              this.#receive(link, message, blocks),
            )
            // while a block is hashed, the next one comes in
            if (message.blocks.length === 0) await handled
          }
        },
      ),
    )
    await stream.close()
  }

  async *#charged<T extends { readonly byteLength: number }>(
    chunks: AsyncIterable<T>,
    credit: FrameCredit,
  ): AsyncGenerator<T> {
    const { outflow, now } = this.#options
    for await (const chunk of chunks) {
      credit.came(chunk.byteLength)
      outflow.limits.charge('down', chunk.byteLength, now())
      yield chunk
    }
  }

  /** Blocks come whole, so what holds them to a limit is to read on late. */
  async #debtPaid(): Promise<void> {
    const { outflow, now } = this.#options
    for (;;) {
      const wait = outflow.limits.waits('down', now())
      if (wait === 0 || this.#stopping.signal.aborted) return
      await setTimeout(Math.min(wait, MOST_WAIT_MS), undefined, { ref: false })
    }
  }

  async #receive(link: PeerLink, message: Message, blocks: readonly NamedBlock[]): Promise<void> {
    for (const block of blocks) await this.#receiveBlock(link, block)
    if (message.presences.length > 0) this.#receivePresences(link, message.presences)
    if (message.wants.length > 0 || message.full) await this.#receiveWants(link, message)
  }

  async #receiveBlock(link: PeerLink, { cid, data }: NamedBlock): Promise<void> {
    const key = blockKey(cid)
    const { host } = this.#options
    if (!link.wants.wasWanted(key)) {
      await host.onStrayBlock(link.peer, cid)
      return
    }
    link.wants.settle(key)
    host.onBlock(link.peer, cid, data)
  }

  #receivePresences(link: PeerLink, presences: readonly Presence[]): void {
    const answers = presences.map(({ cid, has }) => {
      const key = blockKey(cid)
      const asked = link.wants.kind(key)
      if (has && asked === 'have') link.wants.settle(key)
      return { cid, has, asked }
    })
    this.#options.host.onPresences(link.peer, answers)
  }

  async #receiveWants(link: PeerLink, message: Message): Promise<void> {
    const dropped = new Map<string, CID>()
    if (message.full) for (const { cid } of link.ledger.clear()) dropped.set(blockKey(cid), cid)
    const wants: PeerWant[] = []
    for (const entry of message.wants) {
      if (entry.cancel) {
        if (link.ledger.remove(entry.cid) !== undefined || message.full)
          dropped.set(blockKey(entry.cid), entry.cid)
        continue
      }
      if (!link.ledger.add(entry)) continue
      dropped.delete(blockKey(entry.cid))
      wants.push(entry)
    }
    await this.#options.host.onWants(link.peer, wants, [...dropped.values()])
  }
}
