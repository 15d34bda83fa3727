/** What is asked of one BitTorrent client, by hand: blocks have 16 KiB, written as K. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Asking } from '../../src/torrent/tcp/asking.ts'
import type { WirePart } from '../../src/torrent/tcp/piece-space.ts'

const K = 16 << 10

/** A swarm's piece that lies in one torrent piece, from `at` on. */
function wire(begin: number, index: number, at: number, length: number): WirePart {
  return { kind: 'wire', begin, index, at, length }
}

/** `index:begin+length`, in blocks where they are whole. */
function shown(spans: Iterable<{ index: number; begin: number; length: number }>): string {
  return [...spans].map(({ index, begin, length }) => `${index}:${begin / K}+${length / K}`).join(' ')
}

describe('ranges on the wire', () => {
  it('are blocks at multiples of 16 KiB, as many at once as the peer takes', () => {
    const asking = new Asking(true)
    asking.limit = 2
    asking.ask({ piece: 7, begin: 0, length: 3 * K }, [wire(0, 1, K / 2, 3 * K)])
    assert.equal(shown(asking.next()), '1:0.5+0.5 1:1+1')
    assert.equal(shown(asking.next()), '')
    assert.deepEqual(asking.received(1, K / 2, K / 2), { piece: 7, begin: 0 })
    assert.equal(shown(asking.next()), '1:2+1')
  })

  it('are asked for many at once: again when an eighth of what the peer takes is free', () => {
    const asking = new Asking(true)
    asking.limit = 16
    asking.ask({ piece: 0, begin: 0, length: 64 * K }, [wire(0, 0, 0, 64 * K)])
    assert.equal([...asking.next()].length, 16)
    asking.received(0, 0, K)
    assert.deepEqual([...asking.next()], [])
    asking.received(0, K, K)
    assert.equal(shown(asking.next()), '0:16+1 0:17+1')
    assert.deepEqual([...asking.next()], [])
  })

  it('are told from their beginning on, in whatever order and parts they come', () => {
    const asking = new Asking(true)
    asking.ask({ piece: 7, begin: 0, length: 2 * K }, [wire(0, 1, 0, 2 * K)])
    assert.equal(shown(asking.next()), '1:0+1 1:1+1')
    assert.deepEqual(asking.received(1, K, K), { piece: 7, begin: K })
    assert.deepEqual([...asking.arrived()], [])
    assert.deepEqual(asking.received(1, 0, 100), { piece: 7, begin: 0 })
    assert.deepEqual([...asking.arrived()], [{ piece: 7, begin: 0, length: 100 }])
    assert.deepEqual(asking.received(1, 100, K - 100), { piece: 7, begin: 100 })
    assert.deepEqual([...asking.arrived()], [{ piece: 7, begin: 100, length: 2 * K - 100 }])
    assert.ok(asking.idle)
  })

  it('begin and end with what wraps a leaf, which nobody is asked for', () => {
    const asking = new Asking(true)
    const ends = [Buffer.from('head'), Buffer.from('tail')] as const
    const known = asking.ask({ piece: 0, begin: 0, length: K + 8 }, [
      { kind: 'known', begin: 0, bytes: ends[0] },
      wire(4, 0, 0, K),
      { kind: 'known', begin: K + 4, bytes: ends[1] },
    ])
    assert.deepEqual(
      known.map(({ bytes }) => bytes),
      [...ends],
    )
    assert.equal(shown(asking.next()), '0:0+1')
    assert.deepEqual(asking.received(0, 0, K), { piece: 0, begin: 4 })
    assert.deepEqual([...asking.arrived()], [{ piece: 0, begin: 0, length: K + 8 }])
  })

  it('end before a block that does not come; those behind it are taken back', () => {
    const asking = new Asking(true)
    asking.ask({ piece: 7, begin: 0, length: 3 * K }, [wire(0, 1, 0, 3 * K)])
    assert.equal(shown(asking.next()), '1:0+1 1:1+1 1:2+1')
    const rejected = asking.rejected({ index: 1, begin: K, length: K })
    assert.deepEqual(rejected?.lost, { piece: 7, begin: K, length: 2 * K })
    assert.equal(shown(rejected?.cancelled ?? []), '1:2+1')
    asking.received(1, 0, K)
    assert.deepEqual([...asking.arrived()], [{ piece: 7, begin: 0, length: K }])
    // it was on its way
    assert.equal(asking.received(1, 2 * K, K), undefined)
    assert.equal(asking.open, 0)
  })

  it('are cancelled from their end on, or as a whole', () => {
    const asking = new Asking(true)
    asking.ask({ piece: 7, begin: 0, length: 3 * K }, [wire(0, 1, 0, 3 * K)])
    assert.equal(shown(asking.next()), '1:0+1 1:1+1 1:2+1')
    assert.equal(shown(asking.cancel({ piece: 7, begin: 2 * K, length: K })), '1:2+1')
    assert.equal(shown(asking.cancel({ piece: 7, begin: 0, length: 2 * K })), '1:0+1 1:1+1')
    assert.ok(asking.idle)
    assert.equal(asking.open, 3)
  })

  it('are lost together when the peer chokes; what still comes of them is passed over', () => {
    const asking = new Asking(false)
    asking.ask({ piece: 7, begin: 0, length: K }, [wire(0, 1, 0, K)])
    asking.ask({ piece: 8, begin: 0, length: K }, [wire(0, 2, 0, K)])
    assert.equal(shown(asking.next()), '1:0+1 2:0+1')
    asking.received(1, 0, 100)
    assert.deepEqual([...asking.arrived()], [{ piece: 7, begin: 0, length: 100 }])
    assert.deepEqual(asking.dropAll(), [
      { piece: 7, begin: 100, length: K - 100 },
      { piece: 8, begin: 0, length: K },
    ])
    assert.equal(asking.received(2, 0, K), undefined)
  })
})

describe('what nobody asked for', () => {
  it('is passed over, up to 4 MiB', () => {
    const asking = new Asking(true)
    for (let at = 0; at < 256; at++) assert.equal(asking.received(0, at * K, K), undefined)
    assert.throws(() => asking.received(0, 256 * K, 1), { name: 'WireViolation', code: 'unrequested' })
  })

  it('is also what goes past the end of a block', () => {
    const asking = new Asking(true)
    asking.ask({ piece: 7, begin: 0, length: K }, [wire(0, 1, 0, K)])
    assert.equal(shown(asking.next()), '1:0+1')
    assert.equal(asking.received(1, 0, K + 1), undefined)
    assert.equal(asking.received(1, 1, 5), undefined)
    assert.deepEqual(asking.received(1, 0, K), { piece: 7, begin: 0 })
  })
})
