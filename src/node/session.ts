/** Reading blocks of a root without downloading it: what is here is read here, the rest is searched for once it is missed. */
import type { CID } from 'multiformats/cid'
import { rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import { formatDuration } from '../core/units.ts'
import { FetchSession } from '../exchange/bitswap/node-fetcher.ts'
import type { Store } from '../store/types.ts'
import { fetchBlock } from './fetch-block.ts'
import type { Readers } from './readers.ts'
import { Search, type SearchContext } from './search.ts'

/** A read that nobody answers ends after this long. */
const NOBODY_AFTER_MS = 30_000

export interface ReadingContext extends SearchContext {
  readonly store: Store
  readonly readers: Readers
}

export interface ReadOptions {
  readonly peers: readonly string[]
  /** Nobody is asked: what is not here is NOBODY_HAS_IT. */
  readonly local?: boolean
  /** A block that does not come within so many milliseconds ends the waiting for it; without, it is waited for. */
  readonly patience?: number
  readonly signal?: AbortSignal
}

export class ReadSession implements Disposable {
  readonly #context: ReadingContext
  readonly #root: RootKey
  readonly #session = new FetchSession()
  readonly #search: Search
  readonly #stopping = new AbortController()
  readonly #signal: AbortSignal
  readonly #local: boolean
  readonly #patience: number | undefined
  #nobody: NodeJS.Timeout | undefined

  constructor(context: ReadingContext, root: CID, options: ReadOptions) {
    this.#context = context
    this.#root = rootKeyOf(root)
    const { signal, local = false, patience } = options
    this.#local = local
    this.#patience = patience
    this.#signal =
      signal === undefined ? this.#stopping.signal : AbortSignal.any([signal, this.#stopping.signal])
    this.#search = new Search(context, root, options.peers, (peer) =>
      context.bitswap.fetcher.joined(this.#session, peer),
    )
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#nobody)
    this.#stopping.abort(new ShareError('INTERRUPTED', 'reading was stopped', 'run the command again'))
    this.#search.stop()
  }

  /** A DAG node; kept, for it is asked for again. */
  readonly node = (cid: CID): Promise<Uint8Array> =>
    this.#get(cid, (signal) => this.#fetch(cid, true, signal))

  /** Any block, passed through; from the root's download, where one runs. */
  readonly block = (cid: CID): Promise<Uint8Array> =>
    this.#get(
      cid,
      async (signal) =>
        (await this.#context.readers.block(this.#root, cid, signal)) ?? this.#fetch(cid, false, signal),
    )

  async #get(cid: CID, fetch: (signal: AbortSignal) => Promise<Uint8Array>): Promise<Uint8Array> {
    const here = await this.#context.store.getBlock(cid)
    if (here !== undefined) return here
    if (this.#local)
      throw new ShareError('NOBODY_HAS_IT', `the block ${cid} is not here`, 'let others be asked for it')
    if (this.#patience === undefined) return fetch(this.#signal)
    const late = new AbortController()
    const message = `the block ${cid} did not come within ${formatDuration(this.#patience / 1000)}`
    const error = new ShareError('TIMED_OUT', message, 'try again: what has come so far may be here then')
    const timer = setTimeout(() => late.abort(error), this.#patience)
    try {
      return await fetch(AbortSignal.any([this.#signal, late.signal]))
    } finally {
      clearTimeout(timer)
    }
  }

  #fetch(cid: CID, keep: boolean, signal: AbortSignal): Promise<Uint8Array> {
    const { store, bitswap } = this.#context
    this.#startSearch()
    return fetchBlock({ store, bitswap, session: this.#session, signal, keep }, cid)
  }

  #startSearch(): void {
    if (this.#nobody !== undefined) return
    this.#search.start()
    this.#nobody = setTimeout(() => {
      if (this.#search.found > 0) return
      const hint =
        'is somebody seeding it, and connected? try --peer with the address that `share id` prints there'
      this.#stopping.abort(new ShareError('NOBODY_HAS_IT', 'nobody found who has it', hint))
    }, NOBODY_AFTER_MS)
  }
}
