import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { ABLATIONS } from '../../src/sim/ablations.ts'
import { type BoundLeecher, fluidBound } from '../../src/sim/bound.ts'
import { curvesOf } from '../../src/sim/curves.ts'
import { arrivalTimes } from '../../src/sim/draws.ts'
import { FairShare } from '../../src/sim/fair-share.ts'
import { Neighbourhood } from '../../src/sim/neighbourhood.ts'
import { svgOf } from '../../src/sim/picture.ts'
import { jain, median } from '../../src/sim/report.ts'
import { SCENARIOS } from '../../src/sim/scenarios.ts'
import { placed, tableText } from '../../src/sim/table.ts'
import { POLICY } from '../../src/swarm/policy.ts'

const leecher = (up: number, down: number, more: Partial<BoundLeecher> = {}): BoundLeecher => ({
  up,
  down,
  downloads: true,
  uploads: true,
  joinsAt: 0,
  ...more,
})

describe('the fluid bound', () => {
  it('is set by the seeder, by the slowest downlink or by all uplinks together', () => {
    const fast = leecher(100, 400)
    // 1000 bytes: the seeder needs 10 s; two copies over 300 need 6.7 s
    assert.equal(fluidBound(1000, 100, [fast, fast]), 10_000)
    // a downlink of 50 needs 20 s
    assert.equal(fluidBound(1000, 100, [fast, leecher(100, 50)]), 20_000)
    // two copies over 100 + 20
    assert.equal(fluidBound(1000, 100, [leecher(10, 400), leecher(10, 400)]), (2000 / 120) * 1000)
  })

  it('is 10.74 s for 8 leechers with 128 MiB at 100 Mbit/s, and 15.91 s with 4 of them at 10', () => {
    const size = 128 << 20
    const [fast, slow] = [leecher(12.5e6, 50e6), leecher(1.25e6, 50e6)]
    assert.equal(Math.round(fluidBound(size, 12.5e6, Array(8).fill(fast))), 10_737)
    const mixed = [fast, slow, fast, slow, fast, slow, fast, slow]
    assert.equal(Math.round(fluidBound(size, 12.5e6, mixed)), 15_907)
  })

  it('counts no uplink before its peer is there, nor that of one who sends nothing', () => {
    // 1000 each over 100 + 100, of which 10 s of one are missing: 15 s
    assert.equal(fluidBound(1000, 100, [leecher(0, 1e6), leecher(100, 1e6, { joinsAt: 10_000 })]), 15_000)
    assert.equal(fluidBound(1000, 100, [leecher(0, 1e6), leecher(100, 1e6, { uploads: false })]), 20_000)
    assert.equal(fluidBound(1000, 100, [leecher(0, 1e6), leecher(0, 1e6, { downloads: false })]), 10_000)
  })
})

describe('figures', () => {
  it("Jain's index is 1 for equals and 1/n when one gives all", () => {
    assert.equal(jain([5, 5, 5]), 1)
    assert.equal(jain([9, 0, 0, 0]), 0.25)
    assert.equal(jain([0, 0]), 1)
  })

  it('a median is the middle one, or the mean of the two', () => {
    assert.equal(median([9, 1, 5]), 5)
    assert.equal(median([4, 1, 9, 2]), 3)
  })

  it('an equal share follows those who come and go', () => {
    const share = new FairShare()
    share.change(0, 100, 0)
    share.change(1000, 100, 2)
    assert.equal(share.read(1000), 0)
    // 200 for two, for a second
    assert.equal(share.read(2000), 100)
    share.change(2000, -100, -1)
    // then 100 for one, for two seconds
    assert.equal(share.read(4000), 300)
  })

  it('curves tell the middle, the tenths and who is complete', () => {
    const storedAt = [[10, 20], [20, 40], [], [10, 30]]
    const curves = curvesOf(storedAt, 2, 40, 4)
    assert.deepEqual(curves, {
      times: [0, 10, 20, 30, 40],
      median: [0, 0.5, 0.5, 1, 1],
      slow: [0, 0, 0, 0, 0],
      fast: [0, 0.5, 1, 1, 1],
      complete: [0, 0, 0.25, 0.5, 0.75],
    })
  })

  it('a picture has a point for each sample of each line, and a title that is text', () => {
    const curves = curvesOf([[10, 20]], 2, 20, 2)
    const svg = svgOf({ title: '<8 & more>', subtitle: 'seed 1', curves, bound: 15 })
    assert.match(svg, /&lt;8 &amp; more&gt;/)
    const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map(([, points = '']) => points.split(' '))
    assert.deepEqual(lines, [
      ['60.0,350.0', '380.0,205.0', '700.0,60.0'],
      ['60.0,350.0', '380.0,350.0', '700.0,60.0'],
    ])
    assert.doesNotMatch(svg, /NaN|undefined/)
  })
})

