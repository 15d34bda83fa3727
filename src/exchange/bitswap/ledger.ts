/** What one peer wants of us. Pure. It holds until we sent it, the peer cancels or replaces it, or the peer is gone. */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../core/cid.ts'
import type { BlockKey } from '../../core/types.ts'
import type { WantEntry, WantKind } from './message.ts'

/** Of some 400 bytes each. One of our own peers leaves up to 4,096 questions open for each root. More are refused. */
const MOST_WANTS = 8_192

export interface PeerWant {
  readonly cid: CID
  readonly kind: WantKind
  readonly sendDontHave: boolean
}

export class Ledger {
  readonly #wants = new Map<BlockKey, PeerWant>()

  get wants(): Iterable<PeerWant> {
    return this.#wants.values()
  }

  /** False when the list is full. */
  add({ cid, kind, sendDontHave }: WantEntry): boolean {
    const key = blockKey(cid)
    if (this.#wants.size >= MOST_WANTS && !this.#wants.has(key)) return false
    this.#wants.set(key, { cid, kind, sendDontHave })
    return true
  }

  get(cid: CID): PeerWant | undefined {
    return this.#wants.get(blockKey(cid))
  }

  remove(cid: CID): PeerWant | undefined {
    const key = blockKey(cid)
    const want = this.#wants.get(key)
    this.#wants.delete(key)
    return want
  }

  /** Empties the list and returns what was in it: the peer sends a full one. */
  clear(): PeerWant[] {
    const wants = [...this.#wants.values()]
    this.#wants.clear()
    return wants
  }
}
