/** The life of a piece, of the piece space, of a peer and of a swarm, whatever the wire. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rootKey } from '../../src/core/types.ts'
import type { Wire } from '../../src/swarm/events.ts'
import { MIB, only, requestedOf, type Scenario, scenario, without } from './swarm-scenario.ts'

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

/** One peer by this wire that has everything, and is asked for what it gives first. */
function asked(wire: Wire, pieces = 1): { swarm: Scenario; lines: string[] } {
  const swarm = scenario({ pieces, wire })
  const lines = swarm.drawn(`A ${'#'.repeat(pieces)}`)
  if (wire === 'share') lines.push(...swarm.offered('A', 0))
  return { swarm, lines }
}

describe('a piece on its way in', () => {
  it('is requested, verified, stored and then told, on every wire', () => {
    for (const wire of ['share', 'bittorrent', 'bitswap'] as const) {
      const { swarm, lines } = asked(wire)
      // a peer that was asked, and has sent nothing so far, is not counted on
      const expected = wire === 'share' ? ['expect 0'] : []
      if (wire !== 'bitswap') assert.deepEqual(only(lines, 'request', 'expect'), ['request A 0', ...expected])
      const here = wire === 'bitswap' ? swarm.received('A', 0) : swarm.arrived('A', 0)
      assert.deepEqual(without(here, 'expect'), ['verify-and-store 0'], wire)
      assert.equal(only([...lines, ...here], 'expect').length, 1, wire)
      assert.deepEqual(swarm.verified(0), [], wire)
      assert.deepEqual(without(swarm.stored(0), 'uninterested'), ['have 0', 'completed'], wire)
    }
  })

  it('moves only forward: an event out of order does nothing', () => {
    const { swarm } = asked('bitswap')
    assert.deepEqual(
      [...swarm.verified(0), ...swarm.stored(0), ...swarm.storeFailed(0), ...swarm.refuted(0)],
      [],
    )
    swarm.received('A', 0)
    assert.deepEqual([...swarm.received('A', 0), ...swarm.stored(0), ...swarm.storeFailed(0)], [])
    swarm.verified(0)
    assert.deepEqual([...swarm.received('A', 0), ...swarm.refuted(0), ...swarm.verified(0)], [])
    assert.deepEqual(swarm.stored(0), ['have 0', 'completed'])
    assert.deepEqual([...swarm.storeFailed(0), ...swarm.refuted(0), ...swarm.received('A', 0)], [])
  })

  it('is taken from a peer that sends it unasked, and cancelled where it was asked', () => {
    const { swarm } = asked('bitswap')
    swarm.drawn('B #')
    assert.deepEqual(swarm.received('B', 0), ['cancel A 0', 'expect 0', 'verify-and-store 0'])
  })

  it('in bytes that nobody asked for is nothing', () => {
    const { swarm } = asked('bittorrent', 1)
    swarm.progressed('A')
    assert.deepEqual(swarm.arrived('A', 0, { begin: 16, length: 16 }), [])
    assert.deepEqual(swarm.arrived('A', 0, { begin: 0, length: 16 }), [])
    assert.deepEqual(swarm.arrived('A', 0, { begin: 0, length: 16 }), [], 'twice')
    assert.deepEqual(swarm.arrived('A', 1, { begin: 0, length: 16 }), [])
    assert.deepEqual(swarm.arrived('A', 0, { begin: 16 }), ['verify-and-store 0'])
  })

  it('is fetched again, without blame, when it could not be stored', () => {
    const { swarm } = asked('bittorrent')
    swarm.arrived('A', 0)
    swarm.verified(0)
    const again = ['discard 0', 'expect-no-more 0', 'request A 0', 'expect 0']
    assert.deepEqual(swarm.storeFailed(0), again)
    assert.deepEqual(without(swarm.comes('A', 0), 'uninterested'), [
      'verify-and-store 0',
      'have 0',
      'completed',
    ])
  })

  it('is told to be coming until it is here: not withdrawn by its arrival', () => {
    for (const wire of ['share', 'bittorrent', 'bitswap'] as const) {
      const { swarm } = asked(wire)
      const lines = wire === 'bitswap' ? swarm.received('A', 0) : swarm.arrived('A', 0)
      assert.deepEqual(only(lines, 'expect-no-more'), [], wire)
    }
  })

  it('is told to be coming, and withdrawn, in turn', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    const lines = [...swarm.drawn('A #'), ...swarm.progressed('A'), ...swarm.until(20_000)]
    lines.push(...swarm.drawn('B #'), ...swarm.progressed('B'), ...swarm.until(90_000))
    const told = only(lines, 'expect')
    assert.equal(told.length, 4, 'both are silent')
    for (const [at, line] of told.entries())
      assert.equal(line, at % 2 === 0 ? 'expect 0' : 'expect-no-more 0')
  })
})

