/**
 * The one way out of this node, shared by all swarms and wires. Few pieces are sent at once; the next one
 * goes to the peer that has had the least, by start-time fair queueing (Goyal, Vin, Cheng 1996), so swarms
 * and peers get equal shares and a newcomer does not wait for others to be caught up with.
 */
import { type Millis, millis, type PeerKey, type RootKey } from '../core/types.ts'

/** As many as keep the link full while the next piece is read from disk; of small pieces, as many as make up the bytes. */
const MOST_SENDS = { pieces: 4, bytes: 1 << 20 }

/** One being written to the stream, one being read from disk. */
const MOST_SENDS_A_PEER = { pieces: 2, bytes: 512 << 10 }

/**
 * A send that is under way for so long while later ones have finished, or nothing has, is stalled: it no longer counts
 * among the sends, and its peer holds up itself alone. On a slow uplink every send takes long, but none is overtaken.
 */
const STALLED_MS = 2_000

/** Wants of one peer that are kept; more are dropped, and it will ask again. */
const MOST_WANTS = 2_048

interface Want {
  readonly root: RootKey
  readonly piece: number
  readonly size: number
}

interface Send {
  readonly size: number
  readonly since: Millis
  /** One that began later has finished. */
  overtaken: boolean
}

interface Receiver {
  readonly key: PeerKey
  /** Waiting, first come first served; keyed by root and piece. */
  readonly queue: Map<string, Want>
  readonly sending: Map<string, Send>
  /** Virtual start time of its next piece. */
  tag: number
}

interface Sends {
  readonly pieces: number
  readonly bytes: number
}

const isFull = (sends: Sends, most: Sends): boolean =>
  sends.pieces >= most.pieces && sends.bytes >= most.bytes

function takesMore(receiver: Receiver): boolean {
  if (receiver.queue.size === 0) return false
  let bytes = 0
  for (const send of receiver.sending.values()) bytes += send.size
  return !isFull({ pieces: receiver.sending.size, bytes }, MOST_SENDS_A_PEER)
}

const keyOf = (root: RootKey, piece: number): string => `${piece}@${root}`

export class Uplink {
  readonly #receivers = new Map<PeerKey, Receiver>()
  #virtualNow = 0
  #lastDone: Millis = millis(0)

  want(peer: PeerKey, want: Want): void {
    const receiver = this.#receiver(peer)
    const key = keyOf(want.root, want.piece)
    if (receiver.queue.size >= MOST_WANTS || receiver.sending.has(key)) return
    if (receiver.queue.size === 0) receiver.tag = Math.max(receiver.tag, this.#virtualNow)
    receiver.queue.set(key, want)
  }

  unwant(peer: PeerKey, root: RootKey, piece: number): void {
    this.#receivers.get(peer)?.queue.delete(keyOf(root, piece))
  }

  /** The piece has left, or could not be sent. */
  done(peer: PeerKey, root: RootKey, piece: number, now: Millis): void {
    const receiver = this.#receivers.get(peer)
    const send = receiver?.sending.get(keyOf(root, piece))
    if (receiver === undefined || send === undefined) return
    receiver.sending.delete(keyOf(root, piece))
    this.#lastDone = now
    for (const other of this.#sends()) if (other.since < send.since) other.overtaken = true
    if (receiver.queue.size === 0 && receiver.sending.size === 0 && receiver.tag <= this.#virtualNow) {
      this.#receivers.delete(peer)
    }
  }

  drop(peer: PeerKey, root?: RootKey): void {
    const receiver = this.#receivers.get(peer)
    if (receiver === undefined) return
    if (root === undefined) this.#receivers.delete(peer)
    else this.#forget(receiver, root)
  }

  dropSwarm(root: RootKey): void {
    for (const receiver of this.#receivers.values()) this.#forget(receiver, root)
  }

  /** What may start now. */
  next(now: Millis): { peer: PeerKey; want: Want } | undefined {
    const running = { pieces: 0, bytes: 0 }
    let chosen: Receiver | undefined
    for (const receiver of this.#receivers.values()) {
      for (const send of receiver.sending.values()) {
        if (this.#stallsAt(send) <= now) continue
        running.pieces++
        running.bytes += send.size
      }
      if (takesMore(receiver) && (chosen === undefined || receiver.tag < chosen.tag)) chosen = receiver
    }
    if (chosen === undefined || isFull(running, MOST_SENDS)) return undefined
    return this.#grant(chosen, now)
  }

  /** When the next send starts to count as stalled, if others wait. */
  nextTimeout(now: Millis): Millis | undefined {
    let next: number | undefined
    let waiting = false
    for (const receiver of this.#receivers.values()) {
      waiting ||= takesMore(receiver)
      for (const send of receiver.sending.values()) {
        const stalls = this.#stallsAt(send)
        if (stalls > now) next = Math.min(next ?? Number.POSITIVE_INFINITY, stalls)
      }
    }
    return waiting && next !== undefined ? millis(next) : undefined
  }

  #grant(receiver: Receiver, now: Millis): { peer: PeerKey; want: Want } | undefined {
    const first = receiver.queue.entries().next().value
    if (first === undefined) return undefined
    const [key, want] = first
    receiver.queue.delete(key)
    receiver.sending.set(key, { size: want.size, since: now, overtaken: false })
    // one that was busy may come with an older tag
    this.#virtualNow = Math.max(this.#virtualNow, receiver.tag)
    receiver.tag += want.size
    return { peer: receiver.key, want }
  }

  #stallsAt({ since, overtaken }: Send): number {
    return (overtaken ? since : Math.max(since, this.#lastDone)) + STALLED_MS
  }

  *#sends(): Generator<Send> {
    for (const receiver of this.#receivers.values()) yield* receiver.sending.values()
  }

  /** Ends all business of one root; a receiver that is left with none is gone. */
  #forget(receiver: Receiver, root: RootKey): void {
    for (const key of [...receiver.queue.keys(), ...receiver.sending.keys()]) {
      if (!key.endsWith(`@${root}`)) continue
      receiver.queue.delete(key)
      receiver.sending.delete(key)
    }
    if (receiver.queue.size === 0 && receiver.sending.size === 0) this.#receivers.delete(receiver.key)
  }

  #receiver(key: PeerKey): Receiver {
    const known = this.#receivers.get(key)
    if (known !== undefined) return known
    const receiver: Receiver = { key, queue: new Map(), sending: new Map(), tag: this.#virtualNow }
    this.#receivers.set(key, receiver)
    return receiver
  }
}
