/** What somebody outside of a scheduler knows of its swarms and peers, from the events and the actions alone. */
import type { PeerKey, RootKey } from '../../src/core/types.ts'
import type { SwarmEvent, Wire } from '../../src/swarm/events.ts'
import { type Bytes, gaps, joined } from '../../src/swarm/spans.ts'

/** Bytes asked of a peer. */
export interface Open {
  readonly piece: number
  readonly begin: number
  /** First byte that has not come. */
  at: number
  end: number
}

/** Bytes that a peer asked for. */
export interface Asked {
  readonly piece: number
  readonly begin: number
  length: number
  readonly offered: boolean
  /** Bytes delivered; undefined while it waits. */
  delivered: number | undefined
}

/** An offer of ours that is not answered. */
export interface Standing {
  readonly eager: boolean
  readonly at: number
}

export class PeerBooks {
  readonly key: PeerKey
  readonly wire: Wire
  readonly has = new Set<number>()
  /** It serves us nothing but what it offers. */
  choked: boolean
  /** What it was told. */
  interested = false
  choking: boolean
  readonly questions = new Set<number>()
  readonly open = new Map<number, Open>()
  readonly asked: Asked[] = []
  readonly offers = new Map<number, Standing>()
  /** Pieces of which an offer was not answered for long: it may have been given up, and may be made again. */
  readonly givenUp = new Set<number>()

  constructor(key: PeerKey, wire: Wire) {
    this.key = key
    this.wire = wire
    this.choked = wire !== 'bitswap'
    this.choking = wire !== 'bitswap'
  }

  waiting(piece: number, begin: number): Asked | undefined {
    return this.asked.find((one) => one.piece === piece && one.begin === begin && one.delivered === undefined)
  }

  running(piece: number, begin: number): Asked | undefined {
    return this.asked.find((one) => one.piece === piece && one.begin === begin && one.delivered !== undefined)
  }

  drop(asked: Asked | undefined): void {
    const at = asked === undefined ? -1 : this.asked.indexOf(asked)
    if (at >= 0) this.asked.splice(at, 1)
  }
}

export class SwarmBooks {
  readonly root: RootKey
  readonly sizes: number[] = []
  final = false
  completed = false
  readonly have = new Set<number>()
  /** Pieces that are all here, and what is done with them. */
  readonly settling = new Map<number, 'checking' | 'storing'>()
  /** Told to be coming, and not withdrawn. */
  readonly expected = new Set<number>()
  /** Bytes that a driver would hold. */
  readonly held = new Map<number, readonly Bytes[]>()
  readonly peers = new Map<PeerKey, PeerBooks>()

  constructor(root: RootKey) {
    this.root = root
  }

  size(piece: number): number | undefined {
    return this.sizes[piece]
  }

  /** Whether bytes of it are of use. */
  isWanted(piece: number): boolean {
    return this.size(piece) !== undefined && !this.have.has(piece) && !this.settling.has(piece)
  }

  isWhole(piece: number): boolean {
    return gaps(this.held.get(piece) ?? [], this.size(piece) ?? 0).length === 0
  }

  hold(piece: number, begin: number, length: number): void {
    this.held.set(piece, joined(this.held.get(piece) ?? [], { begin, end: begin + length }))
  }
}

export class Books {
  readonly swarms = new Map<RootKey, SwarmBooks>()
  readonly banned = new Set<PeerKey>()

  peer(root: RootKey, peer: PeerKey): PeerBooks | undefined {
    return this.swarms.get(root)?.peers.get(peer)
  }

  /** What an event says, before anybody reacts to it. */
  note(event: SwarmEvent): void {
    if (event.type === 'woke' || event.type === 'limited') return
    if (event.type === 'opened') {
      if (this.swarms.has(event.root)) return
      const swarm = new SwarmBooks(event.root)
      this.swarms.set(event.root, swarm)
      this.#grow(swarm, event.sizes, event.have, event.final)
      return
    }
    const swarm = this.swarms.get(event.root)
    if (swarm === undefined) return
    if (event.type === 'closed') this.swarms.delete(event.root)
    else if (event.type === 'grown') this.#grow(swarm, event.sizes, event.found, event.final)
    else if (event.type === 'joined') this.#join(swarm, event)
    else if ('peer' in event) this.#notePeer(swarm, event)
    else this.#noteSettling(swarm, event)
  }

