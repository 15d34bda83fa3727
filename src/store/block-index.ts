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
  /** Rows to be read next, and what will have been read. */
  #sought: Uint8Array[] = []
  #found: Promise<(Uint8Array | undefined)[]> | undefined

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue
  }

  /** What is looked for in one go is read in one: a peer asks for hundreds of blocks in a message. */
  async find(digest: Uint8Array): Promise<IndexEntry[]> {
    const at = this.#sought.push(blockRow(digest)) - 1
    this.#found ??= Promise.resolve().then(() => {
      const sought = this.#sought
      this.#sought = []
      this.#found = undefined
      return this.#catalogue.getMany(sought)
    })
    return decodeEntries((await this.#found)[at])
  }

  /** Returns the numbers of what the index had under another slot. */
  add(range: IndexRange, when: When): Promise<number[]> {
    return this.#change(range, when, (entries, entry) =>
      entries.some((known) => same(known, entry)) ? entries : [...entries, entry],
    )
  }

  async remove(range: IndexRange): Promise<void> {
    await this.#change(range, 'soon', (entries, entry) => entries.filter((known) => !same(known, entry)))
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

  async #change(range: IndexRange, when: When, merge: Merge): Promise<number[]> {
    const end = range.first + range.count
    const elsewhere: number[] = []
    for (let first = range.first; first < end; first += BATCH) {
      const part = { ...range, first, count: Math.min(BATCH, end - first) }
      elsewhere.push(...(await this.#exclusive(() => this.#changePart(part, when, merge))))
    }
    return elsewhere
  }

  async #changePart(range: IndexRange, when: When, merge: Merge): Promise<number[]> {
    const rows = rowsOf(range)
    const kept = (await this.#catalogue.getMany(rows.map((row) => row.key))).map(decodeEntries)
    const changes = rows.map((row, at) => change(row.key, row.added.reduce(merge, kept[at] ?? [])))
    if (changes.length > 0) await this.#catalogue.write(changes, when)
    const known = rows.filter((_, at) => kept[at]?.some(({ slot }) => slot !== range.slot))
    return known.flatMap(({ added }) => added.map(({ number }) => number))
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
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#changes.then(work)
    this.#changes = turn.catch(() => undefined)
    return turn
  }
}

interface Row {
  readonly key: Uint8Array
  /** Several where a digest stands more than once. */
  readonly added: IndexEntry[]
}

function rowsOf(range: IndexRange): readonly Row[] {
  const rows = new Map<string, Row>()
  for (let number = range.first; number < range.first + range.count; number++) {
    const digest = range.digest(number)
    if (digest === undefined) continue
    const key = blockRow(digest)
    const name = Buffer.from(key).toString('latin1')
    const row = rows.get(name) ?? { key, added: [] }
    row.added.push({ slot: range.slot, kind: range.kind, number })
    rows.set(name, row)
  }
  return [...rows.values()]
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
