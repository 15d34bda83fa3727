/**
 * Between the pieces of a torrent and the leaves of the share that it was made of. Both cut the same files: the torrent the
 * files laid end to end, with zeros between them, the DAG each file by itself; and a leaf that repeats is one, with several
 * places. Where every torrent piece is one leaf and zeros, they are one space of pieces to the scheduler (`aligned`).
 */
import type { Manifest } from '../content/manifest.ts'
import { Bitfield } from '../core/bitfield.ts'
import { pieceSize } from './info.ts'
import type { Layout } from './layout.ts'

/** Where a run of a torrent piece's bytes comes from, `length` of them. */
export type Run =
  /** The payload of a leaf, from `offset` on. */
  | { readonly kind: 'leaf'; readonly leaf: number; readonly offset: number; readonly length: number }
  /** File bytes that lie in no leaf but in a DAG node: of the manifest's entry, from `offset` on. */
  | { readonly kind: 'node'; readonly entry: number; readonly offset: number; readonly length: number }
  /** A pad. */
  | { readonly kind: 'zeros'; readonly length: number }

/** A file of the torrent, and its leaves' range in the table. */
interface Extent {
  readonly entry: number
  readonly start: number
  readonly size: number
  readonly first: number
  readonly end: number
}

export class PieceMap {
  /** Each torrent piece is one whole leaf, and zeros; so a swarm of either kind has the same pieces. */
  readonly aligned: boolean
  readonly pieces: number
  readonly #space: Pick<Layout, 'pieceLength' | 'length'>
  readonly #manifest: Manifest
  /** Files that are not empty, as they lie in the space. */
  readonly #files: readonly Extent[]
  /** Of each place of a leaf: where it begins in its file, and which leaf that is; by file, in order. */
  readonly #offsets: Float64Array
  readonly #leaves: Uint32Array
  readonly #fileOfEntry = new Map<number, Extent>()

