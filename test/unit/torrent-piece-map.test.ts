/** Torrent pieces and leaves, by hand: letters are leaves, `-` is a pad, `n` a byte in a DAG node. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { type Manifest, PieceTable } from '../../src/content/manifest.ts'
import { Bitfield } from '../../src/core/bitfield.ts'
import { RAW } from '../../src/core/cid.ts'
import { layOut } from '../../src/torrent/layout.ts'
import { PieceMap } from '../../src/torrent/piece-map.ts'

const SOME_CID = CID.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')

/** Files by their bytes: a run of one letter is one leaf, the same run again the same leaf. */
function mapOf(files: Record<string, string>, pieceLength: number, padded: boolean): PieceMap {
  const manifest: Manifest = { root: SOME_CID, entries: [], pieces: new PieceTable(), size: 0 }
  const known = new Map<string, number>()
  for (const [path, text] of Object.entries(files)) {
    const entry = manifest.entries.push({ kind: 'file', path, cid: SOME_CID, size: text.length }) - 1
    for (const { 0: run, index: offset } of text.matchAll(/(.)\1*/g)) {
      if (run.startsWith('n')) continue
      const leaf = known.get(run)
      if (leaf !== undefined) manifest.pieces.addPlace(leaf, { entry, offset })
      else
        known.set(
          run,
          manifest.pieces.push({
            digest: new Uint8Array(32),
            codec: RAW,
            size: run.length,
            blockSize: run.length,
            place: { entry, offset },
          }),
        )
    }
  }
  const listed = Object.entries(files).map(([path, { length }]) => ({
    path,
    size: length,
    symlink: undefined,
  }))
  return new PieceMap(layOut(listed, pieceLength, padded), manifest)
}

/** Each piece's runs, as `leaf:offset+length`. */
function shown(map: PieceMap): string[] {
  return Array.from({ length: map.pieces }, (_, piece) =>
    [...map.runs(piece)]
      .map((run) => {
        if (run.kind === 'zeros') return `-${run.length}`
        return run.kind === 'leaf'
          ? `${run.leaf}:${run.offset}+${run.length}`
          : `n${run.entry}:${run.offset}+${run.length}`
      })
      .join(' '),
  )
}

describe('the runs of torrent pieces', () => {
  it('are one leaf and zeros each, where files are padded', () => {
    const map = mapOf({ x: 'aaaabb', y: 'c', z: 'aaaa' }, 4, true)
    assert.deepEqual(shown(map), ['0:0+4', '1:0+2 -2', '2:0+1 -3', '0:0+4'])
    assert.equal(map.aligned, true)
    assert.deepEqual(
      [0, 1, 2, 3].map((piece) => map.leafOf(piece)),
      [0, 1, 2, 0],
    )
    assert.deepEqual(
      [...map.piecesOf(0)],
      [
        { first: 0, last: 0 },
        { first: 3, last: 3 },
      ],
    )
  })

  it('go across files, where they are not', () => {
    const map = mapOf({ x: 'aaaabb', y: 'c', z: 'aaaa' }, 4, false)
    assert.deepEqual(shown(map), ['0:0+4', '1:0+2 2:0+1 0:0+1', '0:1+3'])
    assert.equal(map.aligned, false)
    assert.deepEqual(
      [...map.piecesOf(0)],
      [
        { first: 0, last: 0 },
        { first: 1, last: 2 },
      ],
    )
  })

  it('begin and end inside of leaves of another size', () => {
    assert.deepEqual(shown(mapOf({ '': 'aaabbbc' }, 4, true)), ['0:0+3 1:0+1', '1:1+2 2:0+1'])
  })

  it('name bytes that lie in DAG nodes', () => {
    assert.deepEqual(shown(mapOf({ x: 'nnaann', y: 'n' }, 4, true)), [
      'n0:0+2 0:0+2',
      'n0:4+2 -2',
      'n1:0+1 -3',
    ])
    assert.equal(mapOf({ x: 'nn' }, 4, true).aligned, false)
  })

  it('are cut to what is asked for, and to what is there', () => {
    const map = mapOf({ x: 'aaaabb', y: 'c' }, 4, true)
    assert.deepEqual(
      [...map.runs(1, 1, 2)],
      [
        { kind: 'leaf', leaf: 1, offset: 1, length: 1 },
        { kind: 'zeros', length: 1 },
      ],
    )
    assert.deepEqual([...map.runs(1, 4, 9)], [])
  })

  it('are here when their leaves are', () => {
    const map = mapOf({ x: 'aaaabb', y: 'c', z: 'aaaa' }, 4, false)
    const leaves = new Bitfield(3)
    leaves.add(0)
    assert.deepEqual([...map.torrentHave(leaves)], [0, 2])
    leaves.add(1)
    leaves.add(2)
    assert.deepEqual([...map.torrentHave(leaves)], [0, 1, 2])
    // the leaf `a` is in the first piece, whatever comes of its other place
    const pieces = new Bitfield(3)
    pieces.add(0)
    assert.deepEqual([...map.leafHave(pieces)], [0])
  })
})
