/**
 * The peers of one root and the pieces that move between them. This is the download side; what goes out is chosen by
 * `Offering` and started by `Uplink`. Only `Swarm` asks for bytes and takes requests back, so that pieces, peers and
 * the downlink always tell the same.
 */
import type { Prng } from '../core/prng.ts'
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import { Accepting } from './accepting.ts'
import { Choker } from './choker.ts'
import type { Downlink } from './downlink.ts'
import type { SwarmAction, SwarmEvent, Wire } from './events.ts'
import { Holdings } from './holdings.ts'
import { Source } from './incoming-piece.ts'
import type { Limiter } from './limiter.ts'
import { Offering } from './offering.ts'
import { check, Pieces } from './pieces.ts'
import type { Policy } from './policy.ts'
import { Pulling } from './pulling.ts'
import type { Bytes } from './spans.ts'
import { SwarmPeer } from './swarm-peer.ts'

/** What the swarms of a node share. */
export interface Common {
  readonly prng: Prng
  readonly policy: Policy
  readonly downlink: Downlink
  readonly downLimiter: Limiter
  /** Those that the limit for all has put off, in the order of their turns. */
  readonly limited: Set<Pulling>
}

/** How fast and how soon a request is expected to be answered. */
export interface Promised {
  readonly rate: number
  readonly startsAt: number
}

export class Swarm {
  readonly root: RootKey
  readonly common: Common
  readonly pieces: Pieces
  /** Which peers have, expect and are offered which pieces. */
  readonly holdings = new Holdings()
  readonly peers = new Map<PeerKey, SwarmPeer>()
  readonly #bySlot: (SwarmPeer | undefined)[] = []
  /** Those that wait for an answer when a piece comes. */
  readonly #onBitswap = new Set<SwarmPeer>()
  readonly offering: Offering
  readonly accepting: Accepting
  readonly pulling: Pulling
  readonly choker: Choker
  readonly limiter: Limiter
  /** Pieces that somebody waits for, in that order. */
  urgent: readonly number[] = []
  #completed = false

  constructor(root: RootKey, common: Common, limiter: Limiter) {
    this.root = root
    this.common = common
    this.limiter = limiter
    this.pieces = new Pieces(common.prng, common.policy.rarest)
    this.offering = new Offering(this)
    this.accepting = new Accepting(this)
    this.pulling = new Pulling(this)
    this.choker = new Choker(this)
  }

  // --- the piece space

  /** The pieces known from the start; nobody waits for those that are stored. */
  open(sizes: ArrayLike<number>, have: Iterable<number>, final: boolean, out: SwarmAction[]): void {
    this.#extend(sizes, final)
    for (const piece of have) if (this.pieces.state(piece) === 'missing') this.#arrived(piece, out)
    if (this.pieces.complete) this.offering.seeds = true
    this.#finishIfComplete(out)
  }

  /** Further pieces; `found` are stored already. */
  grow(
    sizes: ArrayLike<number>,
    found: Iterable<number>,
    final: boolean,
    now: Millis,
    out: SwarmAction[],
  ): void {
    this.#extend(sizes, final)
    for (const piece of found) {
      if (this.pieces.state(piece) !== 'missing') continue
      // a part of it may be on its way
      for (const source of [...(this.pieces.incoming.get(piece)?.sources ?? [])])
        this.cancel(source, now, out)
      this.#arrived(piece, out)
      this.#tellHave(piece, out)
    }
    this.#finishIfComplete(out)
  }

