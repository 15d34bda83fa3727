import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'

const numbers = (seed: number, bound: number, count: number): number[] => {
  const prng = createPrng(seed)
  return Array.from({ length: count }, () => prng.below(bound))
}

describe('the seeded generator', () => {
  it('repeats itself for a seed, and differs between seeds', () => {
    assert.deepEqual(numbers(1, 1_000, 20), numbers(1, 1_000, 20))
    const firsts = new Set(Array.from({ length: 1_000 }, (_, seed) => numbers(seed, 2 ** 32, 1)[0]))
    assert.ok(firsts.size > 990, `${firsts.size} of 1000`)
  })

  it('gives these numbers for ever: recorded runs depend on them', () => {
    // computed by another program from the algorithm's description
    assert.deepEqual(numbers(1, 100, 12), [9, 50, 88, 48, 43, 50, 74, 66, 13, 79, 93, 44])
  })

  it('works with any seed', () => {
    for (const seed of [0, -1, 2 ** 32, 2 ** 53, 0.5]) assert.ok(new Set(numbers(seed, 2 ** 30, 10)).size > 8)
  })

  it('stays below its bound and reaches everything', () => {
    const drawn = numbers(7, 6, 600)
    assert.deepEqual(new Set(drawn), new Set([0, 1, 2, 3, 4, 5]))
    for (const face of [0, 1, 2, 3, 4, 5]) {
      const times = drawn.filter((number) => number === face).length
      assert.ok(times > 60 && times < 140, `${face} came ${times} times of 600`)
    }
    assert.deepEqual(new Set(numbers(7, 1, 50)), new Set([0]))
  })

  it('gives units in [0, 1), spread evenly', () => {
    const prng = createPrng(3)
    const drawn = Array.from({ length: 4_000 }, () => prng.unit())
    assert.ok(drawn.every((unit) => unit >= 0 && unit < 1))
    const mean = drawn.reduce((sum, unit) => sum + unit) / drawn.length
    assert.ok(Math.abs(mean - 0.5) < 0.02, `${mean}`)
  })
})
