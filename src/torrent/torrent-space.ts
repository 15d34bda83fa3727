/**
 * The pieces of a torrent as they are fetched: those that hold bytes of a wanted file, numbered without gaps, each up to
 * its last byte that is no pad. What is not wanted in a piece at the border of a wanted file is fetched with it, for the
 * piece cannot be checked without, and kept apart from the files.
 */
import type { TreeEntry } from '../content/manifest.ts'
import { pieceSize, type TorrentFile, type TorrentInfo } from './info.ts'

/** Where a run of a piece's bytes is kept, `length` of them. */
export type SpaceRun =
  | { readonly kind: 'file'; readonly entry: number; readonly offset: number; readonly length: number }
  /** Bytes of a file that is not wanted, in the file of borders. */
  | { readonly kind: 'border'; readonly offset: number; readonly length: number }
  | { readonly kind: 'zeros'; readonly length: number }

/** The same bytes as they lie in the torrent's files, wanted or not. */
export type FileRun =
  /** `file`: its place in the torrent's list. */
  | { readonly kind: 'file'; readonly file: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'zeros'; readonly length: number }

/** Bytes of a file in the torrent's space. */
interface Extent {
  readonly file: number
  readonly start: number
  readonly end: number
  /** In the tree; undefined where it is not wanted. */
  readonly entry: number | undefined
  /** Of the file that is not wanted: where bytes of its first piece, and of its last, are kept. */
  borderAt: number
}

export class TorrentSpace {
  readonly info: TorrentInfo
  readonly entries: readonly TreeEntry[]
  /** Bytes of the wanted files. */
  readonly bytes: number
  /** Of each piece, without the pads at its end. */
  readonly blockSizes: Uint32Array
  /** Bytes of unwanted files that come along. */
  readonly borderBytes: number
  readonly #extents: readonly Extent[]
  /** Torrent piece by piece, and back; -1 for what is not fetched. */
  readonly #torrentPieces: Uint32Array
  readonly #pieces: Int32Array

  /** @param wanted of each file of the torrent */
  constructor(info: TorrentInfo, wanted: readonly boolean[]) {
    this.info = info
    const tree = treeOf(info, wanted)
    this.entries = tree.entries
    this.#extents = extentsOf(info, tree.entryOfFile)
    this.bytes = this.#extents.reduce(
      (sum, { start, end, entry }) => (entry === undefined ? sum : sum + end - start),
      0,
    )
    this.#pieces = new Int32Array(info.pieces).fill(-1)
    this.#torrentPieces = this.#number()
    this.blockSizes = Uint32Array.from(this.#torrentPieces, (piece) => this.#contentEnd(piece))
    this.borderBytes = this.#placeBorders()
  }

  get length(): number {
    return this.#torrentPieces.length
  }

  /** Bytes of a piece, as it is asked for and checked. */
  blockSize(piece: number): number {
    return this.blockSizes[piece] ?? 0
  }

  /** The same: nothing is wrapped around it. */
  size(piece: number): number {
    return this.blockSize(piece)
  }

  toTorrent(piece: number): number {
    return this.#torrentPieces[piece] ?? 0
  }

  /** Undefined for a piece that is not fetched. */
  toSwarm(torrentPiece: number): number | undefined {
    const piece = this.#pieces[torrentPiece] ?? -1
    return piece < 0 ? undefined : piece
  }

  /** Where these bytes of a piece are kept, in order; no more than the piece has. */
  *runs(piece: number, begin = 0, length = Number.POSITIVE_INFINITY): Generator<SpaceRun> {
    for (const cut of this.#cuts(piece, begin, length))
      yield cut.extent === undefined
        ? { kind: 'zeros', length: cut.length }
        : this.#runIn(cut.extent, cut.at, cut.length)
  }

  /** Which bytes of the torrent's files these are. */
  *fileRuns(piece: number, begin = 0, length = Number.POSITIVE_INFINITY): Generator<FileRun> {
    for (const { extent, at, length: bytes } of this.#cuts(piece, begin, length))
      yield extent === undefined
        ? { kind: 'zeros', length: bytes }
        : { kind: 'file', file: extent.file, offset: at - extent.start, length: bytes }
  }

  /** The same, cut where files begin and end; `at` counts from the start of the torrent. */
  *#cuts(
    piece: number,
    begin: number,
    length: number,
  ): Generator<{ extent: Extent | undefined; at: number; length: number }> {
    const { pieceLength } = this.info
    const from = this.toTorrent(piece) * pieceLength
    const end = from + Math.min(this.blockSize(piece), begin + length)
    let at = from + begin
    for (let next = this.#firstEndingAfter(at); at < end; next++) {
      const extent = this.#extents[next]
      const start = Math.min(end, extent?.start ?? end)
      if (start > at) yield { extent: undefined, at, length: start - at }
      at = Math.max(at, start)
      const upTo = Math.min(end, extent?.end ?? end)
      if (extent !== undefined && upTo > at) yield { extent, at, length: upTo - at }
      at = Math.max(at, upTo)
    }
  }

  /** The pieces that hold bytes of a file of the torrent, and are fetched. */
  piecesOf(file: number): number[] {
    const { start = 0, size = 0 } = this.info.files[file] ?? {}
    const pieces: number[] = []
    const { pieceLength } = this.info
    for (let at = Math.floor(start / pieceLength); at * pieceLength < start + size; at++) {
      const piece = this.toSwarm(at)
      if (piece !== undefined) pieces.push(piece)
    }
    return pieces
  }

  /** Bytes of wanted files in a piece. */
  wantedBytes(piece: number): number {
    let bytes = 0
    for (const run of this.runs(piece)) if (run.kind === 'file') bytes += run.length
    return bytes
  }

  #runIn({ start, end, entry, borderAt }: Extent, at: number, length: number): SpaceRun {
    if (entry !== undefined) return { kind: 'file', entry, offset: at - start, length }
    return { kind: 'border', offset: borderAt + this.#intoBorder(start, end, at), length }
  }

  /** How many bytes of the file, among those that are fetched, lie before this one. They lie at its two ends, where others are wanted. */
  #intoBorder(start: number, end: number, at: number): number {
    const [head] = this.#fetchedEnds(start, end)
    const { pieceLength } = this.info
    if (at < start + head) return at - start
    return head + at - Math.floor((end - 1) / pieceLength) * pieceLength
  }