describe('the piece space', () => {
  it('grows in the middle of a download', () => {
    const swarm = scenario({ pieces: 0, final: false, wire: 'bitswap' })
    assert.deepEqual(swarm.joined('A'), [])
    assert.deepEqual(swarm.grown(1), ['request A 0'])
    swarm.received('A', 0)
    swarm.verified(0)
    assert.deepEqual(swarm.stored(0), ['have 0'])
    assert.deepEqual(swarm.grown(2, { found: [2] }), ['have 2', 'request A 1', 'expect 1'])
    assert.deepEqual(swarm.grown(0, { final: true }), [])
    swarm.received('A', 1)
    swarm.verified(1)
    assert.deepEqual(swarm.stored(1), ['have 1', 'completed'])
  })

  it('is complete once, however it came to be', () => {
    const empty = scenario({ pieces: 0, final: false })
    assert.deepEqual(empty.grown(0, { final: true }), ['completed'])
    const found = scenario({ pieces: 0, final: false })
    assert.deepEqual(found.grown(2, { found: [0, 1], final: true }), ['have 0', 'have 1', 'completed'])
    const swarm = scenario({ pieces: 1, have: [0] })
    assert.deepEqual(swarm.grown(0, { final: true }), [])
    assert.deepEqual(swarm.open('R', { pieces: 1, have: [0] }), [], 'open already')
    assert.deepEqual(only(swarm.joined('A'), 'completed'), [])
    assert.deepEqual(only(swarm.until(1_000), 'completed'), [])
  })

  it('is not complete while the walk goes on', () => {
    const swarm = scenario({ pieces: 1, have: [0], final: false })
    assert.deepEqual(swarm.grown(1, { found: [1] }), ['have 1'])
    assert.deepEqual(swarm.grown(0, { final: true }), ['completed'])
  })

  it('says nothing of pieces that were stored before it opened', () => {
    const swarm = scenario({ pieces: 1, have: [0] })
    assert.deepEqual(swarm.open('S', { pieces: 2, have: [0, 1, 1, 7] }), ['S: completed'])
  })

  it('has an end, beyond which nothing is', () => {
    for (const wire of ['share', 'bittorrent', 'bitswap'] as const) {
      const swarm = scenario({ pieces: 1, wire })
      swarm.drawn('A .')
      for (const piece of [1, 9, 2 ** 31, 2 ** 32 - 1, -1]) {
        const lines = [
          ...swarm.has('A', piece),
          ...swarm.lacks('A', piece),
          ...swarm.expects('A', piece),
          ...swarm.expectsNoMore('A', piece),
          ...swarm.suggested('A', piece),
          ...swarm.arrived('A', piece, { begin: 0, length: 16 }),
          ...swarm.rejected('A', piece, { begin: 0, length: 16 }),
          ...swarm.accepted('A', piece),
          ...swarm.urgent(piece),
          ...swarm.verified(piece),
          ...swarm.stored(piece),
        ]
        assert.deepEqual(lines, [], `${piece} by ${wire}`)
      }
    }
  })
})

describe('interest', () => {
  it('is told of a peer that has something that we lack, once', () => {
    for (const wire of ['share', 'bittorrent'] as const) {
      const swarm = scenario({ pieces: 3, have: [0], wire })
      swarm.joined('A')
      assert.deepEqual(swarm.has('A', 0), [])
      assert.deepEqual(swarm.has('A', 1), ['interested A'])
      assert.deepEqual(swarm.has('A', 2), [])
    }
    const asks = scenario({ pieces: 3, wire: 'bitswap' })
    asks.joined('A')
    assert.deepEqual(only(asks.has('A', 1), 'interested'), [], 'Bitswap knows no such thing')
  })

  it('ends where a peer has nothing more for us', () => {
    const swarm = scenario({ pieces: 2, wire: 'bittorrent' })
    swarm.drawn('A #.')
    assert.deepEqual(only(swarm.comes('A', 0), 'uninterested'), ['uninterested A'])
  })

  it('ends where a peer turns out to lack what it had', () => {
    const swarm = scenario({ pieces: 2, wire: 'bittorrent' })
    swarm.drawn('A #.')
    assert.deepEqual(only(swarm.lacks('A', 0), 'uninterested'), ['uninterested A'])
  })

  it('ends with the download, for every peer', () => {
    for (const wire of ['share', 'bittorrent'] as const) {
      const swarm = scenario({ pieces: 2, wire })
      swarm.drawn('A #.\nB .#')
      const lines: string[] = []
      for (const [piece, peer] of ['A', 'B'].entries()) {
        if (wire === 'share') swarm.offered(peer, piece)
        lines.push(...swarm.comes(peer, piece))
      }
      assert.deepEqual(only(lines, 'uninterested').toSorted(), ['uninterested A', 'uninterested B'], wire)
    }
  })
})

