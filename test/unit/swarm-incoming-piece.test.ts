import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { millis, peerKey } from '../../src/core/types.ts'
import { Capacity } from '../../src/swarm/capacity.ts'
import { Holdings } from '../../src/swarm/holdings.ts'
import { IncomingPiece, Source } from '../../src/swarm/incoming-piece.ts'
import { SwarmPeer } from '../../src/swarm/swarm-peer.ts'

const SIZE = 100

/** A piece of a hundred bytes, and who is to send which of them. */
class Bench {
  readonly piece = new IncomingPiece(SIZE)

  asks(peer: string, begin: number, end: number): Source {
    const now = millis(0)
    const source = new Source({
      peer: new SwarmPeer(peerKey(peer), 'share', 1, new Holdings()),
      piece: 0,
      span: { begin, end },
      announced: 1_000,
      startsAt: 0,
      mark: new Capacity().mark(now),
      now,
    })
    this.piece.sources.push(source)
    return source
  }

  get holes(): string {
    return this.piece
      .holes()
      .map(({ begin, end }) => `${begin}-${end}`)
      .join(' ')
  }
}

describe('a piece on its way in', () => {
  it('is one hole at first, and has none when all of it is asked for or here', () => {
    const bench = new Bench()
    assert.equal(bench.holes, '0-100')
    assert.ok(bench.piece.empty)
    const source = bench.asks('A', 0, 100)
    assert.equal(bench.holes, '')
    bench.piece.arrived(source, 0, 40)
    assert.equal(bench.holes, '')
    assert.equal(source.left, 60)
    assert.ok(!bench.piece.complete)
    bench.piece.arrived(source, 40, 60)
    assert.ok(source.done)
    assert.ok(bench.piece.complete)
  })

  it('has holes where a source is gone, and keeps what it sent', () => {
    const bench = new Bench()
    const source = bench.asks('A', 0, 100)
    bench.piece.arrived(source, 0, 40)
    bench.piece.drop(source)
    assert.equal(bench.holes, '40-100')
    const [first, second] = [bench.asks('B', 40, 60), bench.asks('C', 80, 100)]
    assert.equal(bench.holes, '60-80')
    bench.piece.arrived(second, 80, 20)
    assert.equal(bench.holes, '60-80')
    bench.piece.drop(first)
    assert.equal(bench.holes, '40-80')
  })

  it('has a hole where a source was cut short', () => {
    const bench = new Bench()
    const source = bench.asks('A', 0, 100)
    source.end = 70
    assert.equal(bench.holes, '70-100')
    bench.asks('B', 70, 100)
    assert.equal(bench.holes, '')
  })

  it('may come twice', () => {
    const bench = new Bench()
    const [slow, fast] = [bench.asks('A', 0, 100), bench.asks('B', 0, 100)]
    bench.piece.arrived(slow, 0, 30)
    bench.piece.arrived(fast, 0, 100)
    assert.ok(bench.piece.complete)
    assert.deepEqual(
      [...bench.piece.senders].map(({ key }) => key),
      ['A', 'B'],
    )
  })

  it('by one message is that of its sender alone', () => {
    const bench = new Bench()
    bench.piece.arrived(bench.asks('A', 0, 100), 0, 30)
    const sender = new SwarmPeer(peerKey('B'), 'bitswap', 1, new Holdings())
    bench.piece.filled(sender)
    assert.ok(bench.piece.complete)
    assert.deepEqual([...bench.piece.senders], [sender])
  })

  it('is forgotten with those who sent it', () => {
    const bench = new Bench()
    const source = bench.asks('A', 0, 100)
    bench.piece.arrived(source, 0, 30)
    bench.piece.drop(source)
    bench.piece.forget()
    assert.ok(bench.piece.empty)
    assert.equal(bench.piece.senders.size, 0)
    assert.equal(bench.holes, '0-100')
  })

  it('of no bytes is here at once', () => {
    const nothing = new IncomingPiece(0)
    assert.ok(nothing.complete)
    assert.ok(!nothing.hasHoles)
  })
})
