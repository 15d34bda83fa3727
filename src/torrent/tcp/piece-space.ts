/**
 * Between the pieces that a BitTorrent connection speaks of and those of the swarm that its peer takes part in. A foreign
 * torrent's swarm has the torrent's own pieces; a share's has the leaves of its DAG, and any torrent of the same files can be
 * spoken over it, for BitTorrent asks for ranges of bytes and what comes is checked by the leaf.
 */
import type { Manifest } from '../../content/manifest.ts'
import type { Bitfield } from '../../core/bitfield.ts'
import { RAW } from '../../core/cid.ts'
import type { Layout } from '../layout.ts'
import { PieceMap } from '../piece-map.ts'

type Space = Pick<Layout, 'pieceLength' | 'length' | 'pieces'>

/** Bytes of a swarm's piece from `begin` on: to be asked for on the wire, or known without asking. */
export type WirePart =
  | {
      readonly kind: 'wire'
      readonly begin: number
      readonly index: number
      readonly at: number
      readonly length: number
    }
  | { readonly kind: 'known'; readonly begin: number; readonly bytes: Uint8Array }

/** What bytes of a torrent piece are here. */
export type SwarmPart =
  /** File bytes of a piece of the swarm: `begin` does not count what wraps them. */
  | { readonly kind: 'piece'; readonly piece: number; readonly begin: number; readonly length: number }
  /** File bytes that lie in a DAG node: of the manifest's entry, from `begin` on. */
  | { readonly kind: 'node'; readonly entry: number; readonly begin: number; readonly length: number }
  | { readonly kind: 'zeros'; readonly length: number }

interface PieceRange {
  readonly first: number
  readonly last: number
}

export interface PieceSpace {
  /** How many pieces the swarm has. */
  readonly swarmPieces: number
  /** All of the torrent is here once the swarm's pieces are. */
  readonly whole: boolean
  /** Where these bytes of a swarm's piece are, in order, with a peer that has these torrent pieces; undefined where it has not all. */
  onWire(piece: number, begin: number, length: number, has: Bitfield): WirePart[] | undefined
  /** What these bytes of a torrent piece are, in order. */
  inSwarm(index: number, begin: number, length: number): Iterable<SwarmPart>
  /** The torrent pieces that hold a piece of the swarm; each of the ranges holds all of it. */
  indexesOf(piece: number): Iterable<PieceRange>
  /** The pieces of the swarm that a torrent piece has bytes of. */
  piecesOf(index: number): Iterable<number>
}

/** Bytes around the payload of a leaf. */
export interface Wrapping {
  readonly prefix: Uint8Array
  readonly suffix: Uint8Array
}

/**
 * The space of a share's swarm under a torrent of its files.
 * @param wrappingOf what surrounds a dag-pb leaf's payload as it is usually written; undefined where that cannot be
 */
export function manifestSpace(
  layout: Layout,
  manifest: Manifest,
  wrappingOf: (piece: number) => Wrapping | undefined,
): PieceSpace {
  return new ManifestSpace(layout, manifest, wrappingOf)
}

const UNWRAPPED: Wrapping = { prefix: new Uint8Array(0), suffix: new Uint8Array(0) }

class ManifestSpace implements PieceSpace {
  readonly #space: Space
  readonly #map: PieceMap
  readonly #pieces: Manifest['pieces']
  readonly #wrappingOf: (piece: number) => Wrapping | undefined

  constructor(layout: Layout, manifest: Manifest, wrappingOf: (piece: number) => Wrapping | undefined) {
    this.#space = layout
    this.#map = new PieceMap(layout, manifest)
    this.#pieces = manifest.pieces
    this.#wrappingOf = wrappingOf
  }

  get swarmPieces(): number {
    return this.#pieces.length
  }

  get whole(): boolean {
    return true
  }

  onWire(piece: number, begin: number, length: number, has: Bitfield): WirePart[] | undefined {
    const wrapping = this.#pieces.codec(piece) === RAW ? UNWRAPPED : this.#wrappingOf(piece)
    const size = this.#pieces.size(piece)
    const start = this.#startWith(piece, has)
    if (wrapping === undefined || start === undefined) return undefined
    const parts: WirePart[] = []
    const end = begin + length
    const known = (bytes: Uint8Array, from: number): void => {
      const part = bytes.subarray(Math.max(0, begin - from), Math.max(0, end - from))
      if (part.length > 0) parts.push({ kind: 'known', begin: Math.max(begin, from), bytes: part })
    }
    const { prefix, suffix } = wrapping
    known(prefix, 0)
    const from = Math.max(0, begin - prefix.length)
    this.#cut(start, from, Math.min(size, end - prefix.length), prefix.length, parts)
    known(suffix, prefix.length + size)
    return parts
  }

  *inSwarm(index: number, begin: number, length: number): Generator<SwarmPart> {
    for (const run of this.#map.runs(index, begin, length)) {
      if (run.kind === 'zeros') yield run
      else if (run.kind === 'node')
        yield { kind: 'node', entry: run.entry, begin: run.offset, length: run.length }
      else yield { kind: 'piece', piece: run.leaf, begin: run.offset, length: run.length }
    }
  }

  indexesOf(piece: number): Iterable<PieceRange> {
    return this.#map.piecesOf(piece)
  }

  *piecesOf(index: number): Generator<number> {
    for (const run of this.#map.runs(index)) if (run.kind === 'leaf') yield run.leaf
  }

  /** Where the payload begins in the torrent, at a place of which the peer has everything. */
  #startWith(piece: number, has: Bitfield): number | undefined {
    const ranges = this.#map.piecesOf(piece)
    for (const start of this.#map.startsOf(piece)) {
      const { value: range } = ranges.next()
      if (range !== undefined && hasAll(has, range)) return start
    }
    return undefined
  }

  /** Bytes `from` to `to` of a payload that begins at `start`, at the borders of torrent pieces. */
  #cut(start: number, from: number, to: number, lead: number, parts: WirePart[]): void {
    const { pieceLength } = this.#space
    for (let offset = from; offset < to; ) {
      const index = Math.floor((start + offset) / pieceLength)
      const at = start + offset - index * pieceLength
      const length = Math.min(pieceLength - at, to - offset)
      parts.push({ kind: 'wire', begin: lead + offset, index, at, length })
      offset += length
    }
  }
}

function hasAll(bits: Bitfield, { first, last }: PieceRange): boolean {
  for (let at = first; at <= last; at++) if (!bits.has(at)) return false
  return true
}

/** The pieces of the swarm that somebody has who has these torrent pieces. */
export function swarmHave(space: PieceSpace, has: Bitfield): number[] {
  const pieces: number[] = []
  if (has.count === 0) return pieces
  for (let piece = 0; piece < space.swarmPieces; piece++)
    if (has.complete || hasSome(space, piece, has)) pieces.push(piece)
  return pieces
}

function hasSome(space: PieceSpace, piece: number, has: Bitfield): boolean {
  for (const range of space.indexesOf(piece)) if (hasAll(has, range)) return true
  return false
}

/** The pieces of the swarm that a peer has since it has this torrent piece. */
export function gainedBy(space: PieceSpace, index: number, has: Bitfield): number[] {
  return [...new Set(space.piecesOf(index))].filter((piece) => hasSome(space, piece, has))
}

/** Whether all of a torrent piece is here. */
export function isHere(space: PieceSpace, index: number, have: Pick<Bitfield, 'has'>): boolean {
  for (const piece of space.piecesOf(index)) if (!have.has(piece)) return false
  return true
}
