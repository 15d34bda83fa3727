/**
 * A share's layout as one packed row: about 40 bytes a piece. Numbers that the walk makes predictable
 * (a piece begins where the one before ended) are kept as differences. Reading is strict: whatever does
 * not add up is MalformedRow.
 */
import { CID } from 'multiformats/cid'
import { type Entry, type Manifest, PieceTable, type Place } from '../content/manifest.ts'
import { DAG_PB, RAW } from '../core/cid.ts'
import type { KeptInline, Layout } from './layout.ts'
import { MalformedRow, PackedReader, PackedWriter } from './packed.ts'
import { Wrappings } from './wrapping.ts'

const VERSION = 1
const DIGEST_BYTES = 32
const MAX_UINT32 = 0xffff_ffff

const KINDS = ['directory', 'symlink', 'file'] as const

/** Flags of a piece. */
const WRAPPED = 1
const SEVERAL_PLACES = 2

/** Fewest bytes that an item takes; bounds the counts that a row may claim. */
const LEAST_ENTRY = 2
const LEAST_PIECE = DIGEST_BYTES + 5
const LEAST_PLACE = 2
const LEAST_INLINE = 5

export function encodeLayout(layout: Layout): Uint8Array {
  const { root, entries, pieces, size } = layout.manifest
  const writer = new PackedWriter().varint(VERSION).sized(root.bytes).varint(size)
  writer.varint(entries.length)
  for (const entry of entries) writeEntry(writer, entry)
  writer.varint(pieces.length)
  for (let piece = 0; piece < pieces.length; piece++) writer.bytes(pieces.digest(piece))
  const places = new PlaceWriter(writer)
  for (let piece = 0; piece < pieces.length; piece++) writePiece(writer, places, pieces, piece)
  writer.varint(layout.inlines.length)
  for (const inline of layout.inlines) writeInline(writer, inline)
  return writer.finish()
}

/** @throws MalformedRow */
export function decodeLayout(bytes: Uint8Array, wrappings = new Wrappings()): Layout {
  const reader = new PackedReader(bytes)
  const version = reader.varint()
  if (version !== VERSION) throw new MalformedRow(`version ${version}`)
  const root = readCid(reader)
  const size = reader.varint()
  const entries: Entry[] = []
  for (let left = reader.count(LEAST_ENTRY); left > 0; left--) entries.push(readEntry(reader))
  const manifest: Manifest = { root, size, entries, pieces: new PieceTable() }
  readPieces(reader, manifest)
  const inlines: KeptInline[] = []
  for (let left = reader.count(LEAST_INLINE); left > 0; left--) inlines.push(readInline(reader, entries))
  reader.end()
  return { manifest, wrappings, inlines }
}

function writeEntry(writer: PackedWriter, entry: Entry): void {
  writer.varint(KINDS.indexOf(entry.kind)).text(entry.path)
  if (entry.kind === 'symlink') writer.text(entry.target)
  if (entry.kind === 'file') writer.sized(entry.cid.bytes).varint(entry.size)
}

function readEntry(reader: PackedReader): Entry {
  const kind = KINDS[reader.varint(KINDS.length - 1)] ?? 'directory'
  const path = reader.text()
  if (kind === 'symlink') return { kind, path, target: reader.text() }
  if (kind === 'file') return { kind, path, cid: readCid(reader), size: reader.varint() }
  return { kind, path }
}

function writePiece(writer: PackedWriter, places: PlaceWriter, pieces: PieceTable, piece: number): void {
  const [first, ...more] = pieces.places(piece)
  if (first === undefined) throw new RangeError(`piece ${piece} has no place`)
  const size = pieces.size(piece)
  const flags = (pieces.codec(piece) === DAG_PB ? WRAPPED : 0) | (more.length > 0 ? SEVERAL_PLACES : 0)
  writer
    .varint(flags)
    .varint(size)
    .varint(pieces.blockSize(piece) - size)
  places.write(first, size)
  if (more.length === 0) return
  writer.varint(more.length)
  for (const place of more) places.write(place, size)
}

