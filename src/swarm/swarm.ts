/**
 * The peers of one root and the pieces that move between them: the download side. Each piece is in exactly
 * one state, and only `Swarm` moves it: missing -> requested -> verifying -> storing -> have. A failure goes
 * back to missing, with blame where the bytes were wrong.
 */
import type { Prng } from '../core/prng.ts'
import { type Millis, millis, type PeerKey, type RootKey } from '../core/types.ts'
import type { SwarmAction } from './events.ts'
import type { Limiter } from './limiter.ts'
import { PiecePicker } from './piece-picker.ts'
import { SwarmPeer } from './swarm-peer.ts'

type PieceState = 'missing' | 'requested' | 'verifying' | 'storing' | 'have'

/** Endgame: how many peers may send the same piece at once. */
const MOST_SOURCES = 3

/** Endgame: a second source is asked when it is this much sooner than the present one. */
const SOONER = 2

export class Swarm {
  readonly root: RootKey
  readonly peers = new Map<PeerKey, SwarmPeer>()
  readonly #picker: PiecePicker
  readonly #limiter: Limiter
  readonly #sizes: number[] = []
  readonly #states: PieceState[] = []
  /** Who is asked for a piece in state `requested`. */
  readonly #sources = new Map<number, Set<SwarmPeer>>()
  #have = 0
  #final = false
  #completed = false
  /** A request was put off by the limiter; `fillAll` is due when that lets it through. */
  #held = false

  constructor(root: RootKey, prng: Prng, downLimiter: Limiter) {
    this.root = root
    this.#picker = new PiecePicker(prng)
    this.#limiter = downLimiter
  }

  get pieces(): number {
    return this.#states.length
  }

  has(piece: number): boolean {
    return this.#states[piece] === 'have'
  }

  size(piece: number): number {
    return this.#sizes[piece] ?? 0
  }

  get complete(): boolean {
    return this.#final && this.#have === this.pieces
  }

  // --- the piece space

  /** The pieces known from the start; nobody waits for those that are stored. */
  open(sizes: ArrayLike<number>, have: Iterable<number>, final: boolean, out: SwarmAction[]): void {
    this.#extend(sizes, final)
    for (const piece of have) if (this.#states[piece] === 'missing') this.#arrived(piece)
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
      if (this.#states[piece] !== 'missing') continue
      this.#arrived(piece)
      this.#tell(piece, out)
    }
    this.#finishIfComplete(out)
    this.fillAll(now, out)
  }

  #extend(sizes: ArrayLike<number>, final: boolean): void {
    const from = this.pieces
    for (let at = 0; at < sizes.length; at++) {
      this.#sizes.push(sizes[at] ?? 0)
      this.#states.push('missing')
    }
    this.#final = final
    this.#picker.grow(this.pieces)
    for (const peer of this.peers.values()) peer.grow(this.pieces)
    for (let piece = from; piece < this.pieces; piece++) this.#picker.add(piece)
  }

  // --- peers

  join(key: PeerKey, now: Millis, out: SwarmAction[]): void {
    if (this.peers.has(key)) return
    const peer = new SwarmPeer(key, this.pieces)
    this.peers.set(key, peer)
    this.#fill(peer, now, out)
  }

  /** Forgets the peer; what it was asked for can be asked of others. */
  leave(key: PeerKey, now: Millis, out: SwarmAction[]): void {
    const peer = this.peers.get(key)
    if (peer === undefined) return
    this.peers.delete(key)
    for (const piece of peer.has) this.#picker.count(piece, -1)
    for (const piece of [...peer.requests.keys()]) this.#release(peer, piece)
    this.fillAll(now, out)
  }

  peerHas(key: PeerKey, pieces: readonly number[], now: Millis, out: SwarmAction[]): void {
    const peer = this.peers.get(key)
    if (peer === undefined) return
    if (pieces.length > 0) peer.answered = true
    for (const piece of pieces) {
      if (peer.gain(piece)) this.#picker.count(piece, 1)
      this.#releaseFromSnubbed(piece, out)
    }
    this.#fill(peer, now, out)
  }

