/** The shares in memory, and their rows on disk: a change is made here at once and durable when the call returns. */
import type { RootKey } from '../core/types.ts'
import { type Catalogue, type Change, NEXT_SLOT, rowOf } from './catalogue.ts'
import { decodeShare, encodeShare, type KeptShare } from './share-row.ts'
import type { ShareRow } from './types.ts'

export class ShareTable {
  readonly #catalogue: Catalogue
  readonly #shares = new Map<RootKey, KeptShare>()
  readonly #bySlot = new Map<number, RootKey>()
  /** Shares whose counters moved since their row was written. */
  readonly #counted = new Set<RootKey>()
  readonly #promised = new Set<number>()
  #nextSlot = 0

  private constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue
  }

  static async load(catalogue: Catalogue, log: (line: string) => void): Promise<ShareTable> {
    const table = new ShareTable(catalogue)
    for await (const [root, bytes] of catalogue.rows('share')) {
      const share = decodeShare(root, bytes)
      if (share === undefined) log(`the catalogue's row of ${root} cannot be read; it is left alone`)
      else table.#keep(share)
    }
    const next = await catalogue.get(NEXT_SLOT)
    table.#nextSlot = Math.max(table.#nextSlot, Number(next === undefined ? 0 : Buffer.from(next).toString()))
    return table
  }

  all(): KeptShare[] {
    return [...this.#shares.values()]
  }

  get(root: RootKey): KeptShare | undefined {
    return this.#shares.get(root)
  }

  withSlot(slot: number): KeptShare | undefined {
    const root = this.#bySlot.get(slot)
    return root === undefined ? undefined : this.#shares.get(root)
  }

  /** The slot belongs to a share, or to one that is about to be put. */
  knowsSlot(slot: number): boolean {
    return this.#bySlot.has(slot) || this.#promised.has(slot)
  }

  /** A slot that no share has had; durable before it is given out. */
  async newSlot(): Promise<number> {
    const slot = this.#nextSlot++
    this.#promised.add(slot)
    await this.#catalogue.write(
      [{ type: 'put', key: NEXT_SLOT, value: Buffer.from(String(this.#nextSlot)) }],
      'durable',
    )
    return slot
  }

  /** Writes a share, new or changed, together with rows that belong to the same step. */
  async put(share: KeptShare, along: Change[] = []): Promise<void> {
    this.#keep(share)
    await this.#catalogue.write([...along, rowChange(share)], 'durable')
  }

  /** Merges into what the share is now; a share that is gone stays gone. */
  async change(
    root: RootKey,
    change: Partial<Omit<ShareRow, 'root'>>,
    step: { partial?: KeptShare['partial']; along?: Change[] } = {},
  ): Promise<KeptShare | undefined> {
    const share = this.#shares.get(root)
    if (share === undefined) return undefined
    const changed = { ...share, row: { ...share.row, ...change }, partial: step.partial ?? share.partial }
    await this.put(changed, step.along)
    return changed
  }

  count(root: RootKey, moved: { uploaded?: number; downloaded?: number }): void {
    const share = this.#shares.get(root)
    if (share === undefined) return
    const uploaded = share.row.uploaded + (moved.uploaded ?? 0)
    const downloaded = share.row.downloaded + (moved.downloaded ?? 0)
    this.#shares.set(root, { ...share, row: { ...share.row, uploaded, downloaded } })
    this.#counted.add(root)
  }

  /** Writes the counters that moved. Losing the last seconds of them in a power cut is fine. */
  async writeCounts(): Promise<void> {
    const changes = [...this.#counted].flatMap((root) => {
      const share = this.#shares.get(root)
      return share === undefined ? [] : [rowChange(share)]
    })
    this.#counted.clear()
    if (changes.length > 0) await this.#catalogue.write(changes, 'soon')
  }

  async remove(root: RootKey): Promise<void> {
    const share = this.#shares.get(root)
    if (share === undefined) return
    this.#shares.delete(root)
    this.#bySlot.delete(share.slot)
    this.#counted.delete(root)
    const kinds = ['share', 'manifest', 'have', 'wraps', 'metainfo', 'torrent', 'torrent-v1'] as const
    try {
      await this.#catalogue.write(
        kinds.map((kind) => ({ type: 'del', key: rowOf(kind, root) })),
        'durable',
      )
    } catch (thrown) {
      // its rows are still there: what it needs is not to be collected
      this.#keep(share)
      throw thrown
    }
  }

  #keep(share: KeptShare): void {
    this.#shares.set(share.row.root, share)
    this.#bySlot.set(share.slot, share.row.root)
    this.#promised.delete(share.slot)
    this.#counted.delete(share.row.root)
    this.#nextSlot = Math.max(this.#nextSlot, share.slot + 1)
  }
}

function rowChange(share: KeptShare): Change {
  return { type: 'put', key: rowOf('share', share.row.root), value: encodeShare(share) }
}
