/** A peer with nothing to offer is handed a part of what comes too slowly from others. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KIB, MIB, only, type Scenario, type ScenarioOptions, scenario } from './swarm-scenario.ts'

const SECOND = 1_000

/**
 * Peers that have everything; those with a rate are asked for pieces 0, 1, and so on. What they send comes in steps of
 * 16 KiB at these rates, in KiB a second, for a second.
 */
function coming(
  rates: Readonly<Record<string, number>>,
  { peers = 'ABCDEFGH', ...options }: ScenarioOptions & { peers?: string } = {},
): Scenario {
  const swarm = scenario({ pieces: 2, ...options })
  for (const peer of peers) swarm.drawn(`${peer} ##`)
  const steps: { at: number; peer: string; piece: number; begin: number }[] = []
  for (const [piece, [peer, rate]] of Object.entries(rates).entries()) {
    swarm.at(0).offered(peer, piece)
    for (let begin = 0; begin < rate * KIB; begin += 16 * KIB)
      steps.push({ at: Math.round((begin * SECOND) / (rate * KIB)), peer, piece, begin })
  }
  for (const { at, peer, piece, begin } of steps.toSorted((a, b) => a.at - b.at))
    swarm.at(at).arrived(peer, piece, { begin, length: 16 * KIB })
  return swarm.at(SECOND)
}

interface Handed {
  readonly cut: { peer: string; piece: number; begin: number; length: number }
  readonly asked: { peer: string; piece: number; begin: number; length: number }
}

/** What the last event took from one peer and asked of another; undefined if it was declined. */
function handed({ actions }: Scenario): Handed | undefined {
  const [cut] = actions.filter(({ type }) => type === 'cancel')
  const [asked] = actions.filter(({ type }) => type === 'request')
  if (cut?.type !== 'cancel' || asked?.type !== 'request') return undefined
  return { cut, asked }
}

/** A is asked for a piece that it is to begin in so many ms, of which half a second has passed. */
function promised(start: number): Scenario {
  const swarm = scenario({ pieces: 2 })
  swarm.drawn('A ##\nC ##')
  swarm.offered('A', 0, { start })
  return swarm.at(SECOND / 2)
}

describe('a peer with a free uplink', () => {
  it('takes over the end of what comes, which is taken from the other', () => {
    const swarm = coming({ A: 128 })
    swarm.idle('C', { rate: 128 * KIB })
    const part = handed(swarm)
    assert.ok(part)
    assert.deepEqual([part.cut.peer, part.asked.peer], ['A', 'C'])
    const bytes = ({ piece, begin, length }: Handed['cut']): string => `${length} of ${piece} from ${begin}`
    assert.equal(bytes(part.cut), bytes(part.asked))
    assert.equal(part.cut.begin + part.cut.length, MIB)
  })

  it('gets so much that both end together', () => {
    // 896 KiB are left, less what comes while the request is on its way
    const cases: [rateOfA: number, rateOfC: number, part: number][] = [
      [128, 128, 1 / 2],
      [128, 384, 3 / 4],
      [384, 128, 1 / 4],
    ]
    for (const [rateOfA, rateOfC, part] of cases) {
      const swarm = coming({ A: rateOfA })
      const left = (1024 - rateOfA) * KIB
      swarm.idle('C', { rate: rateOfC * KIB })
      const bytes = handed(swarm)?.asked.length ?? 0
      assert.ok(
        bytes <= part * left && bytes > part * left * 0.8,
        `${bytes} of ${left} at ${rateOfA} and ${rateOfC}`,
      )
    }
  })

  it('takes from the one that would be last', () => {
    const cases: [rates: { A: number; B: number }, slowest: string][] = [
      [{ A: 64, B: 256 }, 'A'],
      [{ A: 256, B: 64 }, 'B'],
    ]
    for (const [rates, slowest] of cases) {
      const swarm = coming(rates)
      swarm.idle('C', { rate: 128 * KIB })
      assert.equal(handed(swarm)?.cut.peer, slowest)
    }
  })

  it('takes of what it has, and nothing of its own', () => {
    const swarm = coming({ A: 64, B: 256 }, { peers: 'AB' })
    swarm.drawn('C .#')
    swarm.idle('C', { rate: 128 * KIB })
    assert.equal(handed(swarm)?.cut.peer, 'B')
    swarm.idle('A', { rate: 128 * KIB })
    assert.equal(handed(swarm)?.cut.peer, 'B', 'A sends the slowest itself')
  })

  it('is told to go where there is nothing for it', () => {
    const cases: [name: string, swarm: Scenario][] = [
      ['nothing comes', coming({})],
      ['it sends all that comes', coming({ C: 128 })],
      ['splitting is off', coming({ A: 128 }, { policy: { split: false } })],
      ['it is nearly here', coming({ A: 1024 - 32 })],
    ]
    for (const [name, swarm] of cases) assert.deepEqual(swarm.idle('C'), ['decline C nothing'], name)
    const without = coming({ A: 128 }, { peers: 'A' })
    without.drawn('C .#')
    assert.deepEqual(without.idle('C'), ['decline C nothing'], 'it lacks the piece')
  })

  it('takes all of what would begin when it is done, and what is then even of the rest', () => {
    const cases: [start: number, lines: readonly string[]][] = [
      [9_000, ['request C 0', 'cancel A 0']],
      [1_600, ['request C 0', 'cancel A 0']],
    ]
    for (const [start, lines] of cases) assert.deepEqual(promised(start).idle('C'), lines, `in ${start} ms`)
    const swarm = promised(1_000)
    swarm.idle('C')
    const { length = 0 } = handed(swarm)?.asked ?? {}
    // A sends for a second from 0.5 s on, C from now on: both are done in 0.75 s
    assert.ok(length > 0.7 * MIB && length < 0.8 * MIB, `${length}`)
  })

  it('takes its part by a request, where it sends only what it is asked for', () => {
    // A and B need 15 s more for their pieces; of C nothing is known, so what A has yet to send is asked of it besides
    const swarm = coming({ A: 64, B: 64 }, { peers: 'AB' })
    assert.deepEqual(swarm.drawn('C ##', 'bittorrent'), [`request C 0 ${64 * KIB}+${960 * KIB}`])
    // it needs a fifth of a second: most of the other one is for it
    assert.deepEqual(only(swarm.after(200).arrived('C', 0, { begin: 64 * KIB }), 'cancel', 'request'), [
      'cancel A 0 65536+983040',
      'cancel B 1 128324+920252',
      'request C 1 128324+920252',
    ])
  })

  it('takes nothing when it was silent itself', () => {
    const swarm = promised(30_000)
    swarm.drawn('D ##')
    swarm.offered('D', 1)
    assert.ok(only(swarm.until(5_000), 'cancel D').length > 0)
    assert.deepEqual(swarm.idle('D'), ['decline D nothing'])
  })

  it('does not take what comes in another swarm', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.drawn('C #')
    swarm.open('S', { pieces: 1 })
    swarm.of('S').drawn('A #')
    swarm.offered('A', 0)
    for (const [at, begin] of [0, 1, 2, 3].entries())
      swarm.at(at * 100).arrived('A', 0, { begin: begin * 16 * KIB, length: 16 * KIB })
    assert.deepEqual(swarm.of('R').idle('C'), ['decline C nothing'])
  })
})

