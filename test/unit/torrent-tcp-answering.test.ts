/** What a BitTorrent client asks of us, by hand: blocks have 16 KiB, written as K. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Answering } from '../../src/torrent/tcp/answering.ts'

const K = 16 << 10

const block = (index: number, at: number) => ({ index, begin: at * K, length: K })

/** Asks for blocks of torrent pieces that are the swarm's. */
function ask(answering: Answering, ...blocks: { index: number; begin: number; length: number }[]): void {
  for (const each of blocks) answering.add(each, { piece: each.index, begin: each.begin })
}

describe('requests to the scheduler', () => {
  it('are blocks side by side, asked for in one go, up to 256 KiB', () => {
    const answering = new Answering()
    ask(answering, block(1, 0), block(1, 1), block(1, 3), block(2, 0))
    assert.deepEqual(
      [...answering.formed()],
      [
        { piece: 1, begin: 0, length: 2 * K },
        { piece: 1, begin: 3 * K, length: K },
        { piece: 2, begin: 0, length: K },
      ],
    )
    ask(answering, ...Array.from({ length: 17 }, (_, at) => block(3, at)))
    assert.deepEqual(
      [...answering.formed()],
      [
        { piece: 3, begin: 0, length: 16 * K },
        { piece: 3, begin: 16 * K, length: K },
      ],
    )
  })

  it('of the same bytes follow each other', () => {
    const answering = new Answering()
    ask(answering, block(1, 0))
    assert.equal([...answering.formed()].length, 1)
    ask(answering, block(1, 0))
    assert.equal([...answering.formed()].length, 0)
    const run = answering.grant({ piece: 1, begin: 0 })
    assert.ok(run && answering.give(run, new Uint8Array(K)))
    answering.next()
    assert.deepEqual([...answering.formed()], [{ piece: 1, begin: 0, length: K }])
  })

  it('that are too many end the connection', () => {
    const answering = new Answering()
    for (let at = 0; at < 4_000; at++) ask(answering, block(at, 0))
    assert.throws(() => ask(answering, block(4_000, 0)), { code: 'too-many-requests' })
  })
})

describe('answers', () => {
  it('leave block by block, in the order in which they were read', () => {
    const answering = new Answering()
    ask(answering, block(1, 0), block(1, 1), block(2, 0))
    assert.equal([...answering.formed()].length, 2)
    const [first, second] = [answering.grant({ piece: 1, begin: 0 }), answering.grant({ piece: 2, begin: 0 })]
    assert.ok(first && second)
    answering.give(second, Buffer.alloc(K, 'b'))
    answering.give(first, Buffer.alloc(2 * K, 'a'))
    const left = [answering.next(), answering.next(), answering.next(), answering.next()]
    assert.deepEqual(
      left.map((answer) => answer && `${answer.block.index}:${answer.block.begin / K} ${answer.data?.[0]}`),
      ['2:0 98', '1:0 97', '1:1 97', undefined],
    )
    assert.ok(!answering.ready)
  })

  it('are rejects for blocks that were cancelled', () => {
    const answering = new Answering()
    ask(answering, block(1, 0), block(1, 1))
    assert.equal([...answering.formed()].length, 1)
    assert.deepEqual(answering.cancel(block(1, 0)), { rejected: [] })
    const run = answering.grant({ piece: 1, begin: 0 })
    assert.ok(run && answering.give(run, new Uint8Array(2 * K)))
    assert.equal(answering.next()?.data, undefined)
    assert.equal(answering.next()?.data?.length, K)
  })

  it('are rejects at once when nothing of a request is wanted any more', () => {
    const answering = new Answering()
    ask(answering, block(1, 0), block(1, 1))
    assert.equal([...answering.formed()].length, 1)
    answering.cancel(block(1, 0))
    assert.deepEqual(answering.cancel(block(1, 1)), {
      rejected: [block(1, 0), block(1, 1)],
      over: { piece: 1, begin: 0, length: 0 },
    })
    assert.equal(answering.grant({ piece: 1, begin: 0 }), undefined)
    assert.deepEqual(answering.cancel(block(1, 1)), { rejected: [] })
  })

  it('are rejects when we choke, but for what is granted', () => {
    const answering = new Answering()
    ask(answering, block(1, 0), block(2, 0))
    assert.equal([...answering.formed()].length, 2)
    const run = answering.grant({ piece: 1, begin: 0 })
    ask(answering, block(3, 0))
    assert.deepEqual(answering.refuseAll(), [block(2, 0), block(3, 0)])
    assert.ok(run && answering.give(run, new Uint8Array(K)))
    assert.equal(answering.next()?.block.index, 1)
  })
})
