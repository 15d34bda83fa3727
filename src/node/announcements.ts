/**
 * What the DHTs are told of: the roots of the shares that are given out, and of the files below them. A file may be in several
 * shares, or be one itself, so its record is withdrawn with the last of them.
 */
import type { CID } from 'multiformats/cid'
import { blockKey, cidOf } from '../core/cid.ts'
import type { BlockKey, RootKey } from '../core/types.ts'
import type { Routing } from '../routing/routing.ts'
import type { Store } from '../store/types.ts'
import { isServed } from './seeding.ts'

/** File roots announced beside the root of a directory; each costs a lookup a day, and the root alone finds the tree. */
const MOST_FILE_ROOTS = 10_000

export interface AnnouncementsContext {
  readonly store: Pick<Store, 'share' | 'manifest'>
  readonly routing: Pick<Routing, 'announce' | 'announceMany' | 'withdraw'>
}

type Told = Map<BlockKey, CID>

export class Announcements {
  readonly #context: AnnouncementsContext
  readonly #told = new Map<RootKey, Told>()
  /** Shares for which it is told. */
  readonly #holders = new Map<BlockKey, number>()

  constructor(context: AnnouncementsContext) {
    this.#context = context
  }

  /** The root at once, then the files below it; `onRoot` is called between. Resolves when all have been sent once. */
  async announce(root: RootKey, onRoot: () => void): Promise<void> {
    const { routing, store } = this.#context
    this.#hold(root, [cidOf(root)])
    await routing.announce(cidOf(root))
    onRoot()
    // what is one file is its own root
    if ((store.share(root)?.entries ?? 0) <= 1) return
    const manifest = await store.manifest(root)
    const files = manifest?.entries.flatMap((entry) => (entry.kind === 'file' ? [entry.cid] : [])) ?? []
    if (!this.#isGivenOut(root)) return
    const cids = files.slice(0, MOST_FILE_ROOTS)
    this.#hold(root, cids)
    await routing.announceMany(cids, () => this.#isGivenOut(root))
  }

  /** Of everything that no other share needs. */
  async withdraw(root: RootKey): Promise<void> {
    const told = this.#told.get(root) ?? new Map<BlockKey, CID>()
    this.#told.delete(root)
    const free = [...told].filter(([key]) => this.#isLast(key))
    await Promise.all(free.map(([, cid]) => this.#context.routing.withdraw(cid)))
  }

  #hold(root: RootKey, cids: readonly CID[]): void {
    const told = this.#told.get(root) ?? new Map<BlockKey, CID>()
    this.#told.set(root, told)
    for (const cid of cids) {
      const key = blockKey(cid)
      if (!told.has(key)) this.#holders.set(key, (this.#holders.get(key) ?? 0) + 1)
      told.set(key, cid)
    }
  }

  /** One share less needs it; true when none does any more. */
  #isLast(key: BlockKey): boolean {
    const left = (this.#holders.get(key) ?? 1) - 1
    if (left > 0) this.#holders.set(key, left)
    else this.#holders.delete(key)
    return left <= 0
  }

  #isGivenOut(root: RootKey): boolean {
    return this.#told.has(root) && isServed(this.#context.store.share(root))
  }
}