describe('a piece in parts', () => {
  it('has a bounded number of sources, which do not overlap and leave nothing out', () => {
    const swarm = coming({ A: 64 })
    let parts = 1
    for (const peer of 'BCDEFGH')
      if (only(swarm.idle(peer, { rate: 256 * KIB }), 'request').length > 0) parts++
    assert.ok(parts > 1 && parts < 8, `${parts} sources`)
  })

  it('is whole when all of them are done, in any order, and only then', () => {
    const orders = ['ABC', 'BCA', 'CBA', 'BAC']
    for (const order of orders) {
      const swarm = coming({ A: 64 })
      const begins = new Map([['A', { begin: 64 * KIB, end: MIB }]])
      for (const peer of 'BC') {
        swarm.idle(peer, { rate: 64 * KIB })
        const part = handed(swarm)
        assert.ok(part)
        const from = begins.get(part.cut.peer)
        assert.ok(from)
        begins.set(part.cut.peer, { ...from, end: part.cut.begin })
        begins.set(peer, { begin: part.asked.begin, end: part.asked.begin + part.asked.length })
      }
      const bytes = [...begins.values()].reduce((sum, { begin, end }) => sum + end - begin, 0)
      assert.equal(bytes, MIB - 64 * KIB, 'each byte once')
      const lines = [...order].map((peer) => {
        const { begin, end } = begins.get(peer) ?? { begin: 0, end: 0 }
        return swarm
          .after(100)
          .arrived(peer, 0, { begin, length: end - begin })
          .join()
      })
      assert.deepEqual(lines, ['', '', 'verify-and-store 0'], order)
    }
  })

  it('of which one source is lost is completed by others', () => {
    const swarm = coming({ A: 64 })
    swarm.idle('B', { rate: 64 * KIB })
    const part = handed(swarm)
    assert.ok(part)
    assert.deepEqual(swarm.left('B'), ['expect-no-more 0'])
    const { begin, length } = part.asked
    const request = swarm.offered('C', 0)
    assert.deepEqual(request, [`request C 0 ${begin}+${length}`, 'expect 0'])
    swarm.after(100).arrived('C', 0, { begin, length })
    const rest = { begin: 64 * KIB, length: begin - 64 * KIB }
    assert.deepEqual(swarm.after(100).arrived('A', 0, rest), ['verify-and-store 0'])
  })
})