  constructor(layout: Layout, manifest: Manifest) {
    this.#space = layout
    this.#manifest = manifest
    this.pieces = layout.pieces
    const places = placesByEntry(manifest)
    this.#offsets = places.offsets
    this.#leaves = places.leaves
    const entryOf = new Map(manifest.entries.map(({ path }, entry) => [path, entry]))
    this.#files = layout.files.flatMap(({ path, size, start }) => {
      const entry = entryOf.get(path)
      if (entry === undefined || size === 0) return []
      const [first = 0, end = 0] = [places.ends[entry], places.ends[entry + 1]]
      return [{ entry, start, size, first, end }]
    })
    for (const file of this.#files) this.#fileOfEntry.set(file.entry, file)
    this.aligned = this.#isAligned()
  }

  /** The bytes of a torrent piece from `begin` on, in order; no more than there are. */
  *runs(piece: number, begin = 0, length = Number.POSITIVE_INFINITY): Generator<Run> {
    const { pieceLength } = this.#space
    const end = piece * pieceLength + Math.min(pieceSize(this.#space, piece), begin + length)
    for (let at = piece * pieceLength + begin; at < end; ) {
      const run = this.#runAt(at, end - at)
      yield run
      at += run.length
    }
  }

  /** The leaf that fills the piece alone, from its first byte to its last; undefined where there is none. */
  leafOf(piece: number): number | undefined {
    const [first, second, third] = this.runs(piece)
    const alone = second === undefined || (second.kind === 'zeros' && third === undefined)
    if (first?.kind !== 'leaf' || !alone) return undefined
    return first.offset === 0 && first.length === this.#manifest.pieces.size(first.leaf)
      ? first.leaf
      : undefined
  }

  /** Where a leaf's payload begins in the torrent's space, for each of its places. */
  *startsOf(leaf: number): Generator<number> {
    for (const { entry, offset } of this.#manifest.pieces.places(leaf)) {
      const file = this.#fileOfEntry.get(entry)
      if (file !== undefined) yield file.start + offset
    }
  }

  /** The torrent pieces, in ascending ranges, that hold a leaf: one range for each of its places. */
  *piecesOf(leaf: number): Generator<{ readonly first: number; readonly last: number }> {
    const { pieceLength } = this.#space
    const size = this.#manifest.pieces.size(leaf)
    if (size === 0) return
    for (const start of this.startsOf(leaf))
      yield { first: Math.floor(start / pieceLength), last: Math.floor((start + size - 1) / pieceLength) }
  }

  /** Which torrent pieces are here when these leaves are; what lies in DAG nodes is here before any leaf is. */
  torrentHave(leaves: Bitfield): Bitfield {
    const have = new Bitfield(this.pieces)
    for (let piece = 0; piece < this.pieces; piece++) {
      const missing = [...this.runs(piece)].some((run) => run.kind === 'leaf' && !leaves.has(run.leaf))
      if (!missing) have.add(piece)
    }
    return have
  }

  /** Which leaves are somewhere in these torrent pieces, whole. */
  leafHave(pieces: Bitfield): Bitfield {
    const have = new Bitfield(this.#manifest.pieces.length)
    for (let leaf = 0; leaf < have.length; leaf++)
      if ([...this.piecesOf(leaf)].some(({ first, last }) => hasAll(pieces, first, last))) have.add(leaf)
    return have
  }

  #isAligned(): boolean {
    for (let piece = 0; piece < this.pieces; piece++) if (this.leafOf(piece) === undefined) return false
    return true
  }

  #runAt(at: number, most: number): Run {
    const file = this.#files[lastAtOrBefore(this.#files.length, (each) => this.#files[each]?.start ?? 0, at)]
    const inside = file === undefined ? 0 : at - file.start
    if (file === undefined || inside >= file.size)
      return { kind: 'zeros', length: Math.min(most, this.#nextFile(at) - at) }
    const place = this.#placeAt(file, inside)
    if (place.leaf === undefined)
      return { kind: 'node', entry: file.entry, offset: inside, length: Math.min(most, place.end - inside) }
    return {
      kind: 'leaf',
      leaf: place.leaf,
      offset: inside - place.start,
      length: Math.min(most, place.end - inside),
    }
  }

  #nextFile(at: number): number {
    const index = lastAtOrBefore(this.#files.length, (each) => this.#files[each]?.start ?? 0, at) + 1
    return this.#files[index]?.start ?? this.#space.length
  }

  /** The leaf at an offset of a file, or where the next one begins. */
  #placeAt(file: Extent, offset: number): { leaf: number | undefined; start: number; end: number } {
    const { first, end, size } = file
    const found = first + lastAtOrBefore(end - first, (at) => this.#offsets[first + at] ?? 0, offset)
    const next = found + 1 < end ? (this.#offsets[found + 1] ?? size) : size
    if (found >= first) {
      const [start = 0, leaf = 0] = [this.#offsets[found], this.#leaves[found]]
      const leafEnd = start + this.#manifest.pieces.size(leaf)
      if (offset < leafEnd) return { leaf, start, end: leafEnd }
    }
    return { leaf: undefined, start: offset, end: next }
  }
}

/** The index of the last of ascending numbers that is not above `target`; -1 where all are. */
function lastAtOrBefore(count: number, numberAt: (at: number) => number, target: number): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numberAt(middle) <= target) low = middle + 1
    else high = middle
  }
  return low - 1
}

function hasAll(bits: Bitfield, first: number, last: number): boolean {
  for (let at = first; at <= last; at++) if (!bits.has(at)) return false
  return true
}

/** All places of all leaves, sorted by entry and offset; those of entry `e` are at `ends[e]` to `ends[e + 1]`. Empty leaves have none. */
function placesByEntry({ entries, pieces }: Manifest): {
  ends: Uint32Array
  offsets: Float64Array
  leaves: Uint32Array
} {
  const ends = new Uint32Array(entries.length + 2)
  const each = function* () {
    for (let leaf = 0; leaf < pieces.length; leaf++)
      if (pieces.size(leaf) > 0) for (const place of pieces.places(leaf)) yield { leaf, ...place }
  }
  for (const { entry } of each()) ends[entry + 2] = (ends[entry + 2] ?? 0) + 1
  for (let entry = 1; entry < ends.length; entry++) ends[entry] = (ends[entry] ?? 0) + (ends[entry - 1] ?? 0)
  const total = ends.at(-1) ?? 0
  const offsets = new Float64Array(total)
  const leaves = new Uint32Array(total)
  for (const { leaf, entry, offset } of each()) {
    const at = ends[entry + 1] ?? 0
    ends[entry + 1] = at + 1
    offsets[at] = offset
    leaves[at] = leaf
  }
  for (let entry = 0; entry < entries.length; entry++) {
    const [from, to] = [ends[entry], ends[entry + 1]]
    sortTogether(offsets.subarray(from, to), leaves.subarray(from, to))
  }
  return { ends, offsets, leaves }
}

/** By the offsets. Nearly always they are sorted; only a leaf's later places come out of order. */
function sortTogether(offsets: Float64Array, leaves: Uint32Array): void {
  if (offsets.every((offset, at) => at === 0 || offset > (offsets[at - 1] ?? 0))) return
  const order = Uint32Array.from(offsets.keys()).sort(
    (left, right) => (offsets[left] ?? 0) - (offsets[right] ?? 0),
  )
  offsets.set(Float64Array.from(order, (at) => offsets[at] ?? 0))
  leaves.set(Uint32Array.from(order, (at) => leaves[at] ?? 0))
}
