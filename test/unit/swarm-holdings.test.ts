import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { EXPECTS, HAS, Holdings, OFFERED } from '../../src/swarm/holdings.ts'

const MARKS = { h: HAS, e: EXPECTS, o: OFFERED } as const

/** A line a peer, a mark a piece: `h`as, `e`xpects, is `o`ffered. Pieces with a `#` in the first line are here. */
function picture(here: string, ...peers: string[]): Holdings {
  const holdings = new Holdings()
  holdings.grow(here.length)
  for (const [slot, marks] of peers.entries()) {
    assert.equal(holdings.join(), slot)
    for (const [piece, mark] of [...marks].entries())
      if (mark in MARKS) holdings.add(MARKS[mark as keyof typeof MARKS], slot, piece)
  }
  for (const [piece, mark] of [...here].entries()) if (mark === '#') holdings.own(piece)
  return holdings
}

const any = (_piece: number): boolean => true

/** What may be picked for a peer, by many draws. */
const picks = (holdings: Holdings, slot: number, { rarest = true, accepts = any } = {}): number[] => {
  const prng = createPrng(1)
  const seen = new Set<number>()
  for (let draw = 0; draw < 200; draw++) {
    const piece = holdings.pick(slot, rarest, prng, accepts)
    if (piece !== undefined) seen.add(piece)
  }
  return [...seen].sort()
}

describe('what peers hold', () => {
  it('is counted by peer', () => {
    const holdings = picture(
      '###..', //
      'h.eo.',
      '.....',
      'hhhhh',
    )
    const figures = [0, 1, 2].map((slot) => ({
      takes: holdings.takes(slot),
      lacks: holdings.lacks(slot),
      held: holdings.held(slot),
      useful: holdings.useful(slot),
    }))
    assert.deepEqual(figures, [
      { takes: 1, lacks: 2, held: 2, useful: 0 },
      { takes: 3, lacks: 3, held: 0, useful: 0 },
      { takes: 0, lacks: 0, held: 5, useful: 2 },
    ])
  })

  it('is offered by how few have, expect or are offered it', () => {
    const holdings = picture(
      '####.', //
      '.....',
      'h.e..',
      'hh...',
      'h..oh',
    )
    assert.deepEqual(picks(holdings, 0), [1, 2, 3], 'any of those that one holds')
    assert.deepEqual(picks(holdings, 0, { accepts: (piece) => piece === 0 }), [0])
    assert.deepEqual(picks(holdings, 0, { rarest: false }), [0, 1, 2, 3])
    assert.deepEqual(picks(holdings, 1), [1, 3])
    assert.deepEqual(picks(picture('##..', 'he..'), 0), [])
  })

  it('a piece that a peer gets is no longer expected or offered', () => {
    const holdings = picture('##', 'eo')
    assert.ok(holdings.gain(0, 0))
    assert.ok(holdings.gain(0, 1))
    assert.ok(!holdings.gain(0, 1))
    assert.deepEqual(
      ([EXPECTS, OFFERED, HAS] as const).map((holding) => holdings.count(holding, 0)),
      [0, 0, 2],
    )
    assert.deepEqual([holdings.takes(0), holdings.lacks(0)], [0, 0])
  })

  it('is found however far away it is', () => {
    const holdings = picture('.'.repeat(40_000), '.')
    holdings.own(39_999)
    assert.deepEqual(picks(holdings, 0), [39_999])
  })

  it('knows no pieces beyond its own', () => {
    const holdings = picture('#', '.')
    for (const piece of [-1, 1, 2 ** 31, 2 ** 40]) {
      assert.ok(!holdings.add(HAS, 0, piece))
      assert.ok(!holdings.has(HAS, 0, piece))
    }
    assert.equal(holdings.held(0), 0)
  })

  it('of those who left nothing stays, and their slots are used again', () => {
    const holdings = picture('##', 'he', 'hh')
    holdings.leave(0)
    assert.equal(holdings.join(), 0)
    assert.deepEqual([holdings.takes(0), holdings.held(0), holdings.held(1)], [2, 0, 2])
    assert.deepEqual(picks(holdings, 0), [0, 1])
  })
})
