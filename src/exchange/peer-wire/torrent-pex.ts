/**
 * Peer exchange between BitTorrent clients (BEP 11, `ut_pex`): who joined and who left since the last message. No more than 50
 * of each kind in a message, and no message before a minute has passed. Who tells more is not believed beyond that.
 */
import { asDictionary, bytesAt, decodeBencode, encodeBencode } from '../../core/bencode.ts'
import { MalformedBencode } from '../../core/bencode-guard.ts'
import { type Endpoint, endpointText, familyOf, packEndpoints, unpackEndpoints } from '../../core/endpoint.ts'
import type { Millis } from '../../core/types.ts'
import { WireViolation } from './violation.ts'

/** Peers of each kind in one message. */
const MAX_PEERS = 50

/** 50 of each family, added and dropped, have 2.5 KB; some clients send more at first. */
const LIMITS = { maxBytes: 32 << 10, maxValues: 64 }

/** What is known of a peer besides its address. */
const FLAGS = { prefersEncryption: 0x01, seed: 0x02, utp: 0x04, holepunch: 0x08, reachable: 0x10 } as const

export interface PexPeer extends Endpoint {
  readonly seed: boolean
  /** Somebody has connected to it. */
  readonly reachable: boolean
}

export interface PexNews {
  readonly added: readonly PexPeer[]
  readonly dropped: readonly Endpoint[]
}

/** What goes beyond the bounds is left out. */
export function encodePex({ added, dropped }: PexNews): Uint8Array {
  const told = added.slice(0, MAX_PEERS)
  const gone = dropped.slice(0, MAX_PEERS)
  return encodeBencode({
    added: packEndpoints(told, 4),
    'added.f': flagsOf(told, 4),
    added6: packEndpoints(told, 6),
    'added6.f': flagsOf(told, 6),
    dropped: packEndpoints(gone, 4),
    dropped6: packEndpoints(gone, 6),
  })
}

function flagsOf(peers: readonly PexPeer[], family: 4 | 6): Uint8Array {
  const fitting = peers.filter((peer) => familyOf(peer) === family)
  return Uint8Array.from(
    fitting.map(({ seed, reachable }) => (seed ? FLAGS.seed : 0) | (reachable ? FLAGS.reachable : 0)),
  )
}

/** @throws WireViolation when it is no dictionary; what is malformed in it is left out */
export function decodePex(payload: Uint8Array): PexNews {
  const news = asDictionary(decoded(payload))
  if (news === undefined) throw new WireViolation('malformed', 'a ut_pex message that is no dictionary')
  const addedOf = (key: string, family: 4 | 6): PexPeer[] => {
    const flags = bytesAt(news, `${key}.f`) ?? new Uint8Array(0)
    const packed = bytesAt(news, key) ?? new Uint8Array(0)
    const stride = family === 4 ? 6 : 18
    const peers: PexPeer[] = []
    for (let at = 0; at < MAX_PEERS; at++) {
      // one by one, so that a flag stays with its peer where another is left out
      const [peer] = unpackEndpoints(packed.subarray(at * stride, (at + 1) * stride), family, 1)
      const flag = flags[at] ?? 0
      if (peer !== undefined)
        peers.push({ ...peer, seed: (flag & FLAGS.seed) !== 0, reachable: (flag & FLAGS.reachable) !== 0 })
    }
    return peers
  }
  const droppedOf = (key: string, family: 4 | 6): Endpoint[] =>
    unpackEndpoints(bytesAt(news, key) ?? new Uint8Array(0), family, MAX_PEERS)
  return {
    added: [...addedOf('added', 4), ...addedOf('added6', 6)].slice(0, MAX_PEERS),
    dropped: [...droppedOf('dropped', 4), ...droppedOf('dropped6', 6)].slice(0, MAX_PEERS),
  }
}

function decoded(payload: Uint8Array) {
  try {
    return decodeBencode(payload, LIMITS)
  } catch (cause) {
    if (!(cause instanceof MalformedBencode)) throw cause
    throw new WireViolation('malformed', `a ut_pex message: ${cause.message}`, { cause })
  }
}

const MINUTE_MS = 60_000

/** What one peer was told, so that the next message is what changed. */
export class PexTeller {
  readonly #told = new Map<string, Endpoint>()
  #next: number

  /** The first message goes out at once. */
  constructor(now: Millis) {
    this.#next = now
  }

  /** The news for this peer, of all peers there are now; undefined before its minute is over, or when nothing is new. */
  news(peers: readonly PexPeer[], now: Millis): PexNews | undefined {
    if (now < this.#next) return undefined
    const here = new Map(peers.map((peer) => [endpointText(peer), peer]))
    const added = [...here].filter(([key]) => !this.#told.has(key)).slice(0, MAX_PEERS)
    const dropped = [...this.#told].filter(([key]) => !here.has(key)).slice(0, MAX_PEERS)
    if (added.length === 0 && dropped.length === 0) return undefined
    for (const [key, peer] of added) this.#told.set(key, peer)
    for (const [key] of dropped) this.#told.delete(key)
    this.#next = now + MINUTE_MS
    return { added: added.map(([, peer]) => peer), dropped: dropped.map(([, peer]) => peer) }
  }
}

/** What of a peer's messages is taken. Two in a minute are, for its minutes are others than ours. */
export class PexListener {
  /** When the last two were taken. */
  #heard: readonly Millis[] = []

  /** False for a message that comes too soon and is to be passed over. */
  hear(now: Millis): boolean {
    const [before, last] = this.#heard
    if (before !== undefined && last !== undefined && now - before < MINUTE_MS) return false
    this.#heard = [...this.#heard, now].slice(-2)
    return true
  }
}
