/** Hash requests and their answers (BEP 52), and the fetching of piece layers. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerKey } from '../../src/core/types.ts'
import {
  answerTo,
  blockRequest,
  type HashSpan,
  layerRequests,
  leadsTo,
  piecesNeeded,
  requestProblem,
} from '../../src/torrent/hash-requests.ts'
import { LayerFetch } from '../../src/torrent/layer-fetch.ts'
import {
  BLOCK_BYTES,
  blockHashes,
  nodesAbove,
  padHash,
  pieceHash,
  pieceLayer,
  rootOfPieces,
} from '../../src/torrent/merkle.ts'
import { noise } from './torrent-trees.ts'

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? '').toString('hex')

/** A file and its whole tree, as a seeder has them. */
function fileOf(size: number, pieceLength: number) {
  const leaves = blockHashes(noise(size, size))
  const perPiece = (pieceLength / BLOCK_BYTES) * 32
  const pieces = Math.ceil(size / pieceLength)
  const layer = Buffer.concat(
    Array.from({ length: pieces }, (_, piece) =>
      pieceHash(leaves.subarray(piece * perPiece, (piece + 1) * perPiece), size, pieceLength),
    ),
  )
  const answer = (span: HashSpan): Uint8Array => {
    const { first, count } = piecesNeeded(span, size, pieceLength)
    return answerTo(span, {
      size,
      pieceLength,
      layer,
      blocks: leaves.subarray(first * perPiece, (first + count) * perPiece),
    })
  }
  return { size, leaves, layer, pieces, root: rootOfPieces(layer, size, pieceLength), answer }
}

describe('hash requests', () => {
  it('for a file of six pieces are the one that libtorrent makes', () => {
    const [request, ...more] = layerRequests({ root: new Uint8Array(32), size: 6 << 20 }, 1 << 20)
    assert.deepEqual({ ...request, root: 0 }, { root: 0, baseLayer: 6, index: 0, length: 8, proofLayers: 2 })
    assert.equal(more.length, 0)
  })

  it('for a file of many pieces are of 512 hashes each, and prove up to the root', () => {
    // 1,030 pieces: 2,048 in the layer, and two layers between a subtree of 512 and the root
    const spans = layerRequests({ root: new Uint8Array(32), size: 1030 * BLOCK_BYTES }, BLOCK_BYTES)
    assert.deepEqual(
      spans.map(({ baseLayer, index, length, proofLayers }) => [baseLayer, index, length, proofLayers]),
      [
        [0, 0, 512, 10],
        [0, 512, 512, 10],
        [0, 1024, 512, 10],
      ],
    )
  })

  it('are answered with pads for what is past the end', () => {
    const pieceLength = 2 * BLOCK_BYTES
    const file = fileOf(6 * pieceLength - 5, pieceLength)
    const [span] = layerRequests(file, pieceLength)
    assert.ok(span !== undefined)
    const answer = file.answer(span)
    assert.equal(hex(answer), hex(file.layer) + hex(padHash(1)).repeat(2))
    assert.equal(hex(leadsTo(span, answer)), hex(file.root))
  })

  it('for blocks are proved by their piece', () => {
    const pieceLength = 4 * BLOCK_BYTES
    const file = fileOf(3 * pieceLength + 5, pieceLength)
    for (let piece = 0; piece < file.pieces; piece++) {
      const span = blockRequest(file.root, piece, pieceLength)
      const answer = file.answer(span)
      assert.equal(answer.length, 4 * 32)
      assert.equal(hex(leadsTo(span, answer)), hex(file.layer.subarray(piece * 32, (piece + 1) * 32)))
    }
  })

  it('are answered so that the root is reached, from any place of either layer', () => {
    for (const [size, pieceLength] of [
      [40 * BLOCK_BYTES + 1, 4 * BLOCK_BYTES],
      [33 * BLOCK_BYTES, BLOCK_BYTES],
      [9 * BLOCK_BYTES, 16 * BLOCK_BYTES],
      [20 * BLOCK_BYTES, 16 * BLOCK_BYTES],
    ] as const) {
      const file = fileOf(size, pieceLength)
      const top = Math.ceil(Math.log2(Math.ceil(size / BLOCK_BYTES)))
      for (const baseLayer of new Set([0, pieceLayer(pieceLength)]))
        for (let length = 2; length <= 2 ** (top - baseLayer); length *= 2)
          for (let index = 0; index < 2 ** (top - baseLayer); index += length) {
            const span = { root: file.root, baseLayer, index, length, proofLayers: top - baseLayer - 1 }
            assert.equal(requestProblem(span, size, pieceLength), undefined)
            assert.equal(
              hex(leadsTo(span, file.answer(span))),
              hex(file.root),
              JSON.stringify({ size, ...span, root: 0 }),
            )
          }
    }
  })

  it('with less proof are answered with less', () => {
    const file = fileOf(32 * BLOCK_BYTES, BLOCK_BYTES)
    const lengths = [0, 1, 2, 3, 4].map(
      (proofLayers) =>
        file.answer({ root: file.root, baseLayer: 0, index: 4, length: 4, proofLayers }).length / 32,
    )
    // the first layer of proof follows from the four hashes
    assert.deepEqual(lengths, [4, 4, 5, 6, 7])
    const half = { root: file.root, baseLayer: 0, index: 4, length: 4, proofLayers: 2 }
    assert.equal(hex(leadsTo(half, file.answer(half))), hex(nodesAbove(file.leaves, 0, 3).subarray(0, 32)))
  })

  it('of strangers are refused by their numbers', () => {
    const ask = (change: Partial<HashSpan>) =>
      requestProblem(
        { root: new Uint8Array(32), baseLayer: 2, index: 0, length: 8, proofLayers: 2, ...change },
        32 * BLOCK_BYTES,
        4 * BLOCK_BYTES,
      )
    assert.equal(ask({}), undefined)
    for (const change of [
      { baseLayer: 1 },
      { baseLayer: 99 },
      { length: 1 },
      { length: 0 },
      { length: 3 },
      { length: 16 },
      { length: 2 ** 31 },
      { index: 3 },
      { index: 8 },
      { index: 0xffff_fff8 },
      { proofLayers: 3 },
      { proofLayers: 0xffff_ffff },
    ])
      assert.ok(ask(change) !== undefined, JSON.stringify(change))
    // a file of one block has no layer below its root
    assert.ok(
      requestProblem(
        { root: new Uint8Array(32), baseLayer: 0, index: 0, length: 2, proofLayers: 0 },
        5,
        BLOCK_BYTES,
      ) !== undefined,
    )
  })
})