function readPieces(reader: PackedReader, manifest: Manifest): void {
  const { entries, pieces } = manifest
  const count = reader.count(LEAST_PIECE)
  const digests = reader.bytes(count * DIGEST_BYTES)
  const places = new PlaceReader(reader, entries)
  for (let piece = 0; piece < count; piece++) {
    const flags = reader.varint(WRAPPED | SEVERAL_PLACES)
    const size = reader.varint(MAX_UINT32)
    const blockSize = size + reader.varint(MAX_UINT32 - size)
    const codec = (flags & WRAPPED) === 0 ? RAW : DAG_PB
    if (codec === RAW && blockSize !== size) throw new MalformedRow('a raw piece with a wrapping')
    const digest = digests.subarray(piece * DIGEST_BYTES, (piece + 1) * DIGEST_BYTES)
    pieces.push({ digest, codec, size, blockSize, place: places.read(size) })
    if ((flags & SEVERAL_PLACES) === 0) continue
    for (let left = reader.count(LEAST_PLACE); left > 0; left--) pieces.addPlace(piece, places.read(size))
  }
}

function writeInline(writer: PackedWriter, inline: KeptInline): void {
  writer.sized(inline.cid.bytes).varint(inline.entry).varint(inline.offset).varint(inline.size)
  writer.varint(inline.wrapping === undefined ? 0 : 1)
  if (inline.wrapping !== undefined) writer.sized(inline.wrapping.prefix).sized(inline.wrapping.suffix)
}

function readInline(reader: PackedReader, entries: readonly Entry[]): KeptInline {
  const cid = readCid(reader)
  const place = { entry: reader.varint(), offset: reader.varint() }
  const size = reader.varint()
  checkPlace(entries, place, size)
  const wrapped = reader.varint(1) === 1
  const wrapping = wrapped ? { prefix: reader.sized().slice(), suffix: reader.sized().slice() } : undefined
  return { cid, ...place, size, wrapping }
}

function readCid(reader: PackedReader): CID {
  const bytes = reader.sized()
  try {
    return CID.decode(bytes.slice())
  } catch {
    throw new MalformedRow('not a CID')
  }
}

function checkPlace(entries: readonly Entry[], place: Place, size: number): void {
  const entry = entries[place.entry]
  if (entry?.kind !== 'file') throw new MalformedRow('a place outside the files')
  if (place.offset < 0 || place.offset + size > entry.size)
    throw new MalformedRow('a place past the end of its file')
}

/** Where the next place is expected: right behind the last one, or at the start of another file. */
class Expectation {
  entry = 0
  #end = 0

  offset(entry: number): number {
    return entry === this.entry ? this.#end : 0
  }

  moveTo(place: Place, size: number): void {
    this.entry = place.entry
    this.#end = place.offset + size
  }
}

class PlaceWriter {
  readonly #writer: PackedWriter
  readonly #expected = new Expectation()

  constructor(writer: PackedWriter) {
    this.#writer = writer
  }

  write(place: Place, size: number): void {
    this.#writer.signed(place.entry - this.#expected.entry)
    this.#writer.signed(place.offset - this.#expected.offset(place.entry))
    this.#expected.moveTo(place, size)
  }
}

class PlaceReader {
  readonly #reader: PackedReader
  readonly #entries: readonly Entry[]
  readonly #expected = new Expectation()

  constructor(reader: PackedReader, entries: readonly Entry[]) {
    this.#reader = reader
    this.#entries = entries
  }

  read(size: number): Place {
    const entry = this.#expected.entry + this.#reader.signed()
    const offset = this.#expected.offset(entry) + this.#reader.signed()
    const place = { entry, offset }
    checkPlace(this.#entries, place, size)
    this.#expected.moveTo(place, size)
    return place
  }
}