  #extend(sizes: ArrayLike<number>, final: boolean): void {
    this.pieces.grow(sizes, final)
    this.holdings.grow(this.pieces.length)
    this.offering.grow()
    for (const peer of this.peers.values()) peer.grow(this.pieces.length)
  }

  // --- peers

  join(key: PeerKey, wire: Wire): SwarmPeer {
    const known = this.peers.get(key)
    if (known !== undefined) return known
    const peer = new SwarmPeer(key, wire, this.pieces.length, this.holdings)
    this.peers.set(key, peer)
    this.#bySlot[peer.slot] = peer
    if (wire === 'bitswap') this.#onBitswap.add(peer)
    this.offering.joined(peer)
    return peer
  }

  /** Forgets the peer; what it was asked for can be asked of others. */
  leave(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    this.peers.delete(peer.key)
    for (const source of [...peer.sources.values()]) this.lose(source, now, out)
    for (let piece = 0; piece < this.pieces.length; piece++)
      if (peer.has.has(piece)) this.pieces.picker.count(piece, -1)
    this.offering.left(peer)
    this.holdings.leave(peer.slot)
    this.#bySlot[peer.slot] = undefined
    this.#onBitswap.delete(peer)
  }

  /** The peer has these pieces. */
  gain(peer: SwarmPeer, pieces: readonly number[], out: SwarmAction[]): void {
    for (const piece of pieces) {
      if (peer.wire === 'bitswap') peer.retire(piece)
      if (!this.holdings.gain(peer.slot, piece)) continue
      this.pieces.picker.count(piece, 1)
      this.offering.gained(peer, piece)
    }
    this.#tellInterest(peer, out)
  }

  /** The peer lacks these pieces. */
  lack(peer: SwarmPeer, pieces: readonly number[], now: Millis, out: SwarmAction[]): void {
    if (pieces.length > 0) peer.answered = true
    for (const piece of pieces) {
      peer.refused(piece)
      const source = peer.sources.get(piece)
      if (source !== undefined) this.lose(source, now, out)
      if (!peer.has.delete(piece)) continue
      peer.askAgain(piece)
      this.pieces.picker.count(piece, -1)
      this.offering.lost(peer)
    }
    this.#tellInterest(peer, out)
  }

  // --- asking

  /** Asks a peer for bytes of a piece. */
  request(peer: SwarmPeer, piece: number, span: Bytes, promised: Promised, now: Millis, out: SwarmAction[]) {
    const { downlink, downLimiter, policy } = this.common
    const { rate: announced, startsAt } = promised
    const source = new Source({ peer, piece, span, announced, startsAt, mark: downlink.mark(now), now })
    downLimiter.charge(source.left, now)
    this.limiter.charge(source.left, now)
    downlink.add(source)
    peer.request(source, now)
    const expected = this.pieces.asked(piece, source)
    out.push({
      type: 'request',
      root: this.root,
      peer: peer.key,
      piece,
      begin: span.begin,
      length: source.left,
    })
    if (expected && policy.expect) out.push({ type: 'expect', root: this.root, piece })
  }

  /** Takes a request back, and forgets it. */
  cancel(source: Source, now: Millis, out: SwarmAction[]): void {
    const { at: begin, left: length, piece } = source
    out.push({ type: 'cancel', root: this.root, peer: source.peer.key, piece, begin, length })
    this.lose(source, now, out)
  }

  /** Takes the last bytes of a request back. */
  shorten(source: Source, bytes: number, out: SwarmAction[]): void {
    source.end -= bytes
    source.peer.relieved(bytes)
    const { peer, piece, end: begin } = source
    out.push({ type: 'cancel', root: this.root, peer: peer.key, piece, begin, length: bytes })
  }

  /** A request will bring no more. */
  lose(source: Source, now: Millis, out: SwarmAction[]): void {
    this.common.downlink.remove(source, now)
    source.peer.release(source)
    const missing = this.pieces.ended(source.piece, source)
    if (missing && this.common.policy.expect)
      out.push({ type: 'expect-no-more', root: this.root, piece: source.piece })
  }

  /** As much of the bytes as the limits let in within a moment; all of them where there is no limit. */
  limited({ begin, end }: Bytes): Bytes {
    const { downLimiter, limited } = this.common
    const step = Math.min(this.limiter.step(1), downLimiter.step(limited.size + 1))
    return { begin, end: Math.min(end, begin + step) }
  }

  // --- bytes in

  /** Bytes of a request came. */
  arrived(peer: SwarmPeer, event: Extract<SwarmEvent, { type: 'arrived' }>, now: Millis, out: SwarmAction[]) {
    const { piece, begin } = event
    this.common.downlink.arrived(event.length)
    peer.received += event.length
    peer.pipeline.progressed(event.length, now)
    const source = peer.sources.get(piece)
    const book = this.pieces.incoming.get(piece)
    if (source === undefined || book === undefined || begin !== source.at) return
    const length = Math.min(event.length, source.left)
    source.progress.add(length, now)
    peer.relieved(length)
    book.arrived(source, begin, length)
    if (source.done) this.#sourceDone(source, now, out)
    if (book.complete) this.#whole(piece, now, out)
  }

  /** A whole piece came by one message. */
  received(peer: SwarmPeer, piece: number, now: Millis, out: SwarmAction[]): void {
    const size = this.pieces.size(piece)
    this.common.downlink.arrived(size)
    peer.received += size
    peer.pipeline.progressed(size, now)
    this.gain(peer, [piece], out)
    const wanted = this.pieces.isWanted(piece)
    // before its source ends, or the piece would seem lost
    if (wanted) this.pieces.book(piece).filled(peer)
    const source = peer.sources.get(piece)
    if (source !== undefined) {
      source.progress.add(size, now)
      peer.relieved(source.left)
      source.at = source.end
      this.#sourceDone(source, now, out)
    }
    if (wanted) this.#whole(piece, now, out)
  }

  rejected(
    peer: SwarmPeer,
    event: Extract<SwarmEvent, { type: 'rejected' }>,
    now: Millis,
    out: SwarmAction[],
  ) {
    const source = peer.sources.get(event.piece)
    if (source === undefined || event.begin + event.length < source.end) return
    const end = Math.max(source.at, event.begin)
    peer.relieved(source.end - end)
    source.end = end
    this.lose(source, now, out)
  }

  /** One source has sent all that it was to send. */
  #sourceDone(source: Source, now: Millis, out: SwarmAction[]): void {
    source.peer.pipeline.delivered(source.end - source.begin, now - source.progress.since, now)
    this.lose(source, now, out)
  }

  #whole(piece: number, now: Millis, out: SwarmAction[]): void {
    this.pieces.verifying(piece)
    for (const source of [...this.pieces.book(piece).sources]) this.cancel(source, now, out)
    out.push({ type: 'verify-and-store', root: this.root, piece })
  }

  // --- what became of a piece

  verified(piece: number): void {
    if (this.pieces.state(piece) === 'verifying') this.pieces.storing(piece)
  }

  stored(piece: number, out: SwarmAction[]): void {
    if (this.pieces.state(piece) !== 'storing') return
    this.#arrived(piece, out)
    this.#tellHave(piece, out)
    this.#finishIfComplete(out)
  }

  storeFailed(piece: number, out: SwarmAction[]): void {
    if (this.pieces.state(piece) === 'storing') this.#again(piece, false, out)
  }

  /** The bytes were wrong. Returns who sent all of them; of several, nobody can be blamed. */
  refuted(piece: number, out: SwarmAction[]): SwarmPeer | undefined {
    if (this.pieces.state(piece) !== 'verifying') return undefined
    const [first, ...others] = this.pieces.book(piece).senders
    const blamed = others.length === 0 ? first : undefined
    this.#again(piece, blamed === undefined, out)
    return blamed
  }

  /** To be had again, and asked for where nothing is known of it. */
  #again(piece: number, undivided: boolean, out: SwarmAction[]): void {
    this.pieces.again(piece, undivided)
    out.push({ type: 'discard', root: this.root, piece })
    if (this.common.policy.expect) out.push({ type: 'expect-no-more', root: this.root, piece })
    for (const peer of this.peers.values()) peer.askAgain(piece)
  }

  #arrived(piece: number, out: SwarmAction[]): void {
    this.pieces.stored(piece)
    this.holdings.own(piece)
    this.holdings.forHolders(piece, (slot) => {
      const peer = this.#bySlot[slot]
      if (peer !== undefined && this.holdings.useful(slot) === 0) this.#tellInterest(peer, out)
    })
  }

  /** Whoever waits for the piece is told that it is here, and is not asked for it any more. */
  #tellHave(piece: number, out: SwarmAction[]): void {
    for (const peer of this.#onBitswap)
      if (peer.retire(piece)) out.push({ type: 'unask', root: this.root, peer: peer.key, piece })
    out.push({ type: 'have', root: this.root, piece })
  }

  #tellInterest(peer: SwarmPeer, out: SwarmAction[]): void {
    // a `share` peer has something new every moment: interest ends with the download
    const stays = peer.wire === 'share' && peer.interested && !this.pieces.complete
    const interested = peer.useful > 0 || stays
    if (interested === peer.interested) return
    peer.interested = interested
    if (peer.wire === 'bitswap') return
    out.push({ type: interested ? 'interested' : 'uninterested', root: this.root, peer: peer.key })
  }

  #finishIfComplete(out: SwarmAction[]): void {
    if (!this.pieces.complete || this.#completed) return
    this.#completed = true
    for (const peer of this.peers.values()) this.#tellInterest(peer, out)
    out.push({ type: 'completed', root: this.root })
  }

  /** Throws when the books do not agree; tests call it after every event. */
  checkInvariants(): void {
    this.pieces.checkInvariants()
    const peers = [...this.peers.values()]
    for (let piece = 0; piece < this.pieces.length; piece++) {
      const holders = peers.filter((peer) => peer.has.has(piece)).length
      const counted = this.pieces.picker.availability(piece)
      check(counted === holders, `piece ${piece} counted ${counted}, held by ${holders}`)
      for (const source of this.pieces.incoming.get(piece)?.sources ?? [])
        check(source.peer.sources.get(piece) === source, `${source.peer.key} does not know of ${piece}`)
    }
    for (const peer of peers) this.#checkPeer(peer)
  }

  #checkPeer(peer: SwarmPeer): void {
    let bytes = 0
    for (const [piece, source] of peer.sources) {
      bytes += source.left
      const known = this.pieces.incoming.get(piece)?.sources.includes(source) === true
      check(known, `${peer.key} is asked for ${piece}, which does not know it`)
    }
    check(bytes === peer.bytesRequested, `${peer.key}: ${bytes} in flight, counted ${peer.bytesRequested}`)
    let useful = 0
    for (let piece = 0; piece < this.pieces.length; piece++)
      if (peer.has.has(piece) && !this.pieces.has(piece)) useful++
    check(useful === peer.useful, `${peer.key} has ${useful} that we lack, counted ${peer.useful}`)
    check(peer.unstarted >= 0, `${peer.key} has ${peer.unstarted} bytes unstarted`)
  }
}