describe('a peer that leaves', () => {
  it('leaves its pieces to others', () => {
    const swarm = scenario({ pieces: 2, wire: 'bitswap' })
    assert.deepEqual(sorted(requestedOf(swarm.joined('A'), 'A')), [0, 1])
    swarm.joined('B')
    assert.deepEqual(sorted(requestedOf(swarm.left('A'), 'B')), [0, 1])
  })

  it('and its piece is being verified: the piece is stored all the same', () => {
    const { swarm } = asked('bitswap')
    swarm.received('A', 0)
    assert.deepEqual(swarm.left('A'), [])
    assert.deepEqual(swarm.verified(0), [])
    assert.deepEqual(swarm.stored(0), ['have 0', 'completed'])
  })

  it('may come back', () => {
    const { swarm } = asked('bitswap')
    swarm.left('A')
    assert.deepEqual(swarm.joined('A'), ['request A 0'])
    assert.deepEqual(swarm.joined('A'), [], 'joining twice changes nothing')
  })

  it('may come back by another wire', () => {
    const { swarm } = asked('bitswap')
    swarm.left('A')
    assert.deepEqual(swarm.joined('A', 'share'), [])
    assert.equal(swarm.scheduler.peers(rootKey('R'))[0]?.wire, 'share')
  })
})

describe('late events', () => {
  /** Whatever a driver may still have to say of A. */
  const late = (swarm: Scenario): string[] => [
    ...swarm.has('A', 0),
    ...swarm.lacks('A', 1),
    ...swarm.expects('A', 0),
    ...swarm.expectsNoMore('A', 0),
    ...swarm.unchoked('A'),
    ...swarm.choked('A'),
    ...swarm.interested('A'),
    ...swarm.uninterested('A'),
    ...swarm.offered('A', 0),
    ...swarm.offered('A', 0, { eager: true }),
    ...swarm.idle('A'),
    ...swarm.suggested('A', 0),
    ...swarm.arrived('A', 0),
    ...swarm.received('A', 0),
    ...swarm.progressed('A'),
    ...swarm.rejected('A', 0),
    ...swarm.requested('A', 0),
    ...swarm.requested('A', 0, { offered: true }),
    ...swarm.accepted('A', 0),
    ...swarm.shortened('A', 0),
    ...swarm.declined('A', 0),
    ...swarm.declined('A'),
    ...swarm.busy('A', 0, 100),
    ...swarm.busy('A', undefined, 100),
    ...swarm.sent('A', 0),
    ...swarm.delivered('A', 0),
    ...swarm.sendFailed('A', 0),
    ...swarm.left('A'),
  ]

  it('of a peer that left do nothing', () => {
    for (const wire of ['share', 'bittorrent', 'bitswap'] as const) {
      const swarm = scenario({ pieces: 2, have: [1], wire })
      swarm.drawn('A #.')
      swarm.left('A')
      assert.deepEqual(late(swarm), [], wire)
      assert.deepEqual(swarm.misbehaved('A'), [], 'for what it did here, it is not here to be blamed')
      swarm.until(60_000)
      assert.equal(swarm.nextTimeout, undefined, wire)
    }
  })

  it('of a swarm that was closed do nothing, and it can be opened again', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.joined('A')
    assert.deepEqual(swarm.closed(), [])
    assert.deepEqual(
      [
        ...late(swarm),
        ...swarm.verified(0),
        ...swarm.refuted(0),
        ...swarm.stored(0),
        ...swarm.storeFailed(0),
        ...swarm.misbehaved('A'),
        ...swarm.joined('B'),
        ...swarm.grown(3),
        ...swarm.urgent(0),
        ...swarm.limited(1, 'R'),
        ...swarm.closed(),
      ],
      [],
    )
    swarm.until(60_000)
    assert.equal(swarm.nextTimeout, undefined)
    swarm.open('R', { pieces: 1 })
    assert.deepEqual(swarm.joined('A'), ['request A 0'])
  })

  it('of a piece that is stored already do nothing', () => {
    const swarm = scenario({ pieces: 2, wire: 'bittorrent', size: 4 * MIB })
    swarm.drawn('A ##')
    for (const one of [0, 1]) swarm.comes('A', one)
    assert.deepEqual(only([...swarm.arrived('A', 0), ...swarm.arrived('A', 1)], 'verify'), [])
  })
})
