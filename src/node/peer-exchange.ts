/**
 * Peer exchange: share peers of one swarm are told of each other, so that those who know one of them meet all. Each
 * peer is told of at most fifty others a minute, as in BEP 11; those heard of while downloading are dialled, and then
 * asked like everybody who is connected.
 */
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromMultihash, peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import * as Digest from 'multiformats/hashes/digest'
import { Slots } from '../core/slots.ts'
import { type PeerKey, peerKey, type RootKey } from '../core/types.ts'
import type { PeerNews } from '../exchange/peer-wire/peer-news.ts'
import { isOfUse } from './reach.ts'

/** Others that a peer is told of in a minute. */
const MOST_TOLD = 50
const MINUTE_MS = 60_000

/** Peers often come in crowds; news of them goes out together. */
const GATHER_MS = 100

/** Share peers of one swarm beyond which nobody is dialled for it; who dials us is welcome. */
const ENOUGH_PEERS = 50

/** The multiaddr code of a peer id. */
const P2P = 0x01a5

const DIALS_AT_ONCE = 8
const DIAL_TIMEOUT_MS = 5_000

/** Both ends hear of each other at the same moment; one of them lets the other try first. */
const YIELD_MS = 1_000

/** A peer that was heard of is not dialled again for so long, and so many are remembered. */
const REDIAL_MS = 60_000
const MOST_REMEMBERED = 1_000

export interface ExchangeContext {
  readonly libp2p: Libp2p
  tell(root: RootKey, peer: PeerKey, news: PeerNews): void
  isBanned(peer: PeerKey): boolean
  /** The swarm is downloaded, and may do with more peers. */
  isLookedFor(root: RootKey): boolean
  now(): number
}

interface Member {
  readonly told: Set<PeerKey>
  /** Peers told of since the minute began. */
  count: number
  minute: number
}

export class PeerExchange {
  readonly #context: ExchangeContext
  readonly #swarms = new Map<RootKey, Map<PeerKey, Member>>()
  readonly #changed = new Set<RootKey>()
  /** Swarms in which somebody has been told enough for now. */
  readonly #later = new Map<RootKey, NodeJS.Timeout>()
  readonly #dials = new Slots(DIALS_AT_ONCE)
  /** When each was last dialled. */
  readonly #dialled = new Map<PeerKey, number>()
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | undefined

  constructor(context: ExchangeContext) {
    this.#context = context
  }

