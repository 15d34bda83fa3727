/**
 * Gathers an info dictionary from peers (BEP 9). Each block is asked of one peer at a time, of several at once; the whole is
 * checked by the info hash, since no block can be alone. A whole that is wrong and came from one peer speaks against it; else
 * nobody knows who lied, and everything is fetched again, from one peer at a time. How long the dictionary is, every peer
 * may say otherwise: the size that most of them say is tried first.
 */
import { hash } from 'node:crypto'
import { sha256 } from '../content/verify.ts'
import type { PeerKey } from '../core/types.ts'
import { METADATA_BLOCK_BYTES } from '../exchange/peer-wire/metadata-messages.ts'
import { type InfoHashes, MAX_INFO_BYTES } from './info.ts'

/** Blocks asked of one peer at once. */
const IN_FLIGHT = 4

/** `bad`: this peer alone sent all of it, and it is wrong. `unasked`: nobody asked it for that. */
export type Received = 'kept' | 'complete' | 'mixed' | 'bad' | 'unasked'

interface Peer {
  readonly size: number
  readonly asked: Set<number>
  /** Asked before everything began anew; what comes of these is dropped. */
  readonly stale: Set<number>
  /** It has not these blocks, or none at all. */
  readonly rejected: Set<number>
}

export class MetadataFetch {
  readonly #hashes: InfoHashes
  readonly #peers = new Map<PeerKey, Peer>()
  /** Blocks here, with whom they came from; of the size that is being tried. */
  readonly #blocks = new Map<number, { readonly data: Uint8Array; readonly from: PeerKey }>()
  #size: number | undefined
  /** After a whole that was wrong: the one peer who is asked. */
  #alone: PeerKey | undefined
  readonly #askedAlone = new Set<PeerKey>()
  #mixed = false
  #whole: Uint8Array | undefined

  /** @param hashes one of the two is enough */
  constructor(hashes: InfoHashes) {
    if (hashes.v1 === undefined && hashes.v2 === undefined) throw new RangeError('no info hash')
    this.#hashes = hashes
  }

  /** The dictionary's bytes, once they are here and right. */
  get whole(): Uint8Array | undefined {
    return this.#whole
  }

  /** A peer's greeting said how long the dictionary is; sizes that none has are passed over. */
  joined(peer: PeerKey, size: number): void {
    if (size <= 0 || size > MAX_INFO_BYTES || this.#peers.has(peer)) return
    this.#peers.set(peer, { size, asked: new Set(), stale: new Set(), rejected: new Set() })
    this.#choose()
  }

  left(peer: PeerKey): void {
    this.#peers.delete(peer)
    if (this.#alone === peer) this.#restart()
    else this.#choose()
  }

  /** Blocks to ask this peer for now; they count as asked. */
  next(peer: PeerKey): number[] {
    const known = this.#peers.get(peer)
    const size = this.#size
    if (known === undefined || this.#whole !== undefined || known.size !== size) return []
    if (this.#mixed) {
      if (this.#alone === undefined && !this.#askedAlone.has(peer)) {
        this.#alone = peer
        this.#askedAlone.add(peer)
      }
      if (this.#alone !== peer) return []
    }
    const chosen: number[] = []
    for (let block = 0; block < blocksOf(size) && known.asked.size < IN_FLIGHT; block++) {
      if (this.#blocks.has(block) || known.rejected.has(block) || this.#isAsked(block)) continue
      known.asked.add(block)
      chosen.push(block)
    }
    return chosen
  }

  /** @param data kept, not copied */
  received(peer: PeerKey, block: number, size: number, data: Uint8Array): Received {
    const known = this.#peers.get(peer)
    if (known === undefined) return 'unasked'
    if (!known.asked.delete(block)) return known.stale.delete(block) ? 'kept' : 'unasked'
    // asked before another size was chosen
    if (known.size !== this.#size) return 'kept'
    if (size !== known.size || data.length !== blockSize(size, block)) {
      known.rejected.add(block)
      return 'bad'
    }
    this.#blocks.set(block, { data, from: peer })
    return this.#blocks.size < blocksOf(size) ? 'kept' : this.#check(peer)
  }

  /** It has not that block, for now; others are asked. */
  rejected(peer: PeerKey, block: number): boolean {
    const known = this.#peers.get(peer)
    if (known === undefined) return false
    if (!known.asked.delete(block)) return known.stale.delete(block)
    known.rejected.add(block)
    if (this.#alone === peer) this.#restart()
    else this.#choose()
    return true
  }

  #check(last: PeerKey): Received {
    const parts = [...this.#blocks].sort(([left], [right]) => left - right)
    const whole = Buffer.concat(parts.map(([, { data }]) => data))
    if (this.#matches(whole)) {
      this.#whole = whole
      this.#blocks.clear()
      return 'complete'
    }
    const senders = new Set(parts.map(([, { from }]) => from))
    this.#mixed = true
    this.#restart()
    return senders.size === 1 && senders.has(last) ? 'bad' : 'mixed'
  }

  #matches(whole: Uint8Array): boolean {
    const { v1, v2 } = this.#hashes
    const isV1 = v1 === undefined || Buffer.compare(hash('sha1', whole, 'buffer'), v1) === 0
    return isV1 && (v2 === undefined || Buffer.compare(sha256(whole), v2) === 0)
  }

  /** From the first block again. When everybody was asked alone, all get another turn: some were gone, or had not all. */
  #restart(): void {
    this.#alone = undefined
    this.#blocks.clear()
    for (const { asked, stale } of this.#peers.values()) {
      for (const block of asked) stale.add(block)
      asked.clear()
    }
    if ([...this.#peers.keys()].every((peer) => this.#askedAlone.has(peer))) this.#askedAlone.clear()
    this.#choose()
  }

  #choose(): void {
    const votes = new Map<number, number>()
    // who has rejected a block says nothing for its size
    for (const { size, rejected } of this.#peers.values())
      votes.set(size, (votes.get(size) ?? 0) + (rejected.size === 0 ? 1 : 0))
    // as long as anybody says so, the size that blocks are here of stays
    if (this.#size !== undefined && votes.has(this.#size) && this.#blocks.size > 0) return
    const [best] = [...votes].sort(([, left], [, right]) => right - left)
    if (best?.[0] === this.#size) return
    this.#size = best?.[0]
    this.#blocks.clear()
  }

  #isAsked(block: number): boolean {
    for (const { size, asked } of this.#peers.values())
      if (size === this.#size && asked.has(block)) return true
    return false
  }
}

function blocksOf(size: number): number {
  return Math.ceil(size / METADATA_BLOCK_BYTES)
}

function blockSize(size: number, block: number): number {
  return Math.min(METADATA_BLOCK_BYTES, size - block * METADATA_BLOCK_BYTES)
}

/** The answer to a request: a view. Undefined for a block that there is not, which is to be rejected. */
export function metadataBlock(info: Uint8Array, block: number): Uint8Array | undefined {
  if (block < 0 || block >= blocksOf(info.length)) return undefined
  return info.subarray(block * METADATA_BLOCK_BYTES, (block + 1) * METADATA_BLOCK_BYTES)
}
