/**
 * What peers asked for on their own, in fair order: the next request served is of the peer that has had the least, by
 * start-time fair queueing (Goyal, Vin, Cheng 1996), so that a newcomer does not wait for others to be caught up with.
 */
import type { PeerKey, RootKey } from '../core/types.ts'

/** Requests of one peer that are kept; more are dropped, and it will ask again. */
const MOST_REQUESTS = 2_048

export interface Request {
  readonly root: RootKey
  readonly peer: PeerKey
  readonly piece: number
  readonly begin: number
  length: number
  /** A part of what was offered: when it is there, the rest may be offered again. */
  readonly part: boolean
}

interface Line {
  readonly requests: Map<string, Request>
  /** Virtual start time of its next request. */
  tag: number
}

const keyOf = (root: RootKey, piece: number, begin: number): string => `${piece}+${begin}@${root}`

export class FairQueue {
  readonly #lines = new Map<PeerKey, Line>()
  #virtualNow = 0

  /** False when the peer has too many already. */
  add(request: Request): boolean {
    const line = this.#lines.get(request.peer) ?? { requests: new Map(), tag: this.#virtualNow }
    if (line.requests.size >= MOST_REQUESTS) return false
    if (line.requests.size === 0) line.tag = Math.max(line.tag, this.#virtualNow)
    this.#lines.set(request.peer, line)
    line.requests.set(keyOf(request.root, request.piece, request.begin), request)
    return true
  }

  find(peer: PeerKey, root: RootKey, piece: number, begin: number): Request | undefined {
    return this.#lines.get(peer)?.requests.get(keyOf(root, piece, begin))
  }

  /** Whether the peer asks for any part of the piece. */
  asks(peer: PeerKey, root: RootKey, piece: number): boolean {
    for (const request of this.#lines.get(peer)?.requests.values() ?? [])
      if (request.piece === piece && request.root === root) return true
    return false
  }

  remove(request: Request): void {
    this.#lines.get(request.peer)?.requests.delete(keyOf(request.root, request.piece, request.begin))
  }

  /** Takes the first request of the next line whose first may be answered, in fair order. */
  take(may: (first: Request) => boolean): Request | undefined {
    let chosen: Line | undefined
    let request: Request | undefined
    for (const line of this.#lines.values()) {
      if (chosen !== undefined && line.tag >= chosen.tag) continue
      const first = line.requests.values().next().value
      if (first === undefined || !may(first)) continue
      chosen = line
      request = first
    }
    if (chosen === undefined || request === undefined) return undefined
    this.remove(request)
    this.#virtualNow = Math.max(this.#virtualNow, chosen.tag)
    chosen.tag += request.length
    return request
  }

  get empty(): boolean {
    for (const { requests } of this.#lines.values()) if (requests.size > 0) return false
    return true
  }

  /** Forgets the requests of a peer, or those of one root. */
  drop(which: { readonly peer?: PeerKey; readonly root?: RootKey }): void {
    for (const [peer, { requests }] of this.#lines) {
      if (which.peer !== undefined && which.peer !== peer) continue
      for (const [key, { root }] of requests)
        if (which.root === undefined || which.root === root) requests.delete(key)
      if (requests.size === 0 && which.root === undefined) this.#lines.delete(peer)
    }
  }
}