describe('tables', () => {
  const table = { head: ['what', 'D / T'], rows: [['8x128', '0.950']] }
  const text = ['| what  | D / T |', '| ----- | ----: |', '| 8x128 | 0.950 |'].join('\n')

  it('line up', () => {
    assert.equal(tableText(table), text)
  })

  it('take their place in a document, and leave the rest of it', () => {
    const block = (inside: string): string => `<!-- sim:x -->\n\n${inside}\n\n<!-- /sim:x -->`
    assert.equal(placed('', 'x', 'new'), `${block('new')}\n`)
    assert.equal(placed('# Title\n', 'x', 'new'), `# Title\n\n${block('new')}\n`)
    const document = `before ${block('old')} between ${block('old').replaceAll('sim:x', 'sim:y')} after`
    assert.equal(placed(document, 'x', 'new'), document.replace('old', 'new'))
    assert.equal(placed('a <!-- sim:x --><!-- /sim:x --> b', 'x', 'new'), `a ${block('new')} b`)
  })
})

describe('ablations', () => {
  it('name scenarios that there are, and change something', () => {
    for (const [policy, { variants, scenarios }] of Object.entries(ABLATIONS)) {
      for (const name of scenarios) assert.ok(name in SCENARIOS, `${policy}: ${name}`)
      for (const change of Object.values(variants)) {
        assert.deepEqual(Object.keys(change), [policy])
        assert.notDeepEqual({ ...POLICY, ...change }, POLICY)
      }
    }
  })
})

describe('draws', () => {
  it('peers come together, one after the other, or at random about so far apart', () => {
    const prng = createPrng(5)
    assert.deepEqual(arrivalTimes({ type: 'together' }, 3, prng), [0, 0, 0])
    assert.deepEqual(arrivalTimes({ type: 'every', ms: 10 }, 3, prng), [0, 10, 20])
    const times = arrivalTimes({ type: 'poisson', ms: 100 }, 2000, prng)
    const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0))
    assert.ok(gaps.every((gap) => gap >= 0))
    const mean = (times.at(-1) ?? 0) / gaps.length
    assert.ok(Math.abs(mean - 100) < 10, `${mean}`)
    // of an exponential distribution, the part 1/e is longer than the mean
    assert.ok(Math.abs(gaps.filter((gap) => gap > 100).length / gaps.length - 1 / Math.E) < 0.05)
  })

  it('a peer meets so many others that all have about the wished-for number', () => {
    const met = new Map(Array.from({ length: 200 }, (_, peer) => [peer, new Set<number>()]))
    const of = (peer: number): Set<number> => met.get(peer) ?? new Set()
    const neighbourhood = new Neighbourhood<number>(20, createPrng(3), (peer) => of(peer).size)
    for (const peer of met.keys()) {
      const strangers = [...met.keys()].filter((other) => other !== peer && !of(peer).has(other))
      for (const other of neighbourhood.choose(peer, strangers)) {
        of(peer).add(other)
        of(other).add(peer)
      }
    }
    const degrees = [...met.values()].map(({ size }) => size)
    assert.ok(Math.min(...degrees) >= 16 && Math.max(...degrees) <= 24, `${degrees}`)
  })
})
