/**
 * Whatever the latencies, the order of arrival, and who comes and goes: as long as every piece is with somebody
 * sound, everybody gets everything, in bounded virtual time.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Behaviour, Net, type NetNode } from './swarm-net.ts'

const KIB = 1024

interface Case {
  readonly seed: number
  readonly leechers: number
  readonly pieces: number
  readonly pieceSize: number
  readonly latency: number
  readonly up: number
  readonly down: number
  readonly taciturnSeeder: boolean
  readonly villain: Behaviour
  /** The seeder goes once every piece is with some leecher. */
  readonly seederGoes: boolean
  /** When leechers go down and for how long, in ms. */
  readonly absences: readonly { readonly who: number; readonly at: number; readonly lasts: number }[]
}

const cases = fc.record<Case>({
  seed: fc.nat(),
  leechers: fc.integer({ min: 3, max: 8 }),
  pieces: fc.integer({ min: 1, max: 60 }),
  pieceSize: fc.constantFrom(10 * KIB, 256 * KIB, 1024 * KIB),
  latency: fc.constantFrom(0, 5, 50, 300),
  up: fc.constantFrom(1e6, 10e6),
  down: fc.constantFrom(0, 0, 0.5e6),
  taciturnSeeder: fc.boolean(),
  villain: fc.constantFrom<Behaviour[]>('well', 'liar', 'braggart', 'dead'),
  seederGoes: fc.boolean(),
  absences: fc.array(
    fc.record({ who: fc.nat(7), at: fc.nat(10_000), lasts: fc.integer({ min: 1, max: 5_000 }) }),
    { maxLength: 4 },
  ),
})

/** Two minutes for silent peers and absences, plus ten times what the seeder alone would need for all. */
function limit({ leechers, pieces, pieceSize, up, down, latency }: Case): number {
  const slowest = down === 0 ? up : Math.min(up, down)
  return 120_000 + 10 * ((leechers * pieces * pieceSize * 1000) / slowest) + pieces * 20 * latency
}

/** Whether every piece is with some of them. */
function isSpread(nodes: readonly NetNode[], pieces: number): boolean {
  for (let piece = 0; piece < pieces; piece++) if (!nodes.some(({ have }) => have.has(piece))) return false
  return true
}

function play(scene: Case): { net: Net; leechers: NetNode[]; finished: boolean } {
  const { seed, pieces, pieceSize, latency, up, down } = scene
  const net = new Net({ seed, pieces, pieceSize, latency, checked: true })
  const seeder = net.add('seeder', { up, seeds: true, behaves: scene.taciturnSeeder ? 'taciturn' : 'well' })
  const leechers = Array.from({ length: scene.leechers }, (_, at) => net.add(`leecher ${at}`, { up, down }))
  if (scene.villain !== 'well') net.add('villain', { up, seeds: true, behaves: scene.villain }).start()
  seeder.start()
  for (const leecher of leechers) leecher.start()
  for (const { who, at, lasts } of scene.absences) {
    const leecher = leechers[who % leechers.length]
    net.after(at, () => leecher?.stop())
    net.after(at + lasts, () => leecher?.up === false && leecher.start())
  }
  const everywhere = (): boolean => leechers.every((leecher) => leecher.up && leecher.complete)
  if (scene.seederGoes && net.run(limit(scene), () => isSpread(leechers, pieces))) seeder.stop()
  return { net, leechers, finished: net.run(limit(scene), everywhere) }
}

/** The limiter became ready during an event that fills nothing: the requests that it had put off have to be made all the same. */
const LIMIT_LIFTED_UNNOTICED: Case = {
  seed: 0,
  leechers: 3,
  pieces: 16,
  pieceSize: 10 * KIB,
  latency: 0,
  up: 1e6,
  down: 0.5e6,
  taciturnSeeder: false,
  villain: 'well',
  seederGoes: true,
  absences: [],
}

describe('a swarm', () => {
  it('always completes', () => {
    fc.assert(
      fc.property(cases, (scene) => {
        const { leechers, finished } = play(scene)
        const missing = leechers.map(({ have }) => scene.pieces - have.size)
        assert.ok(finished, `still missing: ${missing.join(', ')}`)
      }),
      { numRuns: 40, examples: [[LIMIT_LIFTED_UNNOTICED]] },
    )
  })

  it('completes without its seeder when there are more pieces than questions may stand', () => {
    const pieces = 5_000
    const net = new Net({ seed: 1, pieces, pieceSize: 10 * KIB, latency: 20, checked: false })
    const seeder = net.add('seeder', { up: 10e6, seeds: true })
    const leechers = ['A', 'B'].map((name) => net.add(name, { up: 10e6 }))
    for (const node of [seeder, ...leechers]) node.start()
    const held = (): number => leechers.reduce((sum, { have }) => sum + have.size, 0)
    assert.ok(net.run(60_000, () => isSpread(leechers, pieces)))
    assert.ok(held() < 2 * pieces)
    seeder.stop()
    assert.ok(
      net.run(120_000, () => held() === 2 * pieces),
      `still missing: ${2 * pieces - held()}`,
    )
  })

  it('says that it is complete once in a life', () => {
    fc.assert(
      fc.property(cases, (scene) => {
        const { leechers } = play({ ...scene, absences: [] })
        for (const leecher of leechers) assert.equal(leecher.completions, 1)
      }),
      { numRuns: 10 },
    )
  })

  it('of sound peers fetches next to nothing twice', () => {
    fc.assert(
      fc.property(cases, (scene) => {
        const { leechers } = play({ ...scene, villain: 'well', seederGoes: false, absences: [] })
        const received = leechers.reduce((sum, leecher) => sum + leecher.receivedBytes, 0) / scene.pieceSize
        const needed = leechers.length * scene.pieces
        assert.ok(received <= 1.4 * needed + 10, `${received} pieces came for ${needed}`)
      }),
      { numRuns: 20 },
    )
  })
})
