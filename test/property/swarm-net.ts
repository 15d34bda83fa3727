/**
 * A network of schedulers in memory: no sockets, no clock. Each node does what the driver and Bitswap do (want
 * lists and ledgers are the real ones); messages take their time, those of one lane arrive in order, those of
 * different lanes and peers in any order. A node's blocks leave through one uplink of a fixed rate.
 */
import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { blockKey, RAW, SHA2_256 } from '../../src/core/cid.ts'
import { createPrng, type Prng } from '../../src/core/prng.ts'
import { type BlockKey, millis, type PeerKey, peerKey, rootKey } from '../../src/core/types.ts'
import { Ledger } from '../../src/exchange/bitswap/ledger.ts'
import type { Presence, WantEntry } from '../../src/exchange/bitswap/message.ts'
import { Wants } from '../../src/exchange/bitswap/wants.ts'
import type { SwarmAction, SwarmEvent } from '../../src/swarm/events.ts'
import { Scheduler } from '../../src/swarm/scheduler.ts'

const ROOT = rootKey('root')

export interface NetOptions {
  readonly seed: number
  readonly pieces: number
  readonly pieceSize: number
  /** One way, in ms; each message takes up to half as long again. */
  readonly latency: number
  /** `checkInvariants` after every event. */
  readonly checked: boolean
}

export interface NodeOptions {
  /** Bytes a second. */
  readonly up: number
  readonly seeds?: boolean
  /** Bytes a second that it asks for at most; 0 is unlimited. */
  readonly down?: number
  readonly behaves?: Behaviour
}

/**
 * A taciturn peer sends what is wanted and answers no questions, as those of Bitswap 1.1 do. A liar sends wrong
 * bytes. A braggart says that it has everything and never sends; a dead one does not even say so.
 */
export type Behaviour = 'well' | 'taciturn' | 'liar' | 'braggart' | 'dead'

interface Link {
  readonly wants: Wants
  readonly ledger: Ledger
  presences: Presence[]
  flushing: boolean
}

interface Timed {
  readonly at: number
  run(): void
}

export class Net {
  readonly options: NetOptions
  readonly prng: Prng
  readonly nodes = new Map<PeerKey, NetNode>()
  readonly cids: readonly CID[]
  readonly index: ReadonlyMap<BlockKey, number>
  now = 0
  events = 0
  #queue: Timed[] = []

  constructor(options: NetOptions) {
    this.options = options
    this.prng = createPrng(options.seed)
    this.cids = Array.from({ length: options.pieces }, (_, piece) => cidOf(piece))
    this.index = new Map(this.cids.map((cid, piece) => [blockKey(cid), piece]))
  }

  add(name: string, options: NodeOptions): NetNode {
    const node = new NetNode(this, peerKey(name), options)
    this.nodes.set(node.key, node)
    return node
  }

  /** Connects the node to all others that are up and do not refuse it. */
  connect(node: NetNode): void {
    for (const other of this.nodes.values()) {
      if (other === node || !other.up || node.refuses(other.key) || other.refuses(node.key)) continue
      node.met(other.key)
      other.met(node.key)
    }
  }

  disconnect(a: PeerKey, b: PeerKey): void {
    this.nodes.get(a)?.lost(b)
    this.nodes.get(b)?.lost(a)
  }

