/** A torrent of which some files are here: what of it counts as here, and is given. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Layout } from '../../src/torrent/layout.ts'
import { partialSpace } from '../../src/torrent/partial-space.ts'
import { isHere, type PieceSpace } from '../../src/torrent/tcp/piece-space.ts'

/** Four pieces of 10 bytes: `a` to the middle of the second one, `b` to the end of the third, then `c`. */
const LAYOUT = {
  pieceLength: 10,
  pieces: 4,
  length: 40,
  files: [
    { path: 'a', start: 0, size: 15 },
    { path: 'none', start: 15, size: 0 },
    { path: 'b', start: 15, size: 15 },
    { path: 'c', start: 30, size: 10 },
  ],
} as unknown as Layout

/** The swarm's pieces are `a` and `c`. */
const SPACE: PieceSpace = {
  swarmPieces: 2,
  whole: true,
  onWire: () => undefined,
  inSwarm: (index, begin, length) => [{ kind: 'piece', piece: index < 2 ? 0 : 1, begin, length }],
  indexesOf: (piece) => [piece === 0 ? { first: 0, last: 1 } : { first: 3, last: 3 }],
  piecesOf: (index) => (index === 2 ? [] : [index < 2 ? 0 : 1]),
}

const ALL = { has: (piece: number): boolean => piece < 2 }

describe('of a torrent of which some files are here', () => {
  const space = partialSpace(SPACE, LAYOUT, new Set(['a', 'c']))

  it('pieces with bytes of others are not here', () => {
    assert.deepEqual(
      [0, 1, 2, 3].filter((index) => isHere(space, index, ALL)),
      [0, 3],
    )
    assert.equal(space.whole, false)
  })

  it('nothing is read for those', () => {
    const [part] = space.inSwarm(1, 0, 10)
    assert.ok(part?.kind === 'piece' && !ALL.has(part.piece))
    assert.deepEqual([...space.inSwarm(0, 0, 10)], [{ kind: 'piece', piece: 0, begin: 0, length: 10 }])
  })

  it('what lies across them is in no range that could be given', () => {
    assert.deepEqual([...space.indexesOf(0)], [])
    assert.deepEqual([...space.indexesOf(1)], [{ first: 3, last: 3 }])
  })
})

it('with all of its files it is what it was', () => {
  assert.equal(partialSpace(SPACE, LAYOUT, new Set(['a', 'b', 'c'])), SPACE)
})
