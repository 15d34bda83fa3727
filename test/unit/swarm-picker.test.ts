import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { PiecePicker } from '../../src/swarm/piece-picker.ts'

/** All pieces in the order in which they would be picked. */
function drain(picker: PiecePicker, accepts: (piece: number) => boolean = () => true): number[] {
  const order: number[] = []
  for (let piece = picker.pick(accepts); piece !== undefined; piece = picker.pick(accepts)) {
    picker.remove(piece)
    order.push(piece)
  }
  return order
}

/** A picker of as many pieces as there are digits, each held by so many peers: `picture('0312')`. */
function picture(digits: string, { seed = 1, rarest = true } = {}): PiecePicker {
  const picker = new PiecePicker(createPrng(seed), rarest)
  picker.grow(digits.length)
  for (const [piece, digit] of [...digits].entries()) {
    picker.add(piece)
    for (let peers = Number(digit); peers > 0; peers--) picker.count(piece, 1)
  }
  return picker
}

describe('the piece picker', () => {
  it('picks by how few have a piece', () => {
    const cases: [availability: string, order: number[]][] = [
      ['', []],
      ['5', [0]],
      ['3210', [3, 2, 1, 0]],
      ['0123', [0, 1, 2, 3]],
      ['2031', [1, 3, 0, 2]],
      ['90', [1, 0]],
    ]
    for (const [availability, order] of cases) assert.deepEqual(drain(picture(availability)), order)
  })

  it('takes only what is accepted', () => {
    const odd = (piece: number): boolean => piece % 2 === 1
    assert.deepEqual(drain(picture('01234'), odd), [1, 3])
    assert.deepEqual(drain(picture('43210'), odd), [3, 1])
    assert.equal(
      picture('012').pick(() => false),
      undefined,
    )
  })

  it('passes over what nobody is known to have, without looking at it', () => {
    const looked: number[] = []
    const none = (piece: number): boolean => {
      looked.push(piece)
      return false
    }
    picture('00201').pick(none, true)
    assert.deepEqual(looked, [4, 2])
    looked.length = 0
    picture('00201', { rarest: false }).pick(none, true)
    assert.deepEqual(looked.toSorted(), [0, 1, 2, 3, 4], 'where all are alike, it is not known')
  })

  it('follows what peers gain and lose, for removed pieces too', () => {
    const picker = picture('012')
    for (let times = 3; times > 0; times--) picker.count(0, 1)
    picker.remove(2)
    picker.count(2, -1)
    picker.count(2, -1)
    assert.deepEqual(
      [0, 1, 2].map((piece) => picker.availability(piece)),
      [3, 1, 0],
    )
    assert.deepEqual(drain(picker), [1, 0])
    picker.add(2)
    assert.deepEqual(drain(picker), [2])
  })

  it('knows a piece once', () => {
    const picker = picture('00')
    picker.add(0)
    picker.remove(1)
    picker.remove(1)
    assert.equal(picker.size, 1)
    assert.ok(picker.includes(0))
    assert.ok(!picker.includes(1))
    assert.ok(!picker.includes(2))
  })

  it('breaks ties by chance, each order about as often', () => {
    const cases: [availability: string, rarest: boolean][] = [
      ['000', true],
      ['222', true],
      ['012', false],
    ]
    for (const [availability, rarest] of cases) {
      const seen = new Map<string, number>()
      for (let seed = 0; seed < 600; seed++) {
        const order = drain(picture(availability, { seed, rarest })).join('')
        seen.set(order, (seen.get(order) ?? 0) + 1)
      }
      assert.equal(seen.size, 6)
      for (const [order, times] of seen) assert.ok(times > 60 && times < 150, `${order}: ${times} of 600`)
    }
  })
})
