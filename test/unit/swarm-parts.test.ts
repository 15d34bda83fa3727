import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { millis } from '../../src/core/types.ts'
import { Limiter } from '../../src/swarm/limiter.ts'
import { PiecePicker } from '../../src/swarm/piece-picker.ts'
import { RateMeter } from '../../src/swarm/rate.ts'

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
function picture(digits: string, seed = 1): PiecePicker {
  const picker = new PiecePicker(createPrng(seed))
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
    assert.deepEqual(
      drain(picture('01234'), (piece) => piece % 2 === 1),
      [1, 3],
    )
  })

  it('follows what peers gain and lose, for removed pieces too', () => {
    const picker = picture('012')
    picker.count(0, 1)
    picker.count(0, 1)
    picker.count(0, 1)
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

  it('counts a piece once', () => {
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
    const seen = new Map<string, number>()
    for (let seed = 0; seed < 600; seed++) {
      const order = drain(picture('000', seed)).join('')
      seen.set(order, (seen.get(order) ?? 0) + 1)
    }
    assert.equal(seen.size, 6)
    for (const [order, times] of seen) assert.ok(times > 60 && times < 150, `${order}: ${times} of 600`)
  })
})

describe('the rate meter', () => {
  /** Bytes at times, and the rate at the end. */
  const rate = (arrivals: readonly [at: number, bytes: number][], now: number): number => {
    const meter = new RateMeter()
    for (const [at, bytes] of arrivals) meter.add(bytes, millis(at))
    return meter.rate(millis(now))
  }
  const steadily = (until: number, every: number, bytes: number): [number, number][] =>
    Array.from({ length: until / every + 1 }, (_, at) => [at * every, bytes])

  it('divides by the time since the first byte, half a second at least, five seconds at most', () => {
    const cases: [name: string, rate: number, expected: number][] = [
      ['nothing', rate([], 1_000), 0],
      ['at once', rate([[100, 1_000]], 100), 2_000],
      ['a second later', rate([[100, 1_000]], 1_100), 1_000],
      [
        'two in two seconds',
        rate(
          [
            [0, 1_000],
            [1_000, 1_000],
          ],
          2_000,
        ),
        1_000,
      ],
      ['a window later', rate([[0, 1_000]], 5_000), 0],
      ['long after', rate([[0, 1_000]], 3_600_000), 0],
    ]
    for (const [name, actual, expected] of cases) assert.equal(actual, expected, name)
  })

  it('measures a steady flow right at any moment', () => {
    for (const now of [1_000, 5_000, 7_300, 20_000, 20_499]) {
      const measured = rate(steadily(now, 10, 100), now)
      assert.ok(Math.abs(measured - 10_000) < 600, `${measured} at ${now}`)
    }
  })

  it('forgets a burst after the window, and keeps the total', () => {
    const meter = new RateMeter()
    meter.add(50_000, millis(0))
    meter.add(10, millis(6_000))
    assert.ok(meter.rate(millis(6_000)) < 10)
    assert.equal(meter.total, 50_010)
  })
})

describe('the limiter', () => {
  const QUANTUM = 16 * 1024

  it('without a limit never waits', () => {
    const limiter = new Limiter()
    limiter.charge(1e12, millis(0))
    assert.ok(limiter.unlimited)
    assert.equal(limiter.waits(millis(0)), 0)
  })

  it('lets the first through and has the next wait its debt out', () => {
    const limiter = new Limiter()
    limiter.setRate(QUANTUM, millis(0))
    assert.ok(limiter.ready(millis(0)))
    limiter.charge(3 * QUANTUM, millis(0))
    assert.equal(limiter.waits(millis(0)), 3_000)
    assert.equal(limiter.waits(millis(2_500)), 500)
    assert.ok(!limiter.ready(millis(2_999)))
    assert.ok(limiter.ready(millis(3_000)))
  })

  it('rounds what is charged up to whole quanta', () => {
    const limiter = new Limiter()
    limiter.setRate(QUANTUM, millis(0))
    limiter.charge(1, millis(0))
    assert.equal(limiter.waits(millis(0)), 1_000)
    limiter.charge(QUANTUM + 1, millis(0))
    assert.equal(limiter.waits(millis(0)), 3_000)
  })

  it('saves up a quarter of a second, and no more', () => {
    const limiter = new Limiter()
    const rate = 64 * QUANTUM
    limiter.setRate(rate, millis(0))
    limiter.charge(16 * QUANTUM, millis(3_600_000))
    assert.ok(limiter.ready(millis(3_600_000)), 'that was saved')
    limiter.charge(16 * QUANTUM, millis(3_600_000))
    assert.equal(limiter.waits(millis(3_600_000)), 250)
  })

  it('keeps to its rate over time', () => {
    const limiter = new Limiter()
    limiter.setRate(1_000_000, millis(0))
    let granted = 0
    for (let now = 0; now < 10_000; now += 7) {
      while (limiter.ready(millis(now))) {
        limiter.charge(QUANTUM, millis(now))
        granted += QUANTUM
      }
    }
    assert.ok(Math.abs(granted - 10_000_000) < 20_000, `${granted} bytes in ten seconds`)
  })

  it('changes its rate in the middle: the debt stays, the pace changes', () => {
    const limiter = new Limiter()
    limiter.setRate(QUANTUM, millis(0))
    limiter.charge(4 * QUANTUM, millis(0))
    limiter.setRate(2 * QUANTUM, millis(1_000))
    assert.equal(limiter.waits(millis(1_000)), 1_500)
    limiter.setRate(0, millis(1_000))
    assert.equal(limiter.waits(millis(1_000)), 0)
  })
})
