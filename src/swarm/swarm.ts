/**
 * The peers of one root and the pieces that move between them. What comes in is asked for by `Asking` and taken in by
 * `Arriving`; what goes out is chosen by `Offering` and started by `Uplink`.
 */
import type { Prng } from '../core/prng.ts'
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import { Accepting } from './accepting.ts'
import { Arriving } from './arriving.ts'
import { Asking } from './asking.ts'
import { Choker } from './choker.ts'
import { Dividing } from './dividing.ts'
import type { Downlink } from './downlink.ts'
import type { SwarmAction, Wire } from './events.ts'
import { Expected } from './expected.ts'
import { Holdings } from './holdings.ts'
import type { Limiter } from './limiter.ts'
import { Offering } from './offering.ts'
import { check, Pieces } from './pieces.ts'
import type { Policy } from './policy.ts'
import { Pulling } from './pulling.ts'
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
  readonly asking: Asking
  readonly arriving: Arriving
  readonly expected: Expected
  readonly offering: Offering
  readonly accepting: Accepting
  readonly dividing: Dividing
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
    this.asking = new Asking(this)
    this.arriving = new Arriving(this)
    this.expected = new Expected(this)
    this.offering = new Offering(this)
    this.accepting = new Accepting(this)
    this.dividing = new Dividing(this)
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
        this.asking.cancel(source, now, out)
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
    for (const source of [...peer.sources.values()]) this.asking.lose(source, now, out)
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
      if (source !== undefined) this.asking.lose(source, now, out)
      if (!peer.has.delete(piece)) continue
      // or it would be asked, say yes and not give the piece, without an end
      if (source !== undefined && peer.wire === 'bitswap') peer.disowned(piece, now)
      peer.askAgain(piece)
      this.pieces.picker.count(piece, -1)
      this.offering.lost(peer)
    }
    this.#tellInterest(peer, out)
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
  refuted(piece: number, senders: readonly PeerKey[] | undefined, out: SwarmAction[]): PeerKey | undefined {
    if (this.pieces.state(piece) !== 'verifying') return undefined
    const told = [...this.pieces.book(piece).senders].map(({ key }) => key)
    const [first, ...others] = senders ?? told
    const blamed = others.length === 0 ? first : undefined
    this.#again(piece, blamed === undefined, out)
    return blamed
  }

  /** To be had again, and asked for where nothing is known of it. */
  #again(piece: number, undivided: boolean, out: SwarmAction[]): void {
    this.pieces.again(piece, undivided)
    out.push({ type: 'discard', root: this.root, piece })
    this.expected.tell(piece, out)
    for (const peer of this.peers.values()) peer.askAgain(piece)
  }

  #arrived(piece: number, out: SwarmAction[]): void {
    this.pieces.stored(piece)
    this.expected.stored(piece)
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
    let [useful, takes, lacks] = [0, 0, 0]
    for (let piece = 0; piece < this.pieces.length; piece++) {
      const { has, expects, offered } = peer
      if (!this.pieces.has(piece)) useful += Number(has.has(piece))
      else if (!has.has(piece)) {
        lacks++
        if (!expects.has(piece) && !offered.has(piece)) takes++
      }
    }
    const counted = [peer.useful, this.holdings.takes(peer.slot), this.holdings.lacks(peer.slot)]
    check(
      `${counted}` === `${[useful, takes, lacks]}`,
      `${peer.key}: ${useful} that we lack, it takes ${takes} and lacks ${lacks}, counted ${counted}`,
    )
    check(peer.unstarted >= 0, `${peer.key} has ${peer.unstarted} bytes unstarted`)
  }
}
