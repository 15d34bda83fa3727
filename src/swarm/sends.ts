/**
 * The answers that are leaving: how far each is, which of them use the link, and how much of it. A send counts from
 * its first byte until its last has arrived; one whose peer takes nothing is stalled, and counts for nothing.
 */
import type { Millis, PeerKey, RootKey } from '../core/types.ts'
import { Capacity, type Mark } from './capacity.ts'
import type { Request } from './fair-queue.ts'
import { Progress } from './progress.ts'
import type { SwarmPeer } from './swarm-peer.ts'

/** A send that has made no progress for so long while others have is stalled: its peer holds up itself alone. */
const STALLED_MS = 2_000

/** The same where nothing moves at all. */
const HALTED_MS = 6_000

/** What counts as one send; several smaller ones count as one. */
const WHOLE_BYTES = 1 << 20

/** So small a send still counts as this part of one. */
const LEAST_WEIGHT = 1 / 16

const NOBODY: ReadonlySet<PeerKey> = new Set()

interface Send {
  readonly request: Request
  readonly peer: SwarmPeer
  /** What has arrived. */
  readonly progress: Progress
  /** Bytes that have left, and when the first and the last of them did. */
  sent: number
  firstLeft: Millis | undefined
  lastLeft: Millis | undefined
  readonly mark: Mark
  /** When the first of it was confirmed. */
  confirmed: Mark | undefined
}

export class Sends {
  readonly #capacity = new Capacity()
  readonly #sends = new Set<Send>()
  #lastProgress: Millis | undefined

  get size(): number {
    return this.#sends.size
  }

  /** What the link carries, in bytes a second. */
  rate(now: Millis): number {
    return this.#capacity.rate(now)
  }

  some(accepts: (request: Request) => boolean): boolean {
    for (const { request } of this.#sends) if (accepts(request)) return true
    return false
  }

  /** How many go to this peer. */
  to(peer: PeerKey): number {
    let count = 0
    for (const { request } of this.#sends) if (request.peer === peer) count++
    return count
  }

  start(request: Request, peer: SwarmPeer, now: Millis): void {
    this.#sends.add({
      request,
      peer,
      progress: new Progress(now),
      sent: 0,
      firstLeft: undefined,
      lastLeft: undefined,
      mark: this.#capacity.mark(now),
      confirmed: undefined,
    })
  }

  /** Bytes of a send have left; true when those were the last. */
  sent(peer: PeerKey, root: RootKey, piece: number, begin: number, bytes: number, now: Millis): boolean {
    const send = this.#find(peer, root, piece, begin)
    if (send === undefined) return false
    send.sent += bytes
    send.firstLeft ??= now
    send.lastLeft = now
    return send.sent >= send.request.length
  }

  /** Bytes of a send have arrived. Returns its request when that was the end of it. */
  delivered(
    peer: PeerKey,
    root: RootKey,
    piece: number,
    begin: number,
    bytes: number,
    now: Millis,
  ): Request | undefined {
    this.#capacity.moved(bytes)
    this.#lastProgress = now
    const send = this.#find(peer, root, piece, begin)
    if (send === undefined) return undefined
    send.confirmed ??= this.#capacity.mark(now)
    send.progress.add(bytes, now)
    send.sent = Math.max(send.sent, send.progress.bytes)
    return this.#endIfDone(send, now) ? send.request : undefined
  }

  /** A send got shorter, or is over (0). */
  shorten(peer: PeerKey, root: RootKey, piece: number, begin: number, length: number, now: Millis): void {
    const send = this.#find(peer, root, piece, begin)
    if (send === undefined) return
    send.request.length = length
    this.#endIfDone(send, now)
  }

  drop(peer: PeerKey, root: RootKey, piece: number, begin: number): void {
    const send = this.#find(peer, root, piece, begin)
    if (send !== undefined) this.#sends.delete(send)
  }

  dropAll(drops: (request: Request) => boolean): void {
    for (const send of this.#sends) if (drops(send.request)) this.#sends.delete(send)
  }

  // --- how they use the link

  /** The first so many bytes of each that runs, together. */
  first(bytes: number, now: Millis): number {
    let sum = 0
    for (const send of this.#sends) if (this.#runs(send, now)) sum += Math.min(bytes, send.request.length)
    return sum
  }

  /** Sends that run, small ones by their size. */
  running(now: Millis): number {
    let running = 0
    for (const send of this.#sends) {
      if (!this.#runs(send, now)) continue
      running += Math.min(1, Math.max(LEAST_WEIGHT, send.request.length / WHOLE_BYTES))
    }
    return running
  }

  /** Bytes a second that the sends take; a young one counts with its part of the estimate. */
  used(now: Millis): number {
    let running = 0
    for (const send of this.#sends) if (this.#runs(send, now)) running++
    const share = this.rate(now) / Math.max(1, running)
    let used = 0
    for (const send of this.#sends) {
      if (!this.#runs(send, now)) continue
      const { rate, since } = send.progress
      const young = now - since <= send.peer.roundTrip
      used += rate === undefined || young ? Math.max(rate ?? 0, share) : rate
    }
    return used
  }

  /** Bytes that have yet to leave, save to these peers. */
  left(except: ReadonlySet<PeerKey>): number {
    let bytes = 0
    for (const { request, sent } of this.#sends)
      if (!except.has(request.peer)) bytes += Math.max(0, request.length - sent)
    return bytes
  }

  /** Peers that do not take what they are sent: each holds up itself alone. */
  stalled(now: Millis): ReadonlySet<PeerKey> {
    let peers: Set<PeerKey> | undefined
    for (const send of this.#sends)
      if (this.#stalls(send, now)) peers = (peers ?? new Set()).add(send.request.peer)
    return peers ?? NOBODY
  }

  /** Whether it uses the link: something of it has yet to leave, and does. */
  #runs(send: Send, now: Millis): boolean {
    return send.sent < send.request.length && !this.#stalls(send, now)
  }

  #stalls({ request, progress, sent }: Send, now: Millis): boolean {
    const silent = now - progress.lastAt
    if (sent >= request.length || silent <= STALLED_MS) return false
    const last = this.#lastProgress
    return silent > HALTED_MS || (last !== undefined && last > progress.lastAt)
  }

  #find(peer: PeerKey, root: RootKey, piece: number, begin: number): Send | undefined {
    for (const send of this.#sends) {
      const { request } = send
      if (request.piece !== piece || request.begin !== begin) continue
      if (request.peer === peer && request.root === root) return send
    }
    return undefined
  }

  #endIfDone(send: Send, now: Millis): boolean {
    if (send.progress.bytes < send.request.length) return false
    this.#sends.delete(send)
    if (send.request.length > 0) this.#sample(send, now)
    return true
  }

  /**
   * Over a long way a piece takes longer than its bytes take the link. What was confirmed after its first bytes leaves
   * the way out, over no less than the time in which it left: confirmations may come in a heap.
   */
  #sample({ mark, confirmed, firstLeft, lastLeft }: Send, now: Millis): void {
    this.#capacity.sample(mark, now)
    if (confirmed === undefined || firstLeft === undefined || lastLeft === undefined) return
    if (lastLeft > firstLeft) this.#capacity.sample(confirmed, now, lastLeft - firstLeft)
  }
}
