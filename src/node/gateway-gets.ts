/** The blocks that one HTTP gateway is asked for: a few at once, the oldest first, each for as long as it is wanted. */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../core/cid.ts'
import type { BlockKey, RootKey } from '../core/types.ts'
import { fetchRawBlock, type Outcome } from '../exchange/http/raw-block.ts'

/** Blocks fetched at once: as many connections as browsers open to one host. */
const GETS_AT_ONCE = 6

/** A block, and for what: a walk that waits for a node, pieces of downloads. */
export interface Get {
  readonly cid: CID
  isNode: boolean
  readonly pieces: Map<RootKey, number>
}

interface Entry extends Get {
  readonly aborting: AbortController
  state: 'waiting' | 'running' | 'resting'
}

export interface GetsHost {
  /** The get is over, unless it `rest`s. */
  onOutcome(get: Get, outcome: Outcome): void
  /** Something came in. */
  onBytes(bytes: number): void
  /** Nothing has come for a while. */
  onSilence(): void
}

export class GatewayGets {
  readonly #url: string
  readonly #host: GetsHost
  readonly #entries = new Map<BlockKey, Entry>()
  #running = 0
  #ended = false

  constructor(url: string, host: GetsHost) {
    this.#url = url
    this.#host = host
  }

  wantNode(cid: CID): void {
    this.#entry(cid).isNode = true
    this.#pump()
  }

  wantPiece(cid: CID, root: RootKey, piece: number): void {
    this.#entry(cid).pieces.set(root, piece)
    this.#pump()
  }

  cancelNode(cid: CID): void {
    const entry = this.#entries.get(blockKey(cid))
    if (entry === undefined) return
    entry.isNode = false
    this.#endIfUnwanted(entry)
  }

  cancelPiece(root: RootKey, piece: number): void {
    for (const entry of this.#entries.values())
      if (entry.pieces.get(root) === piece) this.#withoutPiece(entry, root)
  }

  /** No piece of this root is wanted any more. */
  cancelRoot(root: RootKey): void {
    for (const entry of this.#entries.values()) this.#withoutPiece(entry, root)
  }

  /** The node did not come: it is asked for again after so long, if it is still wanted then. */
  rest(cid: CID, ms: number): void {
    const entry = this.#entry(cid)
    entry.isNode = true
    entry.state = 'resting'
    const timer = setTimeout(() => {
      entry.state = 'waiting'
      this.#pump()
    }, ms)
    timer.unref()
  }

  end(): void {
    this.#ended = true
    for (const { aborting } of this.#entries.values()) aborting.abort()
    this.#entries.clear()
  }

  #entry(cid: CID): Entry {
    const key = blockKey(cid)
    const known = this.#entries.get(key)
    if (known !== undefined) return known
    const aborting = new AbortController()
    const entry: Entry = { cid, isNode: false, pieces: new Map(), aborting, state: 'waiting' }
    this.#entries.set(key, entry)
    return entry
  }

  #withoutPiece(entry: Entry, root: RootKey): void {
    if (entry.pieces.delete(root)) this.#endIfUnwanted(entry)
  }

  #endIfUnwanted(entry: Entry): void {
    if (entry.isNode || entry.pieces.size > 0) return
    entry.aborting.abort()
    this.#forget(entry)
  }

  #forget(entry: Entry): void {
    const key = blockKey(entry.cid)
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
  }

  #pump(): void {
    for (const entry of this.#entries.values()) {
      if (this.#ended || this.#running >= GETS_AT_ONCE) return
      if (entry.state === 'waiting') void this.#run(entry)
    }
  }

  async #run(entry: Entry): Promise<void> {
    entry.state = 'running'
    this.#running++
    const { signal } = entry.aborting
    const outcome = await fetchRawBlock(this.#url, entry.cid.toString(), {
      signal,
      onBytes: (bytes) => this.#host.onBytes(bytes),
      onSilence: () => this.#host.onSilence(),
    }).catch(() => undefined)
    this.#running--
    this.#forget(entry)
    // what was cancelled is of no interest, whatever came of it
    if (outcome !== undefined && !signal.aborted) this.#host.onOutcome(entry, outcome)
    this.#pump()
  }
}
