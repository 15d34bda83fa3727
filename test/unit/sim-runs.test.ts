import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Conduct } from '../../src/sim/conduct.ts'
import { counts } from '../../src/sim/member.ts'
import { type Report, reportOf } from '../../src/sim/report.ts'
import { type Group, MBIT, type Scenario, sizeOf } from '../../src/sim/scenario.ts'
import { SCENARIOS } from '../../src/sim/scenarios.ts'
import { Simulation } from '../../src/sim/simulation.ts'

/** One: a failure names it, and `npm run sim -- SCENARIO --seed` shows the same run. */
const SEED = 1

/** The books of a swarm are looked through after every so manieth event. */
const EVERY = { small: 1, large: 16 }

function simulate(scenario: Scenario, every: number, seed = SEED): { run: Simulation; report: Report } {
  let events = 0
  const run = new Simulation(scenario, seed, {
    checked: (scheduler) => {
      if (++events % every === 0) scheduler.checkInvariants()
    },
  })
  run.run()
  return { run, report: reportOf('test', run) }
}

/** What holds in any run: bytes go somewhere, and nothing is faster than fluids. */
function checkLaws({ run, report }: { run: Simulation; report: Report }): void {
  const { tally, members, scenario } = run
  const ended = tally.useful + tally.duplicate + tally.corrupt + tally.cut
  assert.ok(Math.abs(tally.sent - ended) < 1, `seed ${run.seed}: ${tally.sent} sent, ${ended} accounted for`)
  const bySender = members.reduce((bytes, { peer }) => bytes + (peer?.sentBytes ?? 0), 0)
  assert.ok(Math.abs(bySender - tally.sent) < 1)
  const stored = members.reduce((pieces, { peer }) => pieces + (peer?.storedAt.length ?? 0), 0)
  assert.equal(tally.useful, stored * scenario.pieceSize)
  for (const { group, peer, joinsAt, leftAt = run.clock.now } of members) {
    const most = (group.up * (leftAt - joinsAt)) / 1000
    assert.ok((peer?.sentBytes ?? 0) <= most + 1, `seed ${run.seed}: more than the uplink carries`)
  }
  if (report.total !== undefined)
    assert.ok(report.total >= report.bound, `seed ${run.seed}: sooner than fluids`)
}

function checkComplete({ run, report }: { run: Simulation; report: Report }): void {
  assert.equal(
    report.completed,
    report.expected,
    `seed ${run.seed}: ${report.completed} of ${report.expected}`,
  )
  assert.ok(report.expected > 0)
  for (const member of run.members.filter(counts)) {
    if (member.completedAt === undefined) continue
    assert.equal(member.peer?.storedAt.length, run.scenario.pieces)
  }
}

const FAST = { up: 100 * MBIT, down: 400 * MBIT }
const group = (count: number, conduct: Conduct = 'honest'): Group => ({ count, ...FAST, conduct })

/** 6 MiB for six: half a second, if all goes well. */
const SMALL: Scenario = {
  about: 'small',
  pieces: 24,
  pieceSize: 256 << 10,
  seeder: FAST,
  leechers: [group(6)],
  arrivals: { type: 'together' },
  neighbours: 50,
  latency: 20,
}

describe('scenarios by name', () => {
  for (const name of [
    '8x32',
    '8x128',
    '8x128-slow4',
    'equal-links',
    'equal-links-8x32',
    'half-half',
    '100ms',
    '100ms-equal',
    'staggered',
  ]) {
    it(`${name} completes`, () => {
      const scenario = SCENARIOS[name]
      assert.ok(scenario)
      const outcome = simulate(scenario, EVERY.large)
      checkComplete(outcome)
      checkLaws(outcome)
    })
  }
})

describe('a small swarm completes', () => {
  const cases: Readonly<Record<string, Partial<Scenario>>> = {
    'of two': { leechers: [group(1)] },
    'of one piece': { pieces: 1 },
    'with few neighbours each': { leechers: [group(30)], neighbours: 6 },
    'at differing latencies': { latency: { least: 1, most: 200 } },
    'without latency': { latency: 0 },
    'that arrives at random': { arrivals: { type: 'poisson', ms: 300 } },
    'whose peers leave when they are done': {
      leechers: [{ ...group(6), leavesWhenComplete: true }],
      arrivals: { type: 'every', ms: 300 },
    },
    'with free riders': { leechers: [group(5), group(3, 'free-rider')] },
    'with liars': { leechers: [group(6), group(2, 'liar')] },
    'with corrupt peers': { leechers: [group(6), group(2, 'corrupt')] },
    'that falls apart for a while': { leechers: [group(12)], partition: { from: 300, to: 9000 } },
    'in which transfers stand still': { stalls: { of: 'lane', every: 100, lasts: 3000 } },
    'in which peers stand still': { stalls: { of: 'peer', every: 400, lasts: 300 } },
    'that half of it leaves': { leechers: [group(12)], departures: { every: 100, most: 6 } },
    'with peers on Bitswap': { leechers: [group(4), { ...group(4), wire: 'bitswap' }] },
    'with peers on BitTorrent': { leechers: [group(4), { ...group(4), wire: 'bittorrent' }] },
    'on three wires': {
      seeder: { ...FAST, wire: 'bitswap' },
      leechers: [group(3), { ...group(3), wire: 'bitswap' }, { ...group(3), wire: 'bittorrent' }],
      neighbours: 6,
    },
    'on BitTorrent, with free riders': {
      leechers: [
        { ...group(5), wire: 'bittorrent' },
        { ...group(3, 'free-rider'), wire: 'bittorrent' },
      ],
    },
    'on Bitswap, with corrupt peers': {
      leechers: [
        { ...group(6), wire: 'bitswap' },
        { ...group(2, 'corrupt'), wire: 'bitswap' },
      ],
    },
    'whose seeder leaves': { seeder: { ...FAST, leavesAtCopies: 8 }, leechers: [group(12)] },
  }
  for (const [what, difference] of Object.entries(cases)) {
    it(what, () => {
      const outcome = simulate({ ...SMALL, ...difference }, EVERY.small)
      checkComplete(outcome)
      checkLaws(outcome)
    })
  }
})

