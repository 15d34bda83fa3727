/** Reading blocks of a root without downloading it: what is here is read here, the rest is searched for once it is missed. */
import type { CID } from 'multiformats/cid'
import { rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
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

export class ReadSession implements Disposable {
  readonly #context: ReadingContext
  readonly #root: RootKey
  readonly #session = new FetchSession()
  readonly #search: Search
  readonly #stopping = new AbortController()
  readonly #signal: AbortSignal
  #nobody: NodeJS.Timeout | undefined

  constructor(
    context: ReadingContext,
    root: CID,
    options: { peers: readonly string[]; signal?: AbortSignal },
  ) {
    this.#context = context
    this.#root = rootKeyOf(root)
    const { signal } = options
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
  readonly node = (cid: CID): Promise<Uint8Array> => this.#fetch(cid, true)

  /** Any block, passed through; from the root's download, where one runs. */
  readonly block = async (cid: CID): Promise<Uint8Array> => {
    const { readers, store } = this.#context
    const local = await store.getBlock(cid)
    if (local !== undefined) return local
    return (await readers.block(this.#root, cid, this.#signal)) ?? this.#fetch(cid, false)
  }

  async #fetch(cid: CID, keep: boolean): Promise<Uint8Array> {
    const { store, bitswap } = this.#context
    const local = await store.getBlock(cid)
    if (local !== undefined) return local
    this.#startSearch()
    return fetchBlock({ store, bitswap, session: this.#session, signal: this.#signal, keep }, cid)
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