  #grow(swarm: SwarmBooks, sizes: ArrayLike<number>, have: Iterable<number>, final: boolean): void {
    swarm.sizes.push(...Array.from(sizes))
    swarm.final = final
    for (const piece of have) if (swarm.isWanted(piece)) swarm.have.add(piece)
  }

  #join(swarm: SwarmBooks, { peer, wire, has = [] }: Extract<SwarmEvent, { type: 'joined' }>): void {
    if (this.banned.has(peer)) return
    const books = swarm.peers.get(peer) ?? new PeerBooks(peer, wire)
    swarm.peers.set(peer, books)
    for (const piece of has) if (swarm.size(piece) !== undefined) books.has.add(piece)
  }

  #noteSettling(swarm: SwarmBooks, event: SwarmEvent): void {
    if (!('piece' in event) || event.piece === undefined) return
    const { piece } = event
    const before = swarm.settling.get(piece)
    if (before === 'checking' && event.type === 'verified') swarm.settling.set(piece, 'storing')
    else if (before === 'storing' && event.type === 'stored') {
      swarm.settling.delete(piece)
      swarm.held.delete(piece)
      swarm.expected.delete(piece)
      swarm.have.add(piece)
    } else if (before === 'checking' && event.type === 'refuted') swarm.settling.delete(piece)
    else if (before === 'storing' && event.type === 'store-failed') swarm.settling.delete(piece)
  }

  #notePeer(swarm: SwarmBooks, event: Extract<SwarmEvent, { peer: PeerKey }>): void {
    const peer = swarm.peers.get(event.peer)
    if (peer === undefined) return
    switch (event.type) {
      case 'left':
        swarm.peers.delete(event.peer)
        return
      case 'has':
        for (const piece of event.pieces) {
          peer.questions.delete(piece)
          if (swarm.size(piece) !== undefined) peer.has.add(piece)
        }
        return
      case 'lacks':
        for (const piece of event.pieces) {
          peer.has.delete(piece)
          peer.open.delete(piece)
        }
        return
      case 'choked':
      case 'unchoked':
        peer.choked = event.type === 'choked'
        return
      case 'arrived':
        this.#arrive(swarm, peer, event)
        return
      case 'received':
        peer.open.delete(event.piece)
        peer.questions.delete(event.piece)
        if (swarm.size(event.piece) !== undefined) peer.has.add(event.piece)
        if (swarm.isWanted(event.piece)) swarm.hold(event.piece, 0, swarm.size(event.piece) ?? 0)
        return
      case 'rejected': {
        const open = peer.open.get(event.piece)
        if (open !== undefined && event.begin + event.length >= open.end) peer.open.delete(event.piece)
        return
      }
      default:
        this.#noteUpload(peer, event)
    }
  }

  #arrive(swarm: SwarmBooks, peer: PeerBooks, event: Extract<SwarmEvent, { type: 'arrived' }>): void {
    const { piece, begin, length } = event
    const open = peer.open.get(piece)
    if (open === undefined || open.at !== begin) return
    const wanted = Math.min(length, open.end - begin)
    swarm.hold(piece, begin, wanted)
    open.at += wanted
    if (open.at >= open.end) peer.open.delete(piece)
  }

  #noteUpload(peer: PeerBooks, event: SwarmEvent): void {
    switch (event.type) {
      case 'requested': {
        const { piece, begin, length, offered } = event
        if (offered) peer.offers.delete(piece)
        peer.drop(peer.waiting(piece, begin))
        peer.asked.push({ piece, begin, length, offered, delivered: undefined })
        return
      }
      case 'accepted':
        peer.offers.delete(event.piece)
        return
      case 'declined':
      case 'busy':
        if (event.piece === undefined) return
        if (peer.offers.get(event.piece)?.eager === true) peer.drop(peer.running(event.piece, 0))
        peer.offers.delete(event.piece)
        return
      case 'shortened': {
        const asked = peer.waiting(event.piece, event.begin) ?? peer.running(event.piece, event.begin)
        if (asked === undefined) return
        asked.length = event.length
        if (event.length <= (asked.delivered ?? 0)) peer.drop(asked)
        return
      }
      case 'delivered': {
        const asked = peer.running(event.piece, event.begin)
        if (asked?.delivered === undefined) return
        asked.delivered += event.bytes
        if (asked.delivered >= asked.length) peer.drop(asked)
        return
      }
      case 'send-failed':
        peer.drop(peer.running(event.piece, event.begin))
        return
    }
  }
}