  peerLacks(key: PeerKey, pieces: readonly number[], now: Millis, out: SwarmAction[]): void {
    const peer = this.peers.get(key)
    if (peer === undefined) return
    if (pieces.length > 0) peer.answered = true
    let released = false
    for (const piece of pieces) {
      if (peer.lose(piece)) this.#picker.count(piece, -1)
      if (this.#release(peer, piece)) released = true
    }
    if (released) this.fillAll(now, out)
    else this.#fill(peer, now, out)
  }

  // --- a piece's way in

  progressed(key: PeerKey, bytes: number, now: Millis): void {
    this.peers.get(key)?.pipeline.progressed(bytes, now)
  }

  received(key: PeerKey, piece: number, now: Millis, out: SwarmAction[]): void {
    const peer = this.peers.get(key)
    if (peer === undefined) return
    const request = peer.release(piece)
    if (request !== undefined) peer.pipeline.delivered(this.size(piece), now - request.at, now)
    if (peer.gain(piece)) this.#picker.count(piece, 1)
    this.#sources.get(piece)?.delete(peer)
    const state = this.#states[piece]
    if (state === 'missing' || state === 'requested') {
      this.#picker.remove(piece)
      this.#states[piece] = 'verifying'
      out.push({ type: 'verify-and-store', root: this.root, peer: key, piece })
    }
    this.#fill(peer, now, out)
  }

  verified(piece: number, out: SwarmAction[]): void {
    if (this.#states[piece] !== 'verifying') return
    this.#states[piece] = 'storing'
    this.#cancelSources(piece, out)
  }

  stored(piece: number, out: SwarmAction[]): void {
    if (this.#states[piece] !== 'storing') return
    this.#arrived(piece)
    this.#tell(piece, out)
    this.#finishIfComplete(out)
  }

  /** The bytes received were wrong: the piece is to be had again. */
  refuted(piece: number, now: Millis, out: SwarmAction[]): void {
    if (this.#states[piece] === 'verifying') this.#again(piece, now, out)
  }

  storeFailed(piece: number, now: Millis, out: SwarmAction[]): void {
    if (this.#states[piece] === 'storing') this.#again(piece, now, out)
  }

  // --- time

  /** The next moment at which something changes by time alone. */
  nextTimeout(now: Millis): Millis | undefined {
    let next: number | undefined
    for (const peer of this.peers.values()) {
      if (peer.requests.size > 0) next = Math.min(next ?? Number.POSITIVE_INFINITY, peer.pipeline.deadline)
    }
    if (this.#held) next = Math.min(next ?? Number.POSITIVE_INFINITY, now + this.#limiter.waits(now))
    return next === undefined ? undefined : millis(next)
  }

  wake(now: Millis, out: SwarmAction[]): void {
    for (const peer of this.peers.values()) {
      if (peer.requests.size > 0 && peer.pipeline.deadline <= now) this.#snub(peer, now, out)
    }
    this.fillAll(now, out)
  }

  /** A silent peer keeps only what nobody else could send, and is reminded of that: an answer may have been lost. */
  #snub(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    peer.pipeline.snub(now)
    const presumed = [...this.peers.values()].some((other) => !other.answered && !other.pipeline.snubbed)
    for (const piece of [...peer.requests.keys()]) {
      const others = this.#picker.availability(piece) - (peer.has.has(piece) ? 1 : 0)
      if (others > 0 || presumed) this.#withdraw(peer, piece, out)
    }
    if (peer.requests.size === 0) return
    out.push({ type: 'remind', root: this.root, peer: peer.key, pieces: [...peer.requests.keys()] })
  }

  /** A peer has this piece now: silent ones need not be waited for. */
  #releaseFromSnubbed(piece: number, out: SwarmAction[]): void {
    if (this.#states[piece] !== 'requested') return
    const sources = [...(this.#sources.get(piece) ?? [])]
    if (!sources.every((source) => source.pipeline.snubbed)) return
    for (const source of sources) this.#withdraw(source, piece, out)
  }

  // --- choosing

  fillAll(now: Millis, out: SwarmAction[]): void {
    this.#held = false
    for (const peer of this.peers.values()) this.#fill(peer, now, out)
  }

  /** Asks the peer for as much as its pipeline takes, rarest first, and for presence ahead of that. */
  #fill(peer: SwarmPeer, now: Millis, out: SwarmAction[]): void {
    if (this.#have === this.pieces) return
    while (peer.pipeline.hasRoom(peer.inFlight)) {
      if (!this.#limiter.ready(now)) {
        this.#held = true
        break
      }
      const piece = this.#pick(peer, now)
      if (piece === undefined) break
      this.#request(peer, piece, now, out)
    }
    this.#ask(peer, out)
  }

  #pick(peer: SwarmPeer, now: Millis): number | undefined {
    const piece = this.#picker.pick((candidate) => peer.mayHave(candidate))
    if (piece !== undefined) return piece
    return this.#picker.size === 0 && this.#final ? this.#pickEndgame(peer, now) : undefined
  }

  /** Everything missing is in flight: an idle peer takes the piece that is due last, if it is much sooner. */
  #pickEndgame(peer: SwarmPeer, now: Millis): number | undefined {
    if (peer.requests.size > 0 || peer.pipeline.snubbed) return undefined
    const { pace } = peer.pipeline
    let latest: { piece: number; due: number } | undefined
    for (const [piece, sources] of this.#sources) {
      if (this.#states[piece] !== 'requested') continue
      if (sources.size >= MOST_SOURCES || sources.has(peer) || !peer.mayHave(piece)) continue
      const due = Math.min(...[...sources].map((source) => source.dueIn(piece, now)))
      // of a peer that never delivered nothing is known: it takes what would not come otherwise
      const sooner = pace === 0 ? due === Number.POSITIVE_INFINITY : due > (SOONER * this.size(piece)) / pace
      if (sooner && (latest === undefined || due > latest.due)) latest = { piece, due }
    }
    return latest?.piece
  }

  #request(peer: SwarmPeer, piece: number, now: Millis, out: SwarmAction[]): void {
    const size = this.size(piece)
    this.#limiter.charge(size, now)
    this.#picker.remove(piece)
    this.#states[piece] = 'requested'
    const sources = this.#sources.get(piece)
    if (sources === undefined) this.#sources.set(piece, new Set([peer]))
    else sources.add(peer)
    peer.request(piece, size, now)
    out.push({ type: 'request', root: this.root, peer: peer.key, piece })
  }

  /** Presence of missing pieces that this peer was not asked about, a bounded number at a time. */
  #ask(peer: SwarmPeer, out: SwarmAction[]): void {
    const pieces: number[] = []
    let room = peer.mayAsk
    for (; peer.askFrom < this.pieces && room > 0; peer.askFrom++) {
      const piece = peer.askFrom
      if (!this.#isWanted(piece) || peer.knows(piece)) continue
      peer.ask(piece)
      pieces.push(piece)
      room--
    }
    if (pieces.length > 0) out.push({ type: 'ask', root: this.root, peer: peer.key, pieces })
  }

  #isWanted(piece: number): boolean {
    return this.#states[piece] === 'missing' || this.#states[piece] === 'requested'
  }

  // --- state changes

  #arrived(piece: number): void {
    this.#picker.remove(piece)
    this.#states[piece] = 'have'
    this.#have++
  }

  /** Whoever waits for the piece is told that it is here, and is not asked for it any more. */
  #tell(piece: number, out: SwarmAction[]): void {
    for (const peer of this.peers.values())
      if (peer.retire(piece)) out.push({ type: 'cancel', root: this.root, peer: peer.key, piece })
    out.push({ type: 'have', root: this.root, piece })
  }

  #cancelSources(piece: number, out: SwarmAction[]): void {
    for (const source of this.#sources.get(piece) ?? []) {
      source.release(piece)
      out.push({ type: 'cancel', root: this.root, peer: source.key, piece })
    }
    this.#sources.delete(piece)
  }

  #withdraw(peer: SwarmPeer, piece: number, out: SwarmAction[]): void {
    this.#release(peer, piece)
    out.push({ type: 'cancel', root: this.root, peer: peer.key, piece })
  }

