/**
 * From a block's digest to the shares that hold it in a file. One row a digest, a short list of (slot,
 * record) each, read on demand. A row of a share that is gone says nothing: its slot is never used again.
 */
import { blockRow, type Catalogue, type Change, type When } from './catalogue.ts'

/** A block's place: a piece of a share, or one of its inline nodes. */
export interface IndexEntry {
  readonly slot: number
  readonly kind: 'piece' | 'inline'
  readonly number: number
}

/** What to add or remove: the digests of `count` records of one kind, from `first` on. */
export interface IndexRange {
  readonly slot: number
  readonly kind: IndexEntry['kind']
  readonly first: number
  readonly count: number
  /** The digest of a record; undefined for one that is not indexed. */
  readonly digest: (number: number) => Uint8Array | undefined
}

const ENTRY_BYTES = 8
/** Set in the record's number for an inline node. */
const INLINE = 0x8000_0000
/** Records changed by one batch. */
const BATCH = 4096

export class BlockIndex {
  readonly #catalogue: Catalogue
  #changes: Promise<unknown> = Promise.resolve()

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue
  }

  async find(digest: Uint8Array): Promise<IndexEntry[]> {
    return decodeEntries(await this.#catalogue.get(blockRow(digest)))
  }

  add(range: IndexRange, when: When): Promise<void> {
    return this.#change(range, when, (entries, entry) =>
      entries.some((known) => same(known, entry)) ? entries : [...entries, entry],
    )
  }

  remove(range: IndexRange): Promise<void> {
    return this.#change(range, 'soon', (entries, entry) => entries.filter((known) => !same(known, entry)))
  }

  /** Drops what belongs to no share. */
  async sweep(isKnown: (slot: number) => boolean): Promise<void> {
    const stale: Uint8Array[] = []
    for await (const [key, value] of this.#catalogue.blocks()) {
      if (decodeEntries(value).some((entry) => !isKnown(entry.slot))) stale.push(key)
      if (stale.length >= BATCH) await this.#dropStale(stale.splice(0), isKnown)
    }
    await this.#dropStale(stale, isKnown)
  }

  async #change(range: IndexRange, when: When, merge: Merge): Promise<void> {
    const end = range.first + range.count
    for (let first = range.first; first < end; first += BATCH) {
      const part = { ...range, first, count: Math.min(BATCH, end - first) }
      await this.#exclusive(() => this.#changePart(part, when, merge))
    }
  }

  async #changePart(range: IndexRange, when: When, merge: Merge): Promise<void> {
    const rows = new Map<string, { key: Uint8Array; added: IndexEntry[] }>()
    for (let number = range.first; number < range.first + range.count; number++) {
      const digest = range.digest(number)
      if (digest === undefined) continue
      const key = blockRow(digest)
      const name = Buffer.from(key).toString('latin1')
      const row = rows.get(name) ?? { key, added: [] }
      row.added.push({ slot: range.slot, kind: range.kind, number })
      rows.set(name, row)
    }
    await this.#rewrite([...rows.values()], when, merge)
  }

  async #rewrite(rows: { key: Uint8Array; added: IndexEntry[] }[], when: When, merge: Merge): Promise<void> {
    const kept = await this.#catalogue.getMany(rows.map((row) => row.key))
    const changes = rows.map((row, at) => change(row.key, row.added.reduce(merge, decodeEntries(kept[at]))))
    if (changes.length > 0) await this.#catalogue.write(changes, when)
  }

  async #dropStale(keys: Uint8Array[], isKnown: (slot: number) => boolean): Promise<void> {
    if (keys.length === 0) return
    await this.#exclusive(async () => {
      const kept = await this.#catalogue.getMany(keys)
      const alive = (row: Uint8Array | undefined) => decodeEntries(row).filter((entry) => isKnown(entry.slot))
      await this.#catalogue.write(
        keys.map((key, at) => change(key, alive(kept[at]))),
        'soon',
      )
    })
  }

  /** Rows are read, changed and written: one change at a time. */
  #exclusive(work: () => Promise<void>): Promise<void> {
    const turn = this.#changes.then(work)
    this.#changes = turn.catch(() => undefined)
    return turn
  }
}

type Merge = (entries: IndexEntry[], entry: IndexEntry) => IndexEntry[]

function change(key: Uint8Array, entries: IndexEntry[]): Change {
  return entries.length === 0 ? { type: 'del', key } : { type: 'put', key, value: encodeEntries(entries) }
}

function same(one: IndexEntry, other: IndexEntry): boolean {
  return one.slot === other.slot && one.kind === other.kind && one.number === other.number
}

function encodeEntries(entries: readonly IndexEntry[]): Uint8Array {
  const bytes = Buffer.alloc(entries.length * ENTRY_BYTES)
  for (const [at, entry] of entries.entries()) {
    bytes.writeUInt32BE(entry.slot, at * ENTRY_BYTES)
    bytes.writeUInt32BE(entry.number + (entry.kind === 'inline' ? INLINE : 0), at * ENTRY_BYTES + 4)
  }
  return bytes
}

function decodeEntries(row: Uint8Array | undefined): IndexEntry[] {
  if (row === undefined) return []
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  return Array.from({ length: Math.floor(bytes.length / ENTRY_BYTES) }, (_, at) => {
    const number = bytes.readUInt32BE(at * ENTRY_BYTES + 4)
    const slot = bytes.readUInt32BE(at * ENTRY_BYTES)
    return number < INLINE
      ? { slot, kind: 'piece', number }
      : { slot, kind: 'inline', number: number - INLINE }
  })
}
