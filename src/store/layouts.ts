/** Layouts of shares whose walk is complete, read from their rows on demand; a bounded number stays in memory. */
import type { RootKey } from '../core/types.ts'
import type { BlockIndex, IndexRange } from './block-index.ts'
import { type Catalogue, type Change, rowOf } from './catalogue.ts'
import { inlineAt, type Layout, weightOf } from './layout.ts'
import { decodeLayout, encodeLayout } from './manifest-row.ts'
import { MalformedRow } from './packed.ts'
import { Wrappings } from './wrapping.ts'

/** Pieces kept in memory, about 60 bytes each; one share may exceed it. */
const MAX_WEIGHT = 500_000

interface Loaded {
  readonly layout: Promise<Layout | undefined>
  weight: number
}

export class Layouts {
  readonly #catalogue: Catalogue
  readonly #log: (line: string) => void
  /** Least recently used first. */
  readonly #loaded = new Map<RootKey, Loaded>()

  constructor(catalogue: Catalogue, log: (line: string) => void) {
    this.#catalogue = catalogue
    this.#log = log
  }

  /** Undefined when the walk was not completed, or the row is unreadable. */
  async get(root: RootKey): Promise<Layout | undefined> {
    const known = this.#loaded.get(root)
    if (known === undefined) return this.#load(root)
    this.#loaded.delete(root)
    this.#loaded.set(root, known)
    return known.layout
  }

  put(root: RootKey, layout: Layout): void {
    this.#loaded.delete(root)
    this.#loaded.set(root, { layout: Promise.resolve(layout), weight: weightOf(layout) })
    this.#trim(root)
  }

  drop(root: RootKey): void {
    this.#loaded.delete(root)
  }

  async #load(root: RootKey): Promise<Layout | undefined> {
    const loaded = { layout: this.#read(root), weight: 0 }
    this.#loaded.set(root, loaded)
    const layout = await loaded.layout.catch((thrown: unknown) => {
      this.#forget(root, loaded)
      throw thrown
    })
    if (layout === undefined) this.#forget(root, loaded)
    else loaded.weight = weightOf(layout)
    this.#trim(root)
    return layout
  }

  #forget(root: RootKey, loaded: Loaded): void {
    if (this.#loaded.get(root) === loaded) this.#loaded.delete(root)
  }

  async #read(root: RootKey): Promise<Layout | undefined> {
    const row = await this.#catalogue.get(rowOf('manifest', root))
    if (row === undefined) return undefined
    const wraps = await this.#catalogue.get(rowOf('wraps', root))
    try {
      return decodeLayout(row, wraps && Wrappings.decode(wraps))
    } catch (thrown) {
      if (!(thrown instanceof MalformedRow)) throw thrown
      this.#log(`the manifest row of ${root} cannot be used: ${thrown.message}`)
      return undefined
    }
  }

  #trim(keep: RootKey): void {
    let weight = 0
    for (const loaded of this.#loaded.values()) weight += loaded.weight
    for (const [root, loaded] of this.#loaded) {
      if (weight <= MAX_WEIGHT) return
      if (root === keep) continue
      this.#loaded.delete(root)
      weight -= loaded.weight
    }
  }
}

/** The rows that keep a layout. */
export function layoutRows(root: RootKey, layout: Layout): Change[] {
  return [{ type: 'put', key: rowOf('manifest', root), value: encodeLayout(layout) }, wrapsRow(root, layout)]
}

export function wrapsRow(root: RootKey, layout: Layout): Change {
  const key = rowOf('wraps', root)
  return layout.wrappings.plain
    ? { type: 'del', key }
    : { type: 'put', key, value: layout.wrappings.encode() }
}

/** Indexes every block that a layout can rebuild, durably. */
export async function indexLayout(index: BlockIndex, slot: number, layout: Layout): Promise<void> {
  for (const range of indexRanges(slot, layout)) await index.add(range, 'durable')
}

/** Takes out what `indexLayout` put in. */
export async function unindexLayout(index: BlockIndex, slot: number, layout: Layout): Promise<void> {
  for (const range of indexRanges(slot, layout)) await index.remove(range)
}

function indexRanges(slot: number, layout: Layout): IndexRange[] {
  const { pieces } = layout.manifest
  const inlineDigest = (inline: number) => inlineAt(layout, inline)?.digest
  return [
    { slot, kind: 'piece', first: 0, count: pieces.length, digest: (piece) => pieces.digest(piece) },
    { slot, kind: 'inline', first: 0, count: layout.inlines.length, digest: inlineDigest },
  ]
}
