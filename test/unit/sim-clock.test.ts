import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { Clock } from '../../src/sim/clock.ts'

function drain(clock: Clock): void {
  while (clock.step());
}

describe('the virtual clock', () => {
  it('fires in the order of time, and of setting where times are equal', () => {
    const clock = new Clock()
    const fired: string[] = []
    for (const [name, at] of [
      ['c', 20],
      ['a', 10],
      ['d', 20],
      ['b', 10],
    ] as const)
      clock.at(at, () => fired.push(`${name}${clock.now}`))
    drain(clock)
    assert.deepEqual(fired, ['a10', 'b10', 'c20', 'd20'])
  })

  it('fires what is set while it fires, at the same moment after all others', () => {
    const clock = new Clock()
    const fired: string[] = []
    clock.at(5, () => {
      fired.push('first')
      clock.after(0, () => fired.push('third'))
      clock.at(1, () => fired.push('fourth, for the past is now'))
    })
    clock.at(5, () => fired.push('second'))
    drain(clock)
    assert.deepEqual(fired, ['first', 'second', 'third', 'fourth, for the past is now'])
    assert.equal(clock.now, 5)
  })

  it('moves a timer both ways, and a moved one comes after others of its new moment', () => {
    const clock = new Clock()
    const fired: string[] = []
    const early = clock.at(1, () => fired.push('early'))
    const late = clock.at(9, () => fired.push('late'))
    clock.at(5, () => fired.push('middle'))
    clock.move(early, 5)
    clock.move(late, 2)
    drain(clock)
    assert.deepEqual(fired, ['late', 'middle', 'early'])
  })

  it('fires a cancelled timer only when it is set again', () => {
    const clock = new Clock()
    let fired = 0
    const timer = clock.at(1, () => fired++)
    clock.cancel(timer)
    clock.cancel(timer)
    drain(clock)
    assert.equal(fired, 0)
    clock.move(timer, 3)
    drain(clock)
    assert.equal(fired, 1)
  })

  it('keeps order through many random moves and cancellations', () => {
    const prng = createPrng(7)
    const clock = new Clock()
    const fired: number[] = []
    const timers = Array.from({ length: 500 }, () => clock.at(prng.below(100), () => fired.push(clock.now)))
    for (let turn = 0; turn < 2000; turn++) {
      const timer = timers[prng.below(timers.length)]
      if (timer === undefined) continue
      if (prng.below(3) === 0) clock.cancel(timer)
      else clock.move(timer, prng.below(100))
    }
    const due = timers.filter(({ position }) => position >= 0).map(({ at }) => at)
    drain(clock)
    assert.deepEqual(
      fired,
      due.sort((a, b) => a - b),
    )
  })
})
