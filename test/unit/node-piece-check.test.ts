import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, type TestContext, test } from 'node:test'
import { CHUNK_BYTES } from '../../src/content/hashing/files.ts'
import { PieceCheck } from '../../src/node/piece-check.ts'
import type { TorrentInfo, TorrentVersion } from '../../src/torrent/info.ts'
import { blockHashes, pieceHash, rootOfPieces } from '../../src/torrent/merkle.ts'
import { selectFiles } from '../../src/torrent/selection.ts'
import { TorrentSpace } from '../../src/torrent/torrent-space.ts'
import { noise } from '../e2e/trees.ts'

const KIB = 1024
const PIECES = 11

/** Of a file of ten whole pieces and a part of one: what checks its pieces, and the pieces. */
function stage(context: TestContext, version: TorrentVersion, pieceLength: number) {
  const size = (PIECES - 1) * pieceLength + 12_345
  const content = noise(size, 7)
  const pieces = Array.from({ length: PIECES }, (_, at) =>
    content.subarray(at * pieceLength, (at + 1) * pieceLength),
  )
  const layer = Buffer.concat(pieces.map((piece) => pieceHash(blockHashes(piece), size, pieceLength)))
  const root = version === 'v1' ? undefined : rootOfPieces(layer, size, pieceLength)
  const info: TorrentInfo = {
    name: 'file',
    version,
    pieceLength,
    pieces: PIECES,
    length: size,
    isPrivate: false,
    files: [{ path: '', size, start: 0, root, symlink: undefined, executable: false }],
    sha1s: version === 'v2' ? undefined : Buffer.concat(pieces.map((piece) => hash('sha1', piece, 'buffer'))),
    hashes: { v1: undefined, v2: undefined },
  }
  const layers = new Map(root === undefined ? [] : [[Buffer.from(root).toString('hex'), layer]])
  const check = new PieceCheck(new TorrentSpace(info, selectFiles(info, [])), layers)
  context.after(() => check.end())
  return { check, pieces: pieces.map((piece) => Uint8Array.from(piece)) }
}

const leavesOf = (piece: Uint8Array): string[] =>
  Array.from({ length: Math.ceil(piece.length / CHUNK_BYTES) }, (_, at) =>
    hash('sha256', piece.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES)),
  )

describe('the check of pieces of a torrent', () => {
  const cases: [version: TorrentVersion, pieceLength: number][] = [
    ['v1', 64 * KIB],
    ['v1', 1024 * KIB],
    ['v1', 4096 * KIB],
    ['v2', 16 * KIB],
    ['v2', 1024 * KIB],
    ['hybrid', 32 * KIB],
    ['hybrid', 1024 * KIB],
  ]
  for (const [version, pieceLength] of cases) {
    test(`finds the wrong ones among many at once: ${version}, pieces of ${pieceLength / KIB} KiB`, async (context) => {
      const { check, pieces } = stage(context, version, pieceLength)
      const wrong = [0, 6, PIECES - 1]
      for (const at of wrong) pieces[at]?.set([1, 2, 3], 12_000)
      const given = pieces.map((piece) => Uint8Array.from(piece))
      const checked = await Promise.all(given.map((piece, at) => check.check(at, piece)))
      assert.deepEqual(
        checked.flatMap(({ right }, at) => (right ? [] : [at])),
        wrong,
      )
      for (const [at, { piece }] of checked.entries()) assert.deepEqual(piece, pieces[at], 'its own bytes')
    })
  }

  for (const pieceLength of [1024 * KIB, 4096 * KIB])
    test(`gives the digests of leaves where they are asked for: pieces of ${pieceLength / KIB} KiB`, async (context) => {
      const { check, pieces } = stage(context, 'hybrid', pieceLength)
      const asked = (at: number): boolean => at % 3 !== 1
      const given = pieces.map((piece) => Uint8Array.from(piece))
      const checked = await Promise.all(given.map((piece, at) => check.check(at, piece, asked(at))))
      for (const [at, { leaves }] of checked.entries()) {
        const expected = asked(at) ? leavesOf(pieces[at] ?? new Uint8Array(0)) : []
        assert.deepEqual(Buffer.from(leaves).toString('hex'), expected.join(''), `piece ${at}`)
      }
    })

  test('takes one after the other too', async (context) => {
    const { check, pieces } = stage(context, 'hybrid', 64 * KIB)
    for (const [at, piece] of pieces.entries()) assert.equal((await check.check(at, piece)).right, true)
  })

  test('fails for those under way when it is ended', async (context) => {
    const { check, pieces } = stage(context, 'v1', 4096 * KIB)
    const checking = pieces.map((piece, at) => check.check(at, piece))
    check.end()
    for (const each of await Promise.allSettled(checking)) assert.equal(each.status, 'rejected')
  })
})
