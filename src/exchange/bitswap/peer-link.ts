/**
 * Everything between us and one Bitswap peer: two lanes out, one for what we want and have and one for
 * blocks, because a limited uplink must not hold our requests behind a megabyte of answer; what we want of
 * it; and what it wants of us.
 */
import type { Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../core/cid.ts'
import type { BlockKey, PeerKey, RootKey } from '../../core/types.ts'
import type { Outflow } from '../outflow.ts'
import { Lane, type Outbound } from './lane.ts'
import { Ledger } from './ledger.ts'
import { blockPrefix, encodeBareBlocks, encodeMessage, type PrefixedBlock, type Presence } from './message.ts'
import { Wants } from './wants.ts'

export const BITSWAP_120 = '/ipfs/bitswap/1.2.0'
export const BITSWAP_110 = '/ipfs/bitswap/1.1.0'
export const BITSWAP_100 = '/ipfs/bitswap/1.0.0'

/** Small blocks are gathered into messages of about this size. */
const GATHERED_BYTES = 128 << 10

/**
 * What we want is gathered for so long, in ms, while the peer has enough to send. One want after another makes it answer with one small
 * block after another, each in a stream of its own; kubo gathers its own wants for 1 to 20 ms.
 */
const GATHER_MS = 10

/** Presences in one message: as many as there are entries in a want message. */
const MOST_PRESENCES = 256

/** Answers that wait for a peer that does not read; more than the questions of several roots. */
const MOST_WAITING_PRESENCES = 16_384

/** Blocks that wait; the scheduler sends few at once, DAG nodes come as they are asked for. */
const MOST_WAITING_BLOCKS = 2_048

/** Blocks read from disk ahead of the one that is being written. */
const READ_AHEAD = 2

/** Streams broken or refused in a row before the peer counts as gone. */
const MOST_FAILURES = 3

interface Outgoing {
  readonly cid: CID
  readonly read: () => Promise<Uint8Array | undefined>
  reading: Promise<Uint8Array | undefined> | undefined
  readonly settle: (bytes: number | undefined) => void
  /** Whose limit it is charged to. */
  readonly root: RootKey | undefined
}

export interface PeerLinkOptions {
  readonly peer: PeerKey
  open(signal: AbortSignal): Promise<Stream>
  /** The peer cannot be reached by Bitswap any more. */
  lost(peer: PeerKey): void
  readonly outflow: Outflow
}

export class PeerLink {
  readonly peer: PeerKey
  readonly wants = new Wants()
  readonly ledger = new Ledger()
  readonly #options: PeerLinkOptions
  readonly #control: Lane
  readonly #data: Lane
  /** Answers not told yet, the last for each block. */
  readonly #presences = new Map<BlockKey, Presence>()
  /** Answers that the control stream was given and is not known to have taken. */
  #telling: Presence[] = []
  #outgoing: Outgoing[] = []
  /** Taken from the queue and not known to have left. */
  #leaving: Outgoing[] = []
  /** Until what is wanted is told. */
  #gathering: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false

  constructor(options: PeerLinkOptions) {
    this.peer = options.peer
    this.#options = options
    const { open, outflow } = options
    this.#control = new Lane({
      open,
      outflow,
      byTurns: false,
      next: (stream) => this.#nextControl(stream),
      broke: () => this.#controlBroke(),
    })
    this.#data = new Lane({
      open,
      outflow,
      byTurns: true,
      next: (stream) => this.#nextBlocks(stream),
      broke: () => this.#dataBroke(),
    })
  }

  /** Call after a change to `wants`. */
  tellWants(): void {
    if (!this.wants.pending) return
    if (this.wants.mayGather) this.#gathering ??= setTimeout(() => this.#tellGathered(), GATHER_MS)
    else this.#tellGathered()
  }

  #tellGathered(): void {
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    this.#control.wake()
  }

  /** Answers a question. Dropped where too many wait already. */
  tellPresence(cid: CID, has: boolean): void {
    const key = blockKey(cid)
    if (this.#presences.size >= MOST_WAITING_PRESENCES && !this.#presences.has(key)) return
    this.#presences.set(key, { cid, has })
    this.#control.wake()
  }

  /**
   * Queues a block, read when its turn comes, charged to the limit of `root`. Resolves with its bytes once the stream
   * took it, or undefined if it could not be read or sent.
   */
  sendBlock(
    cid: CID,
    read: () => Promise<Uint8Array | undefined>,
    root?: RootKey,
  ): Promise<number | undefined> {
    if (this.#closed || this.#outgoing.length >= MOST_WAITING_BLOCKS) return Promise.resolve(undefined)
    return new Promise((settle) => {
      this.#outgoing.push({ cid, read, reading: undefined, settle, root })
      this.#readAhead()
      this.#data.wake()
    })
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#gathering)
    this.#control.close()
    this.#data.close()
    this.#abandonBlocks()
  }

  #nextControl(stream: Stream): Outbound | undefined {
    const knowsPresences = stream.protocol === BITSWAP_120
    const batch = this.wants.take()
    const presences = this.#takePresences()
    if (batch === undefined && presences.length === 0) return undefined
    const told = batch?.entries ?? []
    const message = {
      wants: knowsPresences ? told : told.filter((want) => want.kind === 'block'),
      full: batch?.full ?? false,
      presences: knowsPresences ? presences : [],
      blocks: [],
    }
    return {
      root: undefined,
      parts: encodeMessage(message),
      sent: () => {
        this.#telling = []
        this.#worked()
      },
    }
  }

  #takePresences(): Presence[] {
    const taken: Presence[] = []
    for (const [key, presence] of this.#presences) {
      if (taken.length === MOST_PRESENCES) break
      this.#presences.delete(key)
      taken.push(presence)
    }
    this.#telling = taken
    return taken
  }

  async #nextBlocks(stream: Stream): Promise<Outbound | undefined> {
    const blocks: PrefixedBlock[] = []
    const root = this.#outgoing[0]?.root
    let bytes = 0
    while (bytes < GATHERED_BYTES) {
      const [outgoing] = this.#outgoing
      if (outgoing === undefined || outgoing.root !== root) break
      this.#outgoing.shift()
      this.#leaving.push(outgoing)
      const data = await this.#read(outgoing)
      this.#readAhead()
      if (data === undefined) this.#settle(outgoing, undefined)
      else {
        blocks.push({ prefix: blockPrefix(outgoing.cid), data })
        bytes += data.byteLength
      }
    }
    if (blocks.length === 0) return this.#outgoing.length > 0 ? this.#nextBlocks(stream) : undefined
    const gathered = [...this.#leaving]
    const bare = stream.protocol === BITSWAP_100
    const parts = bare
      ? encodeBareBlocks(blocks)
      : encodeMessage({ wants: [], full: false, presences: [], blocks })
    return {
      root,
      parts,
      sent: () => {
        this.#worked()
        for (const [at, outgoing] of gathered.entries()) this.#settle(outgoing, blocks[at]?.data.byteLength)
      },
    }
  }

  #readAhead(): void {
    for (const outgoing of this.#outgoing.slice(0, READ_AHEAD)) this.#read(outgoing)
  }

  #read(outgoing: Outgoing): Promise<Uint8Array | undefined> {
    outgoing.reading ??= outgoing.read().catch(() => undefined)
    return outgoing.reading
  }

  #settle(outgoing: Outgoing, bytes: number | undefined): void {
    this.#leaving = this.#leaving.filter((other) => other !== outgoing)
    outgoing.settle(bytes)
  }

  #worked(): void {
    this.#failures = 0
  }

  #controlBroke(): void {
    if (this.#gaveUp()) return
    this.wants.retell()
    for (const { cid, has } of this.#telling)
      if (!this.#presences.has(blockKey(cid))) this.tellPresence(cid, has)
    this.#telling = []
    if (this.wants.pending || this.#presences.size > 0) this.#control.wake()
  }

  #dataBroke(): void {
    this.#abandonBlocks()
    this.#gaveUp()
  }

  #gaveUp(): boolean {
    this.#failures++
    if (this.#failures < MOST_FAILURES) return false
    this.#options.lost(this.peer)
    return true
  }

  #abandonBlocks(): void {
    const abandoned = [...this.#leaving, ...this.#outgoing]
    this.#leaving = []
    this.#outgoing = []
    for (const outgoing of abandoned) outgoing.settle(undefined)
  }
}
