/**
 * How files lie in the space of pieces. In v2 and in hybrids each file begins at the border of a piece, and in a torrent
 * of several files the last one too is padded to its piece's end, as libtorrent does. In v1 alone they lie without gaps,
 * because the clients that need such torrents know no pads: they would write them out as files.
 */

export interface Listed {
  /** Below the top, joined by `/`; empty for a file that is the top itself. */
  readonly path: string
  readonly size: number
  /** Where a symlink leads, from the top; undefined for files. */
  readonly symlink: string | undefined
}

export interface Placed extends Listed {
  readonly start: number
}

export interface Layout {
  readonly pieceLength: number
  /** Bytes of the space, pads included. */
  readonly length: number
  readonly pieces: number
  readonly files: readonly Placed[]
}

/** @param padded each file begins at the border of a piece */
export function layOut(files: readonly Listed[], pieceLength: number, padded: boolean): Layout {
  const several = files.length > 1
  let end = 0
  const placed = inTreeOrder(files).map((file, at): Placed => {
    const start = end
    end += file.size
    const last = at === files.length - 1
    if (padded && (several || !last)) end = Math.ceil(end / pieceLength) * pieceLength
    return { ...file, start }
  })
  return { pieceLength, length: end, pieces: Math.ceil(end / pieceLength), files: placed }
}

/** BEP 52's order: directory by directory, names by their bytes. */
function inTreeOrder<T extends { readonly path: string }>(files: readonly T[]): T[] {
  // no name holds a zero, and it comes before all that one may hold: so what is in `a` stands before `a-b`
  const keyed = files.map((file) => ({ file, key: Buffer.from(file.path.replaceAll('/', '\0')) }))
  return keyed.sort((left, right) => Buffer.compare(left.key, right.key)).map(({ file }) => file)
}

/** Zeros between the end of a file and the next one, or the end of all. */
export function gapAfter({ files, length }: Pick<Layout, 'files' | 'length'>, at: number): number {
  const file = files[at]
  return file === undefined ? 0 : (files[at + 1]?.start ?? length) - file.start - file.size
}