  /** Bytes fetched at the start of a file that is not wanted, and at its end. */
  #fetchedEnds(start: number, end: number): [number, number] {
    const { pieceLength } = this.info
    const first = Math.floor(start / pieceLength)
    const last = Math.floor((end - 1) / pieceLength)
    const isFetched = (piece: number): boolean => this.toSwarm(piece) !== undefined
    const head = isFetched(first) ? Math.min(end, (first + 1) * pieceLength) - start : 0
    const tail = last > first && isFetched(last) ? end - last * pieceLength : 0
    return [head, tail]
  }

  #placeBorders(): number {
    let bytes = 0
    for (const extent of this.#extents) {
      if (extent.entry !== undefined) continue
      extent.borderAt = bytes
      const [head, tail] = this.#fetchedEnds(extent.start, extent.end)
      bytes += head + tail
    }
    return bytes
  }

  /** Numbers the pieces that hold bytes of a wanted file. */
  #number(): Uint32Array {
    const { pieceLength } = this.info
    const fetched: number[] = []
    let next = 0
    for (const { start, end, entry } of this.#extents) {
      if (entry === undefined) continue
      const last = Math.floor((end - 1) / pieceLength)
      for (let piece = Math.max(next, Math.floor(start / pieceLength)); piece <= last; piece++) {
        this.#pieces[piece] = fetched.length
        fetched.push(piece)
      }
      next = Math.max(next, last + 1)
    }
    return Uint32Array.from(fetched)
  }

  /** Bytes of a torrent piece up to the last one of a file. */
  #contentEnd(torrentPiece: number): number {
    const { pieceLength } = this.info
    const from = torrentPiece * pieceLength
    const to = from + pieceSize(this.info, torrentPiece)
    const after = this.#firstEndingAfter(to - 1)
    const reaches = (this.#extents[after]?.start ?? to) < to
    return (reaches ? to : (this.#extents[after - 1]?.end ?? from)) - from
  }

  /** The first file of which bytes lie at this one or behind it. */
  #firstEndingAfter(at: number): number {
    let [low, high] = [0, this.#extents.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#extents[middle]?.end ?? 0) > at) high = middle
      else low = middle + 1
    }
    return low
  }
}

function extentsOf({ files }: TorrentInfo, entryOfFile: ReadonlyMap<number, number>): Extent[] {
  return files.flatMap(({ start, size }, file) =>
    size === 0 ? [] : [{ file, start, end: start + size, entry: entryOfFile.get(file), borderAt: 0 }],
  )
}

function treeOf(
  { files }: TorrentInfo,
  wanted: readonly boolean[],
): { entries: TreeEntry[]; entryOfFile: Map<number, number> } {
  const entries: TreeEntry[] = []
  const entryOfFile = new Map<number, number>()
  const directories = new Set<string>()
  const makeDirectory = (path: string): void => {
    if (directories.has(path)) return
    directories.add(path)
    if (path !== '') makeDirectory(path.slice(0, Math.max(0, path.lastIndexOf('/'))))
    entries.push({ kind: 'directory', path })
  }
  for (const [at, file] of files.entries()) {
    if (wanted[at] !== true) continue
    if (file.path !== '') makeDirectory(file.path.slice(0, Math.max(0, file.path.lastIndexOf('/'))))
    entryOfFile.set(at, entries.length)
    entries.push(entryOf(file))
  }
  return { entries, entryOfFile }
}

function entryOf({ path, size, symlink }: TorrentFile): TreeEntry {
  if (symlink === undefined) return { kind: 'file', path, size }
  const up = path.split('/').length - 1
  return { kind: 'symlink', path, target: `${'../'.repeat(up)}${symlink}` }
}

/** Zeros that count for the SHA-1 of a torrent piece behind what is fetched of it. */
export function zerosBehind(space: TorrentSpace, piece: number): number {
  return space.info.sha1s === undefined
    ? 0
    : pieceSize(space.info, space.toTorrent(piece)) - space.blockSize(piece)
}