  after(delay: number, run: () => void): void {
    const timed = { at: this.now + delay, run }
    let [low, high] = [0, this.#queue.length]
    while (low < high) {
      const middle = (low + high) >> 1
      // the queue is sorted with the next at its end; of equal times the first comes first
      if ((this.#queue[middle]?.at ?? 0) > timed.at) low = middle + 1
      else high = middle
    }
    this.#queue.splice(low, 0, timed)
  }

  /** Runs until the condition holds or time is over; true when it holds. */
  run(until: number, done: () => boolean): boolean {
    while (!done()) {
      const next = this.#queue.pop()
      if (next === undefined || next.at > until) return false
      this.now = next.at
      this.events++
      next.run()
    }
    return true
  }

  /** How long a message is under way. */
  delay(): number {
    return this.options.latency * (1 + this.prng.unit() / 2)
  }
}

function cidOf(piece: number): CID {
  const digest = new Uint8Array(32)
  new DataView(digest.buffer).setUint32(0, piece)
  return CID.createV1(RAW, Digest.create(SHA2_256, digest))
}

export class NetNode {
  readonly key: PeerKey
  readonly have = new Set<number>()
  readonly #net: Net
  readonly #options: NodeOptions
  readonly #links = new Map<PeerKey, Link>()
  readonly #lanes = new Map<string, number>()
  #scheduler: Scheduler
  #banned = new Set<PeerKey>()
  #uplinkFree = 0
  #wakeAt = Number.POSITIVE_INFINITY
  /** Counts lives: what was under way when the node went down is lost. */
  #life = 0
  up = false
  completedAt: number | undefined
  completions = 0
  sentBytes = 0
  receivedBytes = 0

  constructor(net: Net, key: PeerKey, options: NodeOptions) {
    this.#net = net
    this.key = key
    this.#options = options
    if (options.seeds === true) for (let piece = 0; piece < net.options.pieces; piece++) this.have.add(piece)
    this.#scheduler = this.#begin()
  }

  get complete(): boolean {
    return this.have.size === this.#net.options.pieces
  }

  get isSound(): boolean {
    return this.#behaves === 'well' || this.#behaves === 'taciturn'
  }

  get #behaves(): Behaviour {
    return this.#options.behaves ?? 'well'
  }

  refuses(peer: PeerKey): boolean {
    return this.#banned.has(peer)
  }

  start(): void {
    this.up = true
    this.#scheduler = this.#begin()
    const { pieces, pieceSize } = this.#net.options
    const sizes = Array<number>(pieces).fill(pieceSize)
    this.#dispatch({ type: 'opened', root: ROOT, sizes, have: [...this.have], final: true })
    this.#dispatch({ type: 'limited', down: this.#options.down ?? 0 })
    this.#net.connect(this)
  }

  stop(): void {
    this.up = false
    this.#life++
    this.#wakeAt = Number.POSITIVE_INFINITY
    for (const peer of [...this.#links.keys()]) this.#net.disconnect(this.key, peer)
  }

  met(peer: PeerKey): void {
    this.#links.set(peer, { wants: new Wants(), ledger: new Ledger(), presences: [], flushing: false })
    if (!this.complete) this.#dispatch({ type: 'joined', root: ROOT, peer })
  }

  lost(peer: PeerKey): void {
    if (this.#links.delete(peer) && this.up) this.#dispatch({ type: 'left', root: ROOT, peer })
  }

  // --- what the driver does with actions

  #begin(): Scheduler {
    return new Scheduler(createPrng(this.#net.prng.below(2 ** 31)))
  }

  #dispatch(event: SwarmEvent): void {
    const actions = this.#scheduler.handle(event, millis(this.#net.now))
    if (this.#net.options.checked) this.#scheduler.checkInvariants()
    for (const action of actions) this.#act(action)
    this.#rearm()
  }

  #act(action: SwarmAction): void {
    switch (action.type) {
      case 'ask':
        this.#want(action.peer, action.pieces, 'have')
        return
      case 'request':
        this.#want(action.peer, [action.piece], 'block')
        return
      case 'remind':
        for (const piece of action.pieces) this.#links.get(action.peer)?.wants.remind(this.#cid(piece))
        this.#flush(action.peer)
        return
      case 'cancel':
        this.#links.get(action.peer)?.wants.cancel(this.#cid(action.piece))
        this.#flush(action.peer)
        return
      case 'verify-and-store':
        this.#verify(action.peer, action.piece)
        return
      case 'send':
        this.#send(action.peer, action.piece)
        return
      case 'have':
        this.#tellHave(action.piece)
        return
      case 'ban':
        this.#banned.add(action.peer)
        this.#soon(0, () => this.#net.disconnect(this.key, action.peer))
        return
      case 'completed':
        this.completions++
        this.completedAt ??= this.#net.now
        return
    }
  }

  #rearm(): void {
    const due = this.#scheduler.nextTimeout()
    if (due === undefined || !this.up) {
      this.#wakeAt = Number.POSITIVE_INFINITY
      return
    }
    const at = Math.max(due, this.#net.now + 1)
    if (at === this.#wakeAt) return
    this.#wakeAt = at
    this.#soon(at - this.#net.now, () => {
      if (this.#wakeAt !== at) return
      this.#wakeAt = Number.POSITIVE_INFINITY
      this.#dispatch({ type: 'woke' })
    })
  }

  #want(peer: PeerKey, pieces: readonly number[], kind: 'block' | 'have'): void {
    for (const piece of pieces) this.#links.get(peer)?.wants.want(this.#cid(piece), kind)
    this.#flush(peer)
  }

  #verify(peer: PeerKey, piece: number): void {
    const life = this.#life
    this.#dispatch({ type: 'verified', root: ROOT, peer, piece })
    // the disk takes up to 5 ms
    this.#soon(this.#net.prng.unit() * 5, () => {
      if (life !== this.#life) return
      this.have.add(piece)
      this.#dispatch({ type: 'stored', root: ROOT, peer, piece })
    })
  }

  #send(peer: PeerKey, piece: number): void {
    const link = this.#links.get(peer)
    const want = link?.ledger.remove(this.#cid(piece))
    if (link === undefined || want === undefined) {
      this.#dispatch({ type: 'send-failed', root: ROOT, peer, piece })
      return
    }
    const size = this.#net.options.pieceSize
    this.#uplinkFree = Math.max(this.#uplinkFree, this.#net.now) + (size * 1000) / this.#options.up
    this.#soon(this.#uplinkFree - this.#net.now, () => {
      if (this.#links.get(peer) !== link)
        return this.#dispatch({ type: 'send-failed', root: ROOT, peer, piece })
      this.sentBytes += size
      this.#post(peer, 'data', (to) => to.onBlock(this.key, piece))
      this.#dispatch({ type: 'sent', root: ROOT, peer, piece })
    })
  }

  #tellHave(piece: number): void {
    for (const [peer, { ledger }] of this.#links) {
      const want = ledger.get(this.#cid(piece))
      if (want?.kind === 'have') this.#tell(peer, piece, true)
      else if (want?.kind === 'block') this.#dispatch({ type: 'wanted', root: ROOT, peer, piece })
    }
  }

  #tell(peer: PeerKey, piece: number, has: boolean): void {
    const link = this.#links.get(peer)
    const cid = this.#cid(piece)
    if (this.#behaves === 'taciturn') return
    if (has) link?.ledger.remove(cid)
    link?.presences.push({ cid, has })
    this.#flush(peer)
  }

  // --- what Bitswap and the driver do with messages

  /** Like a lane: what piles up in one moment goes in one message. */
  #flush(peer: PeerKey): void {
    const link = this.#links.get(peer)
    if (link === undefined || link.flushing) return
    link.flushing = true
    this.#soon(0, () => {
      link.flushing = false
      if (this.#links.get(peer) !== link) return
      for (let batch = link.wants.take(); batch !== undefined; batch = link.wants.take()) {
        const { entries, full } = batch
        this.#post(peer, 'control', (to) => to.onWants(this.key, entries, full))
      }
      const presences = link.presences.splice(0)
      if (presences.length > 0) this.#post(peer, 'control', (to) => to.onPresences(this.key, presences))
    })
  }

  onWants(peer: PeerKey, entries: readonly WantEntry[], full: boolean): void {
    const link = this.#links.get(peer)
    if (link === undefined || this.#behaves === 'dead') return
    if (full) for (const { cid } of link.ledger.clear()) this.#unwanted(peer, cid)
    for (const entry of entries) {
      if (!entry.cancel) continue
      if (link.ledger.remove(entry.cid) !== undefined) this.#unwanted(peer, entry.cid)
    }
    for (const entry of entries) {
      if (entry.cancel || !link.ledger.add(entry)) continue
      const piece = this.#piece(entry.cid)
      const has = this.have.has(piece)
      if (entry.kind === 'have' || !has) this.#tell(peer, piece, has)
      else if (this.#behaves !== 'braggart') this.#dispatch({ type: 'wanted', root: ROOT, peer, piece })
    }
  }

  #unwanted(peer: PeerKey, cid: CID): void {
    this.#dispatch({ type: 'unwanted', root: ROOT, peer, piece: this.#piece(cid) })
  }

  onPresences(peer: PeerKey, presences: readonly Presence[]): void {
    const link = this.#links.get(peer)
    if (link === undefined) return
    const [has, lacks]: [number[], number[]] = [[], []]
    for (const { cid, has: yes } of presences) {
      const asked = link.wants.kind(blockKey(cid))
      if (yes && asked === 'have') link.wants.settle(blockKey(cid))
      if (!yes && asked === 'block') link.wants.cancel(cid)
      ;(yes ? has : lacks).push(this.#piece(cid))
    }
    if (lacks.length > 0) this.#dispatch({ type: 'lacks', root: ROOT, peer, pieces: lacks })
    if (has.length > 0) this.#dispatch({ type: 'has', root: ROOT, peer, pieces: has })
  }

  onBlock(peer: PeerKey, piece: number): void {
    const link = this.#links.get(peer)
    const key = blockKey(this.#cid(piece))
    if (link === undefined) return
    this.receivedBytes += this.#net.options.pieceSize
    if (this.#net.nodes.get(peer)?.isSound === false) {
      this.#receiveLie(peer, piece)
      return
    }
    assert.ok(link.wants.wasWanted(key), `${this.key} never asked ${peer} for ${piece}`)
    link.wants.settle(key)
    this.#progress(peer)
    if (!this.have.has(piece)) this.#dispatch({ type: 'received', root: ROOT, peer, piece })
  }

  /** By Bitswap a wrong block is one that nobody asked for; other wires know which piece it was to be. */
  #receiveLie(peer: PeerKey, piece: number): void {
    if (this.#net.prng.below(2) === 0) {
      this.#dispatch({ type: 'corrupt', root: ROOT, peer })
      return
    }
    this.#progress(peer)
    const event = { type: 'received', root: ROOT, peer, piece } as const
    const actions = this.#scheduler.handle(event, millis(this.#net.now))
    for (const action of actions) if (action.type !== 'verify-and-store') this.#act(action)
    this.#dispatch({ type: 'corrupt', root: ROOT, peer, piece })
  }

  #progress(peer: PeerKey): void {
    this.#dispatch({ type: 'progressed', root: ROOT, peer, bytes: this.#net.options.pieceSize })
  }

  // --- the wire

  /** Messages of one lane stay in order; nothing arrives over a link that has gone since. */
  #post(peer: PeerKey, lane: string, deliver: (to: NetNode) => void): void {
    const link = this.#links.get(peer)
    const to = this.#net.nodes.get(peer)
    if (to === undefined) return
    const theirs = to.#links.get(this.key)
    const name = `${lane} ${peer}`
    const at = Math.max(this.#net.now + this.#net.delay(), this.#lanes.get(name) ?? 0)
    this.#lanes.set(name, at)
    this.#net.after(at - this.#net.now, () => {
      if (this.#links.get(peer) === link && to.#links.get(this.key) === theirs) deliver(to)
    })
  }

  #soon(delay: number, run: () => void): void {
    const life = this.#life
    this.#net.after(delay, () => {
      if (life === this.#life) run()
    })
  }

  #cid(piece: number): CID {
    const cid = this.#net.cids[piece]
    assert.ok(cid, `piece ${piece}`)
    return cid
  }

  #piece(cid: CID): number {
    return this.#net.index.get(blockKey(cid)) ?? -1
  }
}
