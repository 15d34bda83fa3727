import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { millis } from '../../src/core/types.ts'
import { Capacity } from '../../src/swarm/capacity.ts'
import { Limiter } from '../../src/swarm/limiter.ts'
import { Progress } from '../../src/swarm/progress.ts'
import { RateMeter } from '../../src/swarm/rate.ts'
import { type Bytes, gaps, joined } from '../../src/swarm/spans.ts'

/** `'2-4 6-9'` */
const spans = (text: string): Bytes[] =>
  text.split(' ').flatMap((span) => {
    const [begin, end] = span.split('-').map(Number)
    return begin === undefined || end === undefined ? [] : [{ begin, end }]
  })

const text = (set: readonly Bytes[]): string => set.map(({ begin, end }) => `${begin}-${end}`).join(' ')

describe('spans', () => {
  it('are joined where they overlap or touch, and stay in order', () => {
    const cases: [before: string, added: string, after: string][] = [
      ['', '2-4', '2-4'],
      ['2-4', '6-8', '2-4 6-8'],
      ['6-8', '2-4', '2-4 6-8'],
      ['2-4', '4-6', '2-6'],
      ['4-6', '2-4', '2-6'],
      ['2-4 6-8', '4-6', '2-8'],
      ['2-4 6-8', '3-7', '2-8'],
      ['2-4 6-8', '0-9', '0-9'],
      ['2-8', '4-5', '2-8'],
      ['0-1 3-4 6-7', '2-3', '0-1 2-4 6-7'],
      ['0-1 3-4 6-7', '1-6', '0-7'],
    ]
    for (const [before, added, after] of cases) {
      const [span] = spans(added)
      assert.ok(span)
      assert.equal(text(joined(spans(before), span)), after, `${before} and ${added}`)
    }
  })

  it('leave gaps', () => {
    const cases: [set: string, size: number, left: string][] = [
      ['', 10, '0-10'],
      ['', 0, ''],
      ['0-10', 10, ''],
      ['0-4', 10, '4-10'],
      ['4-10', 10, '0-4'],
      ['2-4 6-8', 10, '0-2 4-6 8-10'],
      ['0-2 8-10', 10, '2-8'],
    ]
    for (const [set, size, left] of cases) assert.equal(text(gaps(spans(set), size)), left, set)
  })
})

describe('the progress of a transfer', () => {
  /** Bytes at times, and what is known then. */
  const progress = (arrivals: readonly [at: number, bytes: number][]): Progress => {
    const transfer = new Progress(millis(0))
    for (const [at, bytes] of arrivals) transfer.add(bytes, millis(at))
    return transfer
  }

  it('has a rate between its first part and its last, which does not count the first', () => {
    const cases: [arrivals: [number, number][], rate: number | undefined][] = [
      [[], undefined],
      [[[1_000, 5_000]], undefined],
      [
        [
          [1_000, 5_000],
          [1_000, 5_000],
        ],
        undefined,
      ],
      [
        [
          [1_000, 5_000],
          [2_000, 3_000],
        ],
        3_000,
      ],
      [
        [
          [1_000, 5_000],
          [1_500, 1_000],
          [3_000, 3_000],
        ],
        2_000,
      ],
    ]
    for (const [arrivals, rate] of cases) assert.equal(progress(arrivals).rate, rate, String(arrivals))
  })

  it('goes on between two parts as before', () => {
    const none = progress([])
    assert.ok(!none.started)
    assert.equal(none.expected(millis(5_000)), 0)
    const once = progress([[1_000, 5_000]])
    assert.ok(once.started)
    assert.equal(once.expected(millis(5_000)), 5_000)
    const twice = progress([
      [1_000, 5_000],
      [2_000, 3_000],
    ])
    assert.equal(twice.expected(millis(2_000)), 8_000)
    assert.equal(twice.expected(millis(2_500)), 9_500)
  })
})

