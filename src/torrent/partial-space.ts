/**
 * A torrent of which only some files are here, as those of a share: of pieces that have bytes of the others nothing is here, for
 * what was fetched of them at the borders was not kept.
 */
import { Bitfield } from '../core/bitfield.ts'
import type { Layout } from './layout.ts'
import type { PieceSpace } from './tcp/piece-space.ts'

/** @param files paths of those that are here */
export function partialSpace(space: PieceSpace, layout: Layout, files: ReadonlySet<string>): PieceSpace {
  const absent = absentPieces(layout, files)
  if (absent.count === 0) return space
  /** Stands for what is not here: nobody ever has it. */
  const nowhere = space.swarmPieces
  return {
    swarmPieces: space.swarmPieces,
    whole: false,
    onWire: (piece, begin, length, has) => space.onWire(piece, begin, length, has),
    inSwarm: (index, begin, length) =>
      absent.has(index)
        ? [{ kind: 'piece', piece: nowhere, begin, length }]
        : space.inSwarm(index, begin, length),
    indexesOf: function* (piece) {
      for (const range of space.indexesOf(piece)) if (!hasSome(absent, range)) yield range
    },
    piecesOf: (index) => (absent.has(index) ? [nowhere] : space.piecesOf(index)),
  }
}

function absentPieces({ files, pieces, pieceLength }: Layout, here: ReadonlySet<string>): Bitfield {
  const absent = new Bitfield(pieces)
  for (const { path, size, start } of files) {
    if (size === 0 || here.has(path)) continue
    const last = Math.floor((start + size - 1) / pieceLength)
    for (let index = Math.floor(start / pieceLength); index <= last; index++) absent.add(index)
  }
  return absent
}

function hasSome(
  bits: Bitfield,
  { first, last }: { readonly first: number; readonly last: number },
): boolean {
  for (let at = first; at <= last; at++) if (bits.has(at)) return true
  return false
}