  /** Drops one source of a piece; the last one gone makes it missing again. True when there was something to drop. */
  #release(peer: SwarmPeer, piece: number): boolean {
    if (peer.release(piece) === undefined) return false
    const sources = this.#sources.get(piece)
    sources?.delete(peer)
    if (this.#states[piece] === 'requested' && (sources === undefined || sources.size === 0))
      this.#reopen(piece)
    return true
  }

  /** To be had again, and asked for where nothing is known of it. */
  #again(piece: number, now: Millis, out: SwarmAction[]): void {
    this.#reopen(piece)
    for (const peer of this.peers.values()) peer.askAgain(piece)
    this.fillAll(now, out)
  }

  /** Missing again, unless another source of the endgame is still sending it. */
  #reopen(piece: number): void {
    const sources = this.#sources.get(piece)
    if (sources !== undefined && sources.size > 0) {
      this.#states[piece] = 'requested'
      return
    }
    this.#sources.delete(piece)
    this.#states[piece] = 'missing'
    this.#picker.add(piece)
  }

  #finishIfComplete(out: SwarmAction[]): void {
    if (!this.complete || this.#completed) return
    this.#completed = true
    out.push({ type: 'completed', root: this.root })
  }

  /** Throws when the books do not agree; tests call it after every event. */
  checkInvariants(): void {
    let have = 0
    for (let piece = 0; piece < this.pieces; piece++) {
      const state = this.#states[piece]
      if (state === 'have') have++
      const sources = this.#sources.get(piece)?.size ?? 0
      const holders = [...this.peers.values()].filter((peer) => peer.has.has(piece)).length
      check(
        this.#picker.includes(piece) === (state === 'missing'),
        `piece ${piece} is ${state}, pickable ${this.#picker.includes(piece)}`,
      )
      check(
        this.#picker.availability(piece) === holders,
        `piece ${piece} counted ${this.#picker.availability(piece)}, held by ${holders}`,
      )
      check(state !== 'requested' || sources > 0, `piece ${piece} is requested of nobody`)
      check(
        state === 'requested' || state === 'verifying' || sources === 0,
        `piece ${piece} is ${state} with ${sources} sources`,
      )
    }
    check(have === this.#have, `counted ${this.#have} pieces, have ${have}`)
    for (const peer of this.peers.values()) {
      for (let piece = 0; piece < peer.askFrom; piece++)
        check(!this.#isWanted(piece) || peer.knows(piece), `${peer.key} is never asked for ${piece}`)
      let bytes = 0
      for (const [piece, request] of peer.requests) {
        bytes += request.size
        check(
          this.#sources.get(piece)?.has(peer) === true,
          `${peer.key} is asked for ${piece}, which does not know it`,
        )
      }
      check(
        bytes === peer.bytesRequested,
        `${peer.key} has ${bytes} in flight, counted ${peer.bytesRequested}`,
      )
    }
  }
}

function check(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(`swarm invariant: ${otherwise}`)
}
