/** Whoever stays and can be reached by somebody who has a piece gets it, in any swarm: nothing waits for good. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reportOf } from '../../src/sim/report.ts'
import { type Group, leechersOf, MBIT, MIB, type Scenario } from '../../src/sim/scenario.ts'
import { Simulation } from '../../src/sim/simulation.ts'
import fc from './seeded.ts'

const rate = fc.constantFrom(1 * MBIT, 10 * MBIT, 100 * MBIT)
const wire = fc.constantFrom('share', 'bittorrent', 'bitswap')

const group: fc.Arbitrary<Group> = fc.record({
  count: fc.integer({ min: 1, max: 3 }),
  up: rate,
  down: rate.map((least) => 4 * least),
  wire,
  conduct: fc.constantFrom('honest', 'honest', 'free-rider'),
  leavesWhenComplete: fc.boolean(),
})

const scenario: fc.Arbitrary<Scenario> = fc.record({
  about: fc.constant('any swarm'),
  pieces: fc.integer({ min: 1, max: 12 }),
  pieceSize: fc.constantFrom(10_000, 256 << 10, 1 << 20),
  seeder: fc.record({ up: rate, down: rate, wire }),
  leechers: fc.array(group, { minLength: 1, maxLength: 4 }),
  arrivals: fc.oneof(
    fc.constant({ type: 'together' } as const),
    fc.record({ type: fc.constant('every' as const), ms: fc.integer({ min: 1, max: 2_000 }) }),
  ),
  // with few, somebody may know free riders alone
  neighbours: fc.constant(50),
  latency: fc.constantFrom(0, 1, 20, 300),
  // the links work for longer than they stand still
  stalls: fc.record({
    of: fc.constantFrom('peer', 'lane'),
    every: fc.integer({ min: 6_000, max: 12_000 }),
    lasts: fc.integer({ min: 10, max: 3_000 }),
  }),
})

const slow = { up: 1 * MBIT, down: 4 * MBIT }
const plain: Scenario = {
  about: 'a slow seeder',
  pieces: 1,
  pieceSize: 256 << 10,
  seeder: slow,
  leechers: [{ count: 8, ...slow }],
  arrivals: { type: 'every', ms: 1 },
  neighbours: 50,
  latency: 0,
}

/** Swarms that once waited for good, or turned in circles. */
const FOUND: [Scenario, number][] = [
  // the first bytes of eight sends at once came later than anybody waited for them
  [plain, 1],
  // who has the piece on Bitswap, and keeps it, was asked again and again
  [
    {
      ...plain,
      leechers: [
        { count: 2, ...slow, wire: 'bitswap', conduct: 'free-rider' },
        { count: 1, ...slow },
      ],
    },
    628,
  ],
  // five who have the piece on Bitswap, and keep it, were waited for, one after the other and again
  [
    {
      ...plain,
      pieceSize: 10_000,
      seeder: { up: 100 * MBIT, down: 1 * MBIT },
      leechers: [
        { count: 5, ...slow, wire: 'bitswap', conduct: 'free-rider' },
        { count: 1, ...slow },
      ],
      arrivals: { type: 'together' },
      stalls: { of: 'peer', every: 6_000, lasts: 10 },
    },
    1,
  ],
  // a decline, and then the end of an accepted piece, left the seeder believing that it was coming from others
  [
    {
      ...plain,
      pieces: 3,
      pieceSize: MIB,
      leechers: [
        { count: 2, ...slow },
        { count: 2, ...slow, wire: 'bitswap', conduct: 'free-rider' },
        { count: 2, ...slow, conduct: 'free-rider' },
      ],
      latency: 1,
      stalls: { of: 'peer', every: 8_228, lasts: 10 },
    },
    9,
  ],
  [
    {
      ...plain,
      pieces: 3,
      pieceSize: MIB,
      leechers: [
        { count: 2, ...slow, wire: 'bittorrent', conduct: 'free-rider' },
        { count: 4, ...slow, conduct: 'free-rider' },
      ],
      arrivals: { type: 'every', ms: 1_199 },
      stalls: { of: 'peer', every: 6_000, lasts: 10 },
    },
    9,
  ],
]

test('everyone gets everything', () => {
  fc.assert(
    fc.property(scenario, fc.integer({ min: 1, max: 1_000 }), (any, seed) => {
      const run = new Simulation(any, seed)
      run.run()
      const { completed, left } = reportOf('any', run)
      assert.equal(completed, leechersOf(any))
      assert.equal(left, 0)
    }),
    { numRuns: 60, examples: FOUND },
  )
})
