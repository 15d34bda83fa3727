/** An info dictionary from several peers, some of whom lie. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { peerKey } from '../../src/core/types.ts'
import { MetadataFetch, metadataBlock } from '../../src/torrent/metadata-fetch.ts'
import { noise } from './torrent-trees.ts'

const BLOCK = 16_384
const INFO = noise(5 * BLOCK + 100, 1)
const HASHES = { v1: createHash('sha1').update(INFO).digest(), v2: undefined }
const WRONG = Buffer.from(INFO).fill(0, 20, 30)
const [one, two, three] = [peerKey('one'), peerKey('two'), peerKey('three')]

/** Sends this peer's blocks from a copy of the dictionary. */
function give(
  fetch: MetadataFetch,
  peer: typeof one,
  blocks: readonly number[],
  info: Uint8Array = INFO,
): string[] {
  return blocks.map((block) =>
    fetch.received(peer, block, info.length, metadataBlock(info, block) ?? new Uint8Array(0)),
  )
}

describe('fetching metadata', () => {
  it('asks each block of one peer, a few at once, and ends when the hash is right', () => {
    const fetch = new MetadataFetch(HASHES)
    fetch.joined(one, INFO.length)
    fetch.joined(two, INFO.length)
    assert.deepEqual(fetch.next(one), [0, 1, 2, 3])
    assert.deepEqual(fetch.next(two), [4, 5])
    assert.deepEqual(fetch.next(one), [])
    assert.deepEqual(give(fetch, two, [5, 4]), ['kept', 'kept'])
    assert.deepEqual(give(fetch, one, [3, 0, 2, 1]), ['kept', 'kept', 'kept', 'complete'])
    assert.deepEqual(Buffer.from(fetch.whole ?? ''), Buffer.from(INFO))
    assert.deepEqual(fetch.next(one), [])
  })

  it('checks both hashes where both are known', () => {
    const v2 = createHash('sha256').update(INFO).digest()
    for (const [hashes, outcome] of [
      [{ v1: undefined, v2 }, 'complete'],
      [{ v1: HASHES.v1, v2 }, 'complete'],
      [{ v1: HASHES.v1, v2: new Uint8Array(32) }, 'bad'],
    ] as const) {
      const fetch = new MetadataFetch(hashes)
      fetch.joined(one, INFO.length)
      give(fetch, one, fetch.next(one))
      assert.equal(give(fetch, one, fetch.next(one)).at(-1), outcome)
    }
    assert.throws(() => new MetadataFetch({ v1: undefined, v2: undefined }), RangeError)
  })

  it('asks others for what was rejected, or of a peer that left', () => {
    const fetch = new MetadataFetch(HASHES)
    fetch.joined(one, INFO.length)
    fetch.joined(two, INFO.length)
    fetch.next(one)
    assert.equal(fetch.rejected(one, 2), true)
    assert.equal(fetch.rejected(one, 2), false)
    assert.deepEqual(fetch.next(two), [2, 4, 5])
    fetch.left(one)
    assert.deepEqual(fetch.next(two), [0])
  })

  it('speaks against a peer that sent all of a wrong whole', () => {
    const fetch = new MetadataFetch(HASHES)
    fetch.joined(one, INFO.length)
    give(fetch, one, fetch.next(one), WRONG)
    assert.equal(give(fetch, one, fetch.next(one), WRONG).at(-1), 'bad')
  })

  it('asks one peer at a time after a mixed whole was wrong, and finds the liar so', () => {
    const fetch = new MetadataFetch(HASHES)
    for (const peer of [one, two, three]) fetch.joined(peer, INFO.length)
    const first = fetch.next(one)
    const second = fetch.next(two)
    give(fetch, one, first, WRONG)
    assert.equal(give(fetch, two, second).at(-1), 'mixed')
    // the liar's turn; nobody else is asked
    give(fetch, one, fetch.next(one), WRONG)
    assert.deepEqual([fetch.next(two), fetch.next(three)], [[], []])
    assert.equal(give(fetch, one, fetch.next(one), WRONG).at(-1), 'bad')
    fetch.left(one)
    give(fetch, three, fetch.next(three))
    assert.equal(give(fetch, three, fetch.next(three)).at(-1), 'complete')
  })

  it('drops what crossed a new beginning', () => {
    const fetch = new MetadataFetch(HASHES)
    fetch.joined(one, INFO.length)
    fetch.joined(two, INFO.length)
    const first = fetch.next(one)
    const [kept = 0] = fetch.next(two)
    give(fetch, one, first, WRONG)
    give(fetch, one, fetch.next(one), WRONG)
    fetch.left(two)
    fetch.joined(two, INFO.length)
    assert.equal(give(fetch, two, [kept])[0], 'unasked')
    assert.equal(give(fetch, one, [0])[0], 'unasked')
  })

  it('believes the size that most say, and no size that none has', () => {
    const fetch = new MetadataFetch(HASHES)
    fetch.joined(one, 99)
    assert.deepEqual(fetch.next(one), [0])
    fetch.joined(two, INFO.length)
    fetch.joined(three, INFO.length)
    assert.deepEqual(fetch.next(two), [0, 1, 2, 3])
    // asked when another size was thought to be right
    assert.equal(fetch.received(one, 0, 99, new Uint8Array(99)), 'kept')
    for (const size of [0, -1, (32 << 20) + 1]) {
      const alone = new MetadataFetch(HASHES)
      alone.joined(one, size)
      assert.deepEqual(alone.next(one), [])
    }
  })

  it('does not stay with a size whose peers have nothing', () => {
    const fetch = new MetadataFetch(HASHES)
    fetch.joined(one, 99)
    fetch.joined(two, 99)
    fetch.joined(three, INFO.length)
    for (const peer of [one, two]) for (const block of fetch.next(peer)) fetch.rejected(peer, block)
    assert.deepEqual(fetch.next(three), [0, 1, 2, 3])
  })

  it('takes nothing unasked, and no block of a wrong size', () => {
    const fetch = new MetadataFetch(HASHES)
    assert.equal(give(fetch, one, [0])[0], 'unasked')
    fetch.joined(one, INFO.length)
    assert.equal(give(fetch, one, [0])[0], 'unasked')
    fetch.next(one)
    assert.equal(fetch.received(one, 0, INFO.length + 1, INFO.subarray(0, BLOCK)), 'bad')
    assert.equal(fetch.received(one, 1, INFO.length, INFO.subarray(0, BLOCK - 1)), 'bad')
    assert.equal(fetch.rejected(two, 0), false)
  })

  it('is answered block by block', () => {
    assert.equal(metadataBlock(INFO, 5)?.length, 100)
    assert.deepEqual([metadataBlock(INFO, 6), metadataBlock(INFO, -1)], [undefined, undefined])
  })
})
