/** Whom to call, and when. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Endpoint } from '../../src/core/endpoint.ts'
import { millis } from '../../src/core/types.ts'
import { Candidates } from '../../src/torrent/tcp/candidates.ts'

const at = (port: number): Endpoint => ({ host: '192.0.2.1', port })
const SECOND = 1_000

describe('candidates', () => {
  it('are called once each, those that somebody named first', () => {
    const candidates = new Candidates()
    assert.ok(candidates.add([at(1), at(2)], 'tracker'))
    assert.ok(candidates.add([at(3)], 'named'))
    assert.ok(!candidates.add([at(1)], 'dht'))
    const called = [1, 2, 3, 4].map(() => candidates.next(millis(0))?.port)
    assert.deepEqual(called, [3, 1, 2, undefined])
  })

  it('rest longer after each call in vain, and those that never failed go before', () => {
    const candidates = new Candidates()
    candidates.add([at(1)], 'dht')
    for (const [due, rest] of [
      [0, 10],
      [10, 30],
      [40, 120],
      [160, 600],
      [760, 1_800],
      [2_560, 1_800],
    ] as const) {
      assert.equal(candidates.next(millis(due * SECOND))?.port, 1, `${due}`)
      candidates.failed(at(1), millis(due * SECOND))
      assert.equal(candidates.next(millis((due + rest) * SECOND - 1)), undefined)
    }
    candidates.add([at(2)], 'dht')
    assert.equal(candidates.next(millis(1e9))?.port, 2)
  })

  it('are called again a while after a connection; seeds that a seed met, much later', () => {
    const candidates = new Candidates()
    candidates.add([at(1)], 'pex')
    candidates.next(millis(0))
    candidates.connected(at(1))
    assert.equal(candidates.next(millis(1e9)), undefined)
    candidates.ended(at(1), false, millis(0))
    assert.equal(candidates.next(millis(15 * SECOND - 1)), undefined)
    assert.equal(candidates.next(millis(15 * SECOND))?.port, 1)
    candidates.ended(at(1), true, millis(0))
    assert.equal(candidates.next(millis(1_799 * SECOND)), undefined)
  })

  it('are a thousand at most; a new one takes the place of one that failed', () => {
    const candidates = new Candidates()
    candidates.add(
      Array.from({ length: 1_000 }, (_, port) => at(port + 1)),
      'dht',
    )
    assert.ok(!candidates.add([at(2_000)], 'dht'))
    const failed = candidates.next(millis(0))
    assert.ok(failed)
    candidates.failed(failed, millis(0))
    assert.ok(candidates.add([at(2_000)], 'dht'))
    assert.equal(candidates.size, 1_000)
  })
})