describe('what a link can carry', () => {
  /** Transfers, and what is known at the end. */
  const capacity = (transfers: readonly { from: number; to: number; bytes: number }[]): Capacity => {
    const link = new Capacity()
    for (const { from, to, bytes } of transfers) {
      const mark = link.mark(millis(from))
      link.moved(bytes)
      link.sample(mark, millis(to))
    }
    return link
  }

  it('is guessed before anything moved', () => {
    assert.ok(new Capacity().rate(millis(0)) > 0)
  })

  it('is what moved in a transfer over its time', () => {
    assert.equal(capacity([{ from: 0, to: 2_000, bytes: 500_000 }]).rate(millis(2_000)), 250_000)
  })

  it('counts what moved by others at the same time', () => {
    const link = new Capacity()
    const first = link.mark(millis(0))
    link.moved(100_000)
    const second = link.mark(millis(500))
    link.moved(300_000)
    link.sample(first, millis(1_000))
    assert.equal(link.rate(millis(1_000)), 400_000)
    link.moved(200_000)
    link.sample(second, millis(1_500))
    assert.equal(link.rate(millis(1_500)), 500_000)
  })

  it('is the best of the last ten seconds', () => {
    const link = capacity([
      { from: 0, to: 1_000, bytes: 900_000 },
      { from: 1_000, to: 2_000, bytes: 100_000 },
      { from: 8_000, to: 9_000, bytes: 200_000 },
    ])
    assert.equal(link.rate(millis(9_000)), 900_000)
    assert.equal(link.rate(millis(10_900)), 900_000)
    assert.equal(link.rate(millis(11_100)), 200_000)
    assert.equal(link.rate(millis(3_600_000)), 200_000, 'an idle link is still the same link')
  })

  it('does not trust a moment', () => {
    const link = capacity([{ from: 0, to: 1, bytes: 1_000_000 }])
    assert.equal(link.rate(millis(1)), new Capacity().rate(millis(0)))
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
  const twoInTwoSeconds: [number, number][] = [
    [0, 1_000],
    [1_000, 1_000],
  ]

  it('divides by the time since the first byte, half a second at least, five seconds at most', () => {
    const cases: [name: string, rate: number, expected: number][] = [
      ['nothing', rate([], 1_000), 0],
      ['at once', rate([[100, 1_000]], 100), 2_000],
      ['a second later', rate([[100, 1_000]], 1_100), 1_000],
      ['two in two seconds', rate(twoInTwoSeconds, 2_000), 1_000],
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
  const FRAME = 16 * 1024

  it('without a limit never waits', () => {
    const limiter = new Limiter()
    limiter.charge(1e12, millis(0))
    assert.ok(limiter.unlimited)
    assert.equal(limiter.waits(millis(0)), 0)
    assert.equal(limiter.step(1), Number.POSITIVE_INFINITY)
  })

  it('lets the first through and has the next wait its debt out', () => {
    const limiter = new Limiter()
    limiter.setRate(FRAME, millis(0))
    assert.ok(limiter.ready(millis(0)))
    limiter.charge(3 * FRAME, millis(0))
    assert.equal(limiter.waits(millis(0)), 3_000)
    assert.equal(limiter.waits(millis(2_500)), 500)
    assert.ok(!limiter.ready(millis(2_990)))
    assert.ok(limiter.ready(millis(3_000)))
  })

  it('saves up a part of a second, and no more', () => {
    const limiter = new Limiter()
    const rate = 64 * FRAME
    limiter.setRate(rate, millis(0))
    limiter.charge(rate, millis(3_600_000))
    const saved = 1_000 - limiter.waits(millis(3_600_000))
    assert.ok(saved > 0 && saved < 500, `${saved} ms`)
  })

  it('keeps to its rate over time', () => {
    for (const rate of [100_000, 1_000_000, 10_000_000]) {
      const limiter = new Limiter()
      limiter.setRate(rate, millis(0))
      let granted = 0
      for (let now = 0; now < 10_000; now += 7) {
        while (limiter.ready(millis(now))) {
          limiter.charge(FRAME, millis(now))
          granted += FRAME
        }
      }
      assert.ok(Math.abs(granted - 10 * rate) < 0.5 * rate, `${granted} bytes in ten seconds at ${rate}`)
    }
  })

  it('lets a step through at a time: a whole number of frames, more of them where it is fast', () => {
    const steps = [1, 10_000, 1_000_000, 10_000_000].map((rate) => {
      const limiter = new Limiter()
      limiter.setRate(rate, millis(0))
      return limiter.step(1)
    })
    for (const step of steps) assert.equal(step % FRAME, 0)
    assert.equal(steps[0], FRAME)
    assert.ok((steps.at(-1) ?? 0) > FRAME)
    assert.deepEqual(
      steps,
      steps.toSorted((a, b) => a - b),
    )
  })

  it('changes its rate in the middle: the debt stays, the pace changes', () => {
    const limiter = new Limiter()
    limiter.setRate(FRAME, millis(0))
    limiter.charge(4 * FRAME, millis(0))
    limiter.setRate(2 * FRAME, millis(1_000))
    assert.equal(limiter.waits(millis(1_000)), 1_500)
    limiter.setRate(0, millis(1_000))
    assert.equal(limiter.waits(millis(1_000)), 0)
  })
})
