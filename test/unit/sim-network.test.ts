import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { Clock } from '../../src/sim/clock.ts'
import { type Flow, Link, Network } from '../../src/sim/network.ts'

/** A network in which rates are kB/s and sizes kB, so that 100 kB at 100 kB/s take 1000 ms. */
class Bench {
  readonly clock = new Clock()
  readonly network = new Network(this.clock)
  /** `A 1000`: flow A ended at 1000 ms. */
  readonly ended: string[] = []

  start(name: string, up: Link, down: Link, size: number): Flow {
    return this.send(up, down, size, () => this.ended.push(`${name} ${Math.round(this.clock.now)}`))
  }

  /** Calls back when all has left. */
  send(up: Link, down: Link, size: number, done: () => void): Flow {
    const flow = this.network.flow(up, down, () => {
      this.network.stop(flow)
      done()
    })
    this.network.start(flow, size)
    return flow
  }

  run(): string[] {
    while (this.clock.step());
    return this.ended
  }

  at(ms: number, act: () => void): void {
    this.clock.at(ms, act)
  }
}

const WIDE = 1e9

describe('flows over links', () => {
  it('one alone has the narrower of its links', () => {
    const bench = new Bench()
    bench.start('A', new Link(100), new Link(400), 100)
    bench.start('B', new Link(400), new Link(50), 100)
    assert.deepEqual(bench.run(), ['A 1000', 'B 2000'])
  })

  it('two share an uplink, and the one that stays has it whole', () => {
    const bench = new Bench()
    const up = new Link(100)
    // 50 each until A has its 100 at 2000; B has 100 to go then, at 100
    bench.start('A', up, new Link(WIDE), 100)
    bench.start('B', up, new Link(WIDE), 200)
    assert.deepEqual(bench.run(), ['A 2000', 'B 3000'])
  })

  it('a second one that starts midway takes half', () => {
    const bench = new Bench()
    const up = new Link(100)
    // A has 50 at 500, then 50 a second: the rest of 50 takes 1000; B has 50 by then and 50 to go at 100
    bench.start('A', up, new Link(WIDE), 100)
    bench.at(500, () => bench.start('B', up, new Link(WIDE), 100))
    assert.deepEqual(bench.run(), ['A 1500', 'B 2000'])
  })

  it('what a downlink holds back, the others of the uplink get', () => {
    const bench = new Bench()
    const up = new Link(100)
    const slow = bench.start('A', up, new Link(10), 10)
    const one = bench.start('B', up, new Link(WIDE), 45)
    const two = bench.start('C', up, new Link(WIDE), 90)
    assert.deepEqual([slow.rate, one.rate, two.rate], [10, 45, 45])
    // C has 45 to go at 1000, when it is alone
    assert.deepEqual(bench.run(), ['A 1000', 'B 1000', 'C 1450'])
  })

  it('a downlink gives what a narrow uplink cannot use to the others', () => {
    const bench = new Bench()
    const down = new Link(90)
    const first = [100, 100, 10].map((up, at) => bench.start(`${at}`, new Link(up), down, 100).rate)
    assert.deepEqual(first, [90, 45, 10])
    assert.deepEqual(
      down.flows.map(({ rate }) => rate),
      [40, 40, 10],
    )
    assert.equal(down.load, 90)
  })

  it('a change is felt over a chain of links', () => {
    const bench = new Bench()
    const [left, right] = [new Link(100), new Link(100)]
    const [shared, own] = [new Link(100), new Link(WIDE)]
    // left: A alone on its way to `shared`; right: B to `shared`, C to `own`
    const a = bench.start('A', left, shared, 1000)
    const b = bench.start('B', right, shared, 1000)
    const c = bench.start('C', right, own, 1000)
    assert.deepEqual([a.rate, b.rate, c.rate], [50, 50, 50])
    const d = bench.start('D', left, own, 1000)
    const e = bench.start('E', right, own, 1000)
    // right has three: a third each; what B leaves of `shared` A could take, but D has half of `left`
    const third = 100 / 3
    assert.deepEqual([a, b, c, d, e].map(rounded), [50, third, third, 50, third].map(rounding))
    bench.network.stop(d)
    assert.deepEqual([a, b, c, e].map(rounded), [100 - third, third, third, third].map(rounding))
  })

  it('a standstill keeps the bytes: of a flow, of a link', () => {
    const bench = new Bench()
    const up = new Link(100)
    const a = bench.start('A', up, new Link(WIDE), 100)
    bench.start('B', up, new Link(WIDE), 100)
    // at 1000 both have 50 to go; B runs alone to 1500, then nothing until 2000, then A alone with nothing from 2200 to 2700
    bench.at(1000, () => bench.network.setBound(a, 0))
    bench.at(2000, () => bench.network.setBound(a, Number.POSITIVE_INFINITY))
    bench.at(2200, () => bench.network.setCapacity(up, 0))
    bench.at(2700, () => bench.network.setCapacity(up, 100))
    assert.deepEqual(bench.run(), ['B 1500', 'A 3000'])
  })

  it('a flow is heard of at its mark, can be cut short, and goes on with more', () => {
    const bench = new Bench()
    const { network, clock } = bench
    const heard: string[] = []
    const marks = [25, 0, 30, 0]
    const flow = network.flow(new Link(100), new Link(100), () => {
      heard.push(`${clock.now}: ${network.remaining(flow)}`)
      const mark = marks.shift()
      if (mark === undefined) network.stop(flow)
      else if (mark === 30) network.start(flow, 50, mark)
      else network.adjust(flow, network.remaining(flow), mark)
    })
    network.start(flow, 100, 50)
    // at 600 it has 40 to go; 20 of them are taken off
    bench.at(600, () => network.adjust(flow, network.remaining(flow) - 20, 10))
    bench.run()
    assert.deepEqual(heard, ['500: 50', '700: 10', '800: 0', '1000: 30', '1300: 0'])
  })

  it('a flow that is stopped takes nothing', () => {
    const bench = new Bench()
    const up = new Link(100)
    const stopped = bench.start('A', up, new Link(WIDE), 100)
    bench.start('B', up, new Link(WIDE), 100)
    bench.at(1000, () => bench.network.stop(stopped))
    assert.deepEqual(bench.run(), ['B 1500'])
  })

  it('gives every flow what filling all links step by step gives', () => {
    const seed = 11
    const prng = createPrng(seed)
    const bench = new Bench()
    const links = (): Link[] => Array.from({ length: 12 }, () => new Link(10 + 10 * prng.below(20)))
    const [ups, downs] = [links(), links()]
    const running = new Set<Flow>()
    const begin = (): void => {
      const [up, down] = [ups[prng.below(12)], downs[prng.below(12)]]
      if (up === undefined || down === undefined) return
      const flow = bench.send(up, down, 1 + prng.below(100), () => {
        running.delete(flow)
        begin()
      })
      running.add(flow)
    }
    for (let at = 0; at < 40; at++) begin()
    for (let turn = 0; turn < 500; turn++) {
      bench.clock.step()
      for (const [flow, rate] of filled([...ups, ...downs], running))
        assert.ok(
          Math.abs(flow.rate - rate) < 1e-3 * rate,
          `seed ${seed}, turn ${turn}: ${flow.rate}, not ${rate}`,
        )
    }
  })
})

const rounding = (rate: number): number => Math.round(1000 * rate)
const rounded = ({ rate }: Flow): number => rounding(rate)

/** Max-min fair rates by the book: raise all rates together, and freeze those of a link when it is full. */
function filled(links: readonly Link[], flows: ReadonlySet<Flow>): Map<Flow, number> {
  const rates = new Map<Flow, number>()
  const left = new Map(links.map((link) => [link, link.capacity]))
  const open = (link: Link): Flow[] => link.flows.filter((flow) => !rates.has(flow))
  const share = (link: Link): number => (left.get(link) ?? 0) / open(link).length
  while (rates.size < flows.size) {
    const fullest = links.filter((link) => open(link).length > 0).sort((a, b) => share(a) - share(b))[0]
    if (fullest === undefined) break
    const rate = share(fullest)
    for (const flow of open(fullest)) {
      rates.set(flow, rate)
      for (const link of [flow.up, flow.down]) left.set(link, (left.get(link) ?? 0) - rate)
    }
  }
  return rates
}
