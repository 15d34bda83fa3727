/** Hash trees of BEP 52, by hand. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sha256 } from '../../src/content/verify.ts'
import {
  BLOCK_BYTES,
  blockHashes,
  countOf,
  hashAt,
  padHash,
  pieceHash,
  pieceLayer,
  proofOf,
  rootByProof,
  rootOfPieces,
  subtreeRoot,
} from '../../src/torrent/merkle.ts'
import { noise } from './torrent-trees.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const pair = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(Buffer.concat([left, right]))
const ZERO = new Uint8Array(32)

describe('a hash tree', () => {
  const bytes = noise(2 * BLOCK_BYTES + 100, 1)
  const [a, b, c] = [
    sha256(bytes.subarray(0, BLOCK_BYTES)),
    sha256(bytes.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES)),
    sha256(bytes.subarray(2 * BLOCK_BYTES)),
  ] as const

  it('has the hashes of the blocks as leaves; the last block is not padded', () => {
    assert.equal(hex(blockHashes(bytes)), hex(Buffer.concat([a, b, c])))
    assert.equal(blockHashes(new Uint8Array(0)).length, 0)
  })

  it('has zeros for leaves that are missing', () => {
    assert.equal(hex(padHash(0)), '00'.repeat(32))
    assert.equal(hex(padHash(1)), hex(pair(ZERO, ZERO)))
    assert.equal(hex(padHash(2)), hex(pair(padHash(1), padHash(1))))
    assert.equal(hex(subtreeRoot(blockHashes(bytes), 0)), hex(pair(pair(a, b), pair(c, ZERO))))
    assert.equal(hex(subtreeRoot(a, 0)), hex(a))
    assert.throws(() => subtreeRoot(blockHashes(bytes), 0, 1), RangeError)
  })

  it('of a piece is as high as a piece, unless the file is shorter', () => {
    const leaves = blockHashes(bytes.subarray(0, 100))
    // alone in a file, its own tree
    assert.equal(hex(pieceHash(leaves, 100, 4 * BLOCK_BYTES)), hex(leaves))
    // the last piece of a longer file
    const padded = pair(pair(leaves, ZERO), pair(ZERO, ZERO))
    assert.equal(hex(pieceHash(leaves, 8 * BLOCK_BYTES + 100, 4 * BLOCK_BYTES)), hex(padded))
  })

  it('has the same root from the piece layer as from the leaves', () => {
    const pieceLength = 2 * BLOCK_BYTES
    const layer = Buffer.concat([pair(a, b), pair(c, ZERO)])
    assert.equal(pieceLayer(pieceLength), 1)
    assert.equal(hex(rootOfPieces(layer, bytes.length, pieceLength)), hex(subtreeRoot(blockHashes(bytes), 0)))
  })

  it('is proved by uncles', () => {
    const nodes = blockHashes(noise(5 * BLOCK_BYTES, 2))
    const root = hex(subtreeRoot(nodes, 0))
    for (let at = 0; at < countOf(nodes); at++) {
      const proof = proofOf(nodes, 0, at, 3)
      assert.equal(hex(rootByProof(hashAt(nodes, at), at, proof)), root)
      assert.notEqual(hex(rootByProof(hashAt(nodes, (at + 1) % 5), at, proof)), root)
    }
  })
})
