/** Which leaves of a file are whole while it comes in runs of any size and order. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CHUNK_BYTES } from '../../src/content/hashing/files.ts'
import { IncomingLeaves } from '../../src/content/incoming-leaves.ts'

describe('the leaves of a file that comes', () => {
  test('are whole with the last of several runs, in any order', () => {
    const leaves = new IncomingLeaves(2 * CHUNK_BYTES + 5)
    const half = CHUNK_BYTES / 2
    assert.deepEqual([...leaves.wrote(half, half)], [])
    assert.deepEqual([...leaves.wrote(2 * CHUNK_BYTES, 5)], [2])
    assert.deepEqual([...leaves.wrote(0, half)], [0])
    assert.equal(leaves.whole, false)
    assert.deepEqual([...leaves.wrote(CHUNK_BYTES, CHUNK_BYTES)], [1])
    assert.equal(leaves.whole, true)
  })

  test('are whole several at once with a run that is longer, and not with one that ends in them', () => {
    const leaves = new IncomingLeaves(4 * CHUNK_BYTES)
    assert.deepEqual([...leaves.wrote(100, 3 * CHUNK_BYTES)], [1, 2])
    assert.deepEqual([...leaves.wrote(0, 100)], [0])
    assert.deepEqual([...leaves.wrote(3 * CHUNK_BYTES + 100, CHUNK_BYTES - 100)], [3])
  })

  test('have the digests that were told, and no others', () => {
    const leaves = new IncomingLeaves(CHUNK_BYTES + 1)
    const digest = new Uint8Array(32).fill(7)
    leaves.learn(1, digest)
    assert.deepEqual(leaves.digest(1), digest)
    assert.equal(leaves.digest(0), undefined)
  })
})
