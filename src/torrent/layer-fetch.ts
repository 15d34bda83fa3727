/**
 * Gathers the piece layers of a v2 torrent from peers, where only the info dictionary is known (from a magnet link). Every
 * answer is proved up to the file's root, so each stands for itself: who sends a wrong one lies.
 */
import type { PeerKey } from '../core/types.ts'
import { type HashedFile, type HashSpan, layerRequests, leadsTo } from './hash-requests.ts'
import { HASH_BYTES } from './merkle.ts'

/** Requests to one peer at once. */
const IN_FLIGHT = 4

interface Request {
  readonly key: string
  readonly file: HashedFile
  readonly span: HashSpan
}

interface Peer {
  readonly asked: Map<string, Request>
  readonly rejected: Set<string>
}

export class LayerFetch {
  readonly #pieceLength: number
  /** Not asked of anybody now. */
  readonly #waiting = new Map<string, Request>()
  readonly #peers = new Map<PeerKey, Peer>()
  readonly #layers = new Map<string, Uint8Array>()
  #missing: number

  /** @param files those that are longer than a piece, and whose layer is not known */
  constructor(files: readonly HashedFile[], pieceLength: number) {
    this.#pieceLength = pieceLength
    for (const file of files)
      for (const span of layerRequests(file, pieceLength)) {
        const key = keyOf(span)
        this.#waiting.set(key, { key, file, span })
      }
    this.#missing = this.#waiting.size
  }

  get complete(): boolean {
    return this.#missing === 0
  }

  /** By their file's root in hex; whole once the fetch is complete. */
  get layers(): ReadonlyMap<string, Uint8Array> {
    return this.#layers
  }

  /** What to ask this peer for now; it counts as asked. */
  next(peer: PeerKey): HashSpan[] {
    const { asked, rejected } = this.#peer(peer)
    const chosen: HashSpan[] = []
    for (const request of this.#waiting.values()) {
      if (asked.size === IN_FLIGHT) break
      if (rejected.has(request.key)) continue
      this.#waiting.delete(request.key)
      asked.set(request.key, request)
      chosen.push(request.span)
    }
    return chosen
  }

  /** `unasked`: it was not asked for that. `bad`: the hashes do not lead to the file's root. */
  received(peer: PeerKey, span: HashSpan, hashes: Uint8Array): 'kept' | 'complete' | 'bad' | 'unasked' {
    const request = this.#take(peer, span)
    if (request === undefined) return 'unasked'
    const top = leadsTo(request.span, hashes)
    if (top === undefined || Buffer.compare(top, request.span.root) !== 0) {
      this.#peer(peer).rejected.add(request.key)
      this.#waiting.set(request.key, request)
      return 'bad'
    }
    this.#keep(request, hashes)
    this.#missing--
    return this.complete ? 'complete' : 'kept'
  }

  /** It does not have them; others are asked. False when it was not asked. */
  rejected(peer: PeerKey, span: HashSpan): boolean {
    const request = this.#take(peer, span)
    if (request === undefined) return false
    this.#peer(peer).rejected.add(request.key)
    this.#waiting.set(request.key, request)
    return true
  }

  left(peer: PeerKey): void {
    for (const request of this.#peers.get(peer)?.asked.values() ?? []) this.#waiting.set(request.key, request)
    this.#peers.delete(peer)
  }

  #peer(peer: PeerKey): Peer {
    const known = this.#peers.get(peer) ?? { asked: new Map(), rejected: new Set() }
    this.#peers.set(peer, known)
    return known
  }

  /** The open request that a message names in every number. */
  #take(peer: PeerKey, span: HashSpan): Request | undefined {
    const asked = this.#peers.get(peer)?.asked
    const request = asked?.get(keyOf(span))
    if (request === undefined || !sameNumbers(request.span, span)) return undefined
    asked?.delete(request.key)
    return request
  }

  #keep({ file, span }: Request, hashes: Uint8Array): void {
    const name = hex(file.root)
    const bytes = Math.ceil(file.size / this.#pieceLength) * HASH_BYTES
    const layer = this.#layers.get(name) ?? new Uint8Array(bytes)
    this.#layers.set(name, layer)
    const at = span.index * HASH_BYTES
    layer.set(hashes.subarray(0, Math.min(span.length * HASH_BYTES, bytes - at)), at)
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** Files of the same bytes have one tree. */
const keyOf = ({ root, index }: HashSpan): string => `${hex(root)} ${index}`

function sameNumbers(left: HashSpan, right: HashSpan): boolean {
  return (
    left.baseLayer === right.baseLayer &&
    left.length === right.length &&
    left.proofLayers === right.proofLayers
  )
}