  stop(): void {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    for (const timer of this.#later.values()) clearTimeout(timer)
  }

  /** A share peer takes part. */
  joined(root: RootKey, peer: PeerKey): void {
    const members = this.#swarms.get(root) ?? new Map<PeerKey, Member>()
    this.#swarms.set(root, members)
    members.set(peer, { told: new Set(), count: 0, minute: this.#context.now() })
    this.#change(root)
  }

  left(root: RootKey, peer: PeerKey): void {
    const members = this.#swarms.get(root)
    if (members?.delete(peer) !== true) return
    if (members.size === 0) this.#swarms.delete(root)
    else this.#change(root)
  }

  closed(root: RootKey): void {
    this.#swarms.delete(root)
    this.#changed.delete(root)
    clearTimeout(this.#later.get(root))
    this.#later.delete(root)
  }

  /** A peer told of others. */
  heard(root: RootKey, from: PeerKey, { added }: PeerNews): void {
    const link = this.#linkTo(from)
    if (link === undefined) return
    for (const { id, addresses } of added) {
      const peer = keyOf(id)
      if (peer === undefined) continue
      const usable = addresses.flatMap(parsed).filter((address) => isOfUse(address, link))
      if (usable.length > 0 && this.#mayDial(root, peer)) void this.#dial(root, peer, usable)
    }
  }

  #mayDial(root: RootKey, peer: PeerKey): boolean {
    const { libp2p, isBanned, isLookedFor, now } = this.#context
    if (!isLookedFor(root) || (this.#swarms.get(root)?.size ?? 0) >= ENOUGH_PEERS) return false
    if (peer === libp2p.peerId.toString() || isBanned(peer) || this.#linkTo(peer) !== undefined) return false
    const last = this.#dialled.get(peer)
    if (last !== undefined && now() - last < REDIAL_MS) return false
    if (last === undefined && this.#dialled.size >= MOST_REMEMBERED) this.#forgetOld()
    if (this.#dialled.size >= MOST_REMEMBERED) return false
    this.#dialled.set(peer, now())
    return true
  }

  #forgetOld(): void {
    const old = this.#context.now() - REDIAL_MS
    for (const [peer, at] of this.#dialled) if (at < old) this.#dialled.delete(peer)
  }

  async #dial(root: RootKey, peer: PeerKey, addresses: readonly Multiaddr[]): Promise<void> {
    const { libp2p, isLookedFor } = this.#context
    const stopping = this.#stopping.signal
    if (libp2p.peerId.toString() > peer) await pause(YIELD_MS)
    await this.#dials.run(async () => {
      if (stopping.aborted || !isLookedFor(root) || this.#linkTo(peer) !== undefined) return
      const signal = AbortSignal.any([stopping, AbortSignal.timeout(DIAL_TIMEOUT_MS)])
      // the peer id makes sure that it is nobody else who answers
      await libp2p
        .dial(
          addresses.map((address) => address.encapsulate(`/p2p/${peer}`)),
          { signal },
        )
        .catch(() => {})
    })
  }

  #change(root: RootKey): void {
    this.#changed.add(root)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      for (const changed of this.#changed) void this.#tellAll(changed)
      this.#changed.clear()
    }, GATHER_MS)
  }

  #goOnLater(root: RootKey, wait: number): void {
    if (this.#later.has(root)) return
    const goOn = (): void => {
      this.#later.delete(root)
      this.#change(root)
    }
    this.#later.set(root, setTimeout(goOn, wait))
  }

  async #tellAll(root: RootKey): Promise<void> {
    const members = this.#swarms.get(root)
    if (members === undefined) return
    const addresses = new Map<PeerKey, readonly Multiaddr[]>()
    for (const peer of members.keys()) addresses.set(peer, await this.#addressesOf(peer))
    if (this.#swarms.get(root) !== members) return
    for (const [peer, member] of members) this.#tell(root, peer, member, addresses)
  }

  #tell(root: RootKey, peer: PeerKey, member: Member, all: ReadonlyMap<PeerKey, readonly Multiaddr[]>): void {
    const link = this.#linkTo(peer)
    if (link === undefined) return
    const now = this.#context.now()
    if (now - member.minute >= MINUTE_MS) Object.assign(member, { minute: now, count: 0 })
    const added: { id: Uint8Array; addresses: Uint8Array[] }[] = []
    for (const [other, addresses] of all) {
      if (other === peer || member.told.has(other)) continue
      const usable = addresses.filter((address) => isOfUse(address, link))
      if (usable.length === 0) continue
      if (member.count === MOST_TOLD) {
        this.#goOnLater(root, member.minute + MINUTE_MS - now)
        break
      }
      member.count++
      member.told.add(other)
      added.push({ id: idOf(other), addresses: usable.map(({ bytes }) => bytes) })
    }
    const dropped = [...member.told].filter((other) => !all.has(other)).slice(0, MOST_TOLD)
    for (const other of dropped) member.told.delete(other)
    if (added.length + dropped.length > 0)
      this.#context.tell(root, peer, { added, dropped: dropped.map(idOf) })
  }

  /** Where it listens, as it says itself, and where we have reached it. */
  async #addressesOf(peer: PeerKey): Promise<readonly Multiaddr[]> {
    const { libp2p } = this.#context
    const id = peerIdFromString(peer)
    const reached = libp2p.getConnections(id).filter(({ direction }) => direction === 'outbound')
    const said = await libp2p.peerStore.get(id).catch(() => ({ addresses: [] }))
    const all = [
      ...reached.map(({ remoteAddr }) => remoteAddr),
      ...said.addresses.map((each) => each.multiaddr),
    ]
    const link = this.#linkTo(peer)
    const bare = new Set(all.map((address) => address.decapsulateCode(P2P).toString()))
    return [...bare]
      .map((address) => multiaddr(address))
      .filter((address) => link !== undefined && isOfUse(address, link))
  }

  #linkTo(peer: PeerKey): Multiaddr | undefined {
    return this.#context.libp2p.getConnections(peerIdFromString(peer))[0]?.remoteAddr
  }
}

function idOf(peer: PeerKey): Uint8Array {
  return peerIdFromString(peer).toMultihash().bytes
}

function keyOf(id: Uint8Array): PeerKey | undefined {
  try {
    return peerKey(peerIdFromMultihash(Digest.decode(id)).toString())
  } catch {
    return undefined
  }
}

function parsed(bytes: Uint8Array): Multiaddr[] {
  try {
    return [multiaddr(bytes)]
  } catch {
    return []
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref())
}