describe('what goes wrong in a run', () => {
  it('a corrupt peer is banned by those whom it sent wrong bytes, and by nobody else is anyone', () => {
    const { run, report } = simulate({ ...SMALL, leechers: [group(6), group(2, 'corrupt')] }, EVERY.small)
    assert.equal(report.banned, 2, `seed ${run.seed}`)
    assert.ok(run.tally.corrupt >= 2 * SMALL.pieceSize)
    for (const { peer, bannedBy, conduct } of report.peers)
      if (conduct !== 'corrupt') assert.equal(bannedBy, 0, peer)
  })

  it('free riders and liars send nothing', () => {
    const leechers = [group(5), group(2, 'free-rider'), group(1, 'liar')]
    const { report } = simulate({ ...SMALL, leechers }, EVERY.small)
    const senders = report.peers.filter(({ sentBytes }) => sentBytes > 0).map(({ conduct }) => conduct)
    assert.deepEqual(new Set(senders), new Set(['seeder', 'honest']))
  })

  it('those who leave before are not waited for', () => {
    const { report } = simulate(
      { ...SMALL, leechers: [group(12)], departures: { every: 100, most: 4 } },
      EVERY.small,
    )
    assert.equal(report.left, 4)
    assert.equal(report.expected, 8)
  })

  it('a seeder that leaves sends what was said and little more', () => {
    const scenario = { ...SMALL, seeder: { ...FAST, leavesAtCopies: 0.5 } }
    const { run, report } = simulate(scenario, EVERY.small)
    assert.ok(report.seederCopies >= 0.5 && report.seederCopies < 0.7, `${report.seederCopies}`)
    // half of the pieces are nowhere; the others are everywhere
    const pieces = [...Array(SMALL.pieces).keys()]
    const leechers = run.members.filter(counts)
    const got = (piece: number): number => leechers.filter(({ peer }) => peer?.claims(piece)).length
    assert.deepEqual(new Set(pieces.map(got)), new Set([0, leechers.length]))
    assert.equal(report.extinct, pieces.filter((piece) => got(piece) === 0).length)
    assert.equal(report.completed, 0)
    assert.equal(report.total, undefined)
    assert.equal(report.efficiency, 0)
    checkLaws({ run, report })
  })

  it('two halves of a partition exchange nothing', () => {
    const scenario = { ...SMALL, leechers: [group(12)], partition: { from: 0, to: 60_000 } }
    const { report } = simulate(scenario, EVERY.small)
    const before = report.peers.filter(({ took }) => took !== undefined && took < 60_000)
    const after = report.peers.filter(({ took }) => took !== undefined && took > 60_000)
    assert.ok(before.length > 0 && after.length > 0)
    assert.equal(before.length + after.length, 12)
  })
})

describe('determinism', () => {
  const scenario: Scenario = {
    ...SMALL,
    leechers: [group(12), group(2, 'corrupt')],
    neighbours: 8,
    latency: { least: 5, most: 50 },
    arrivals: { type: 'poisson', ms: 50 },
    stalls: { of: 'lane', every: 200, lasts: 500 },
    departures: { every: 400, most: 3 },
  }

  it('the same seed gives the same figures, down to the last peer', () => {
    assert.deepEqual(simulate(scenario, EVERY.large).report, simulate(scenario, EVERY.large).report)
  })

  it('another seed gives others', () => {
    const totals = [1, 2, 3].map((seed) => simulate(scenario, EVERY.large, seed).report.total)
    assert.equal(new Set(totals).size, 3)
  })
})

describe('the table of scenarios', () => {
  it('has sizes and rates that make sense', () => {
    for (const [name, scenario] of Object.entries(SCENARIOS)) {
      assert.ok(sizeOf(scenario) >= 32 << 20, name)
      for (const { count, up, down } of [{ count: 1, ...scenario.seeder }, ...scenario.leechers])
        assert.ok(count > 0 && up >= MBIT && down >= up, name)
    }
  })
})

describe('the work of a run', () => {
  const NEIGHBOURS = 16
  /** Per piece that somebody gets: events that schedulers handle, and timers that fire. */
  const work = (peers: number): { events: number; timers: number } => {
    const { run, report } = simulate(
      { ...SMALL, pieces: 64, leechers: [group(peers)], neighbours: NEIGHBOURS },
      Number.POSITIVE_INFINITY,
    )
    assert.equal(report.completed, peers)
    const pieces = peers * 64
    return { events: report.events / pieces, timers: run.clock.fired / pieces }
  }

  it('grows with what is moved and who is told, not with the swarm', () => {
    const [small, large] = [work(24), work(96)]
    assert.ok(large.events < 1.5 * small.events, `${small.events} and ${large.events} events a piece`)
    assert.ok(large.timers < 1.5 * small.timers, `${small.timers} and ${large.timers} timers a piece`)
  })

  it('that neighbours tell each other what they have costs no timers', () => {
    const { events, timers } = work(48)
    assert.ok(events > 2 * NEIGHBOURS, `${events} events a piece: each neighbour is told twice`)
    assert.ok(timers < events / 2, `${timers} timers a piece for ${events} events`)
  })
})
