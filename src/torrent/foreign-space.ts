/**
 * A torrent's own pieces as a swarm: those that are fetched, without the pads at their ends. Of a piece that is not fetched
 * nothing is here, and nothing is asked for.
 */
import type { PieceSpace, SwarmPart } from './tcp/piece-space.ts'
import type { TorrentSpace } from './torrent-space.ts'

export function foreignSpace(space: TorrentSpace): PieceSpace {
  /** Stands for what is not fetched: nobody ever has it. */
  const nowhere = space.length
  return {
    swarmPieces: space.length,
    whole: space.length === space.info.pieces,
    onWire: (piece, begin, length, has) => {
      const index = space.toTorrent(piece)
      return has.has(index) ? [{ kind: 'wire', begin, index, at: begin, length }] : undefined
    },
    inSwarm: (index, begin, length) => partsOf(space, space.toSwarm(index) ?? nowhere, begin, length),
    indexesOf: (piece) => {
      const index = space.toTorrent(piece)
      return piece === nowhere ? [] : [{ first: index, last: index }]
    },
    piecesOf: (index) => [space.toSwarm(index) ?? nowhere],
  }
}

function partsOf(space: TorrentSpace, piece: number, begin: number, length: number): SwarmPart[] {
  const here = Math.max(0, Math.min(length, space.blockSize(piece) - begin))
  const parts: SwarmPart[] = here > 0 ? [{ kind: 'piece', piece, begin, length: here }] : []
  if (here < length) parts.push({ kind: 'zeros', length: length - here })
  return parts
}