describe('fetching piece layers', () => {
  const pieceLength = BLOCK_BYTES
  const [a, b] = [fileOf(1030 * BLOCK_BYTES, pieceLength), fileOf(5 * BLOCK_BYTES, pieceLength)]
  const [one, two] = [peerKey('one'), peerKey('two')]
  const answer = (span: HashSpan): Uint8Array => (hex(span.root) === hex(a.root) ? a : b).answer(span)

  it('ends with every layer, whoever sends what', () => {
    const fetch = new LayerFetch([a, b], pieceLength)
    const asked = fetch.next(one)
    assert.equal(asked.length, 4)
    assert.deepEqual(fetch.next(two), [])
    const [first, second, ...rest] = asked
    assert.ok(first !== undefined && second !== undefined)
    assert.equal(fetch.rejected(one, first), true)
    assert.deepEqual(fetch.next(one), [])
    assert.deepEqual(fetch.next(two), [first])
    assert.equal(fetch.received(two, first, answer(first)), 'kept')
    // what a peer that left was asked for goes to others
    assert.equal(fetch.received(one, second, answer(second)), 'kept')
    fetch.left(one)
    const again = fetch.next(two)
    assert.deepEqual(again.map(({ index }) => index).sort(), rest.map(({ index }) => index).sort())
    assert.deepEqual(
      again.map((span) => fetch.received(two, span, answer(span))),
      ['kept', 'complete'],
    )
    assert.equal(hex(fetch.layers.get(hex(a.root))), hex(a.layer))
    assert.equal(hex(fetch.layers.get(hex(b.root))), hex(b.layer))
  })

  it('takes nothing that was not asked for, nor what leads elsewhere', () => {
    const fetch = new LayerFetch([b], pieceLength)
    const [span] = layerRequests(b, pieceLength)
    assert.ok(span !== undefined)
    assert.equal(fetch.received(one, span, answer(span)), 'unasked')
    assert.equal(fetch.rejected(one, span), false)
    fetch.next(one)
    assert.equal(fetch.received(two, span, answer(span)), 'unasked')
    assert.equal(fetch.received(one, { ...span, length: 4 }, answer(span)), 'unasked')
    const wrong = answer(span)
    wrong[40] = (wrong[40] ?? 0) ^ 1
    assert.equal(fetch.received(one, span, wrong), 'bad')
    assert.deepEqual(fetch.next(one), [])
    fetch.next(two)
    assert.equal(fetch.received(two, span, answer(span).subarray(32)), 'bad')
    assert.equal(fetch.complete, false)
    assert.equal(fetch.layers.size, 0)
  })
})
