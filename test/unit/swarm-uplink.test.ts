import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { millis, peerKey, rootKey } from '../../src/core/types.ts'
import { KIB, type Scenario, type ScenarioOptions, scenario } from './swarm-scenario.ts'

const everything = (pieces: number): number[] => [...Array(pieces).keys()]

const seeding = (options: ScenarioOptions = {}): Scenario => {
  const pieces = options.pieces ?? 8
  return scenario({ ...options, pieces, have: everything(pieces) })
}

/** Each of them wants these pieces; what starts at once is returned. */
const allWant = (swarm: Scenario, peers: readonly string[], pieces: readonly number[]): string[] =>
  peers.flatMap((peer) => pieces.flatMap((piece) => swarm.wanted(peer, piece)))

describe('the uplink', () => {
  it('sends four pieces at once, two to a peer', () => {
    const swarm = seeding()
    assert.deepEqual(allWant(swarm, ['A'], [0, 1, 2]), ['send A 0', 'send A 1'])
    assert.deepEqual(allWant(swarm, ['B', 'C'], [0, 1, 2]), ['send B 0', 'send B 1'])
  })

  it('goes on when a piece has left, or could not be sent', () => {
    const swarm = seeding()
    allWant(swarm, ['A'], [0, 1, 2, 3])
    assert.deepEqual(swarm.sent('A', 0), ['send A 2'])
    assert.deepEqual(swarm.sendFailed('A', 1), ['send A 3'])
    assert.deepEqual(swarm.sent('A', 2), [])
    assert.deepEqual(swarm.sent('A', 2), [], 'twice is once')
  })

  it('sends several small pieces at once: half a MiB to a peer, one MiB in all', () => {
    const swarm = seeding({ pieces: 64, size: 64 * KIB })
    assert.equal(allWant(swarm, ['A'], everything(64)).length, 8)
    assert.equal(allWant(swarm, ['B'], everything(64)).length, 8)
    assert.equal(allWant(swarm, ['C'], everything(64)).length, 0)
  })

  it('serves peers in turn', () => {
    const swarm = seeding({ pieces: 6 })
    allWant(swarm, ['A', 'B', 'C'], everything(6))
    const order: string[] = []
    const running = ['A 0', 'A 1', 'B 0', 'B 1']
    while (running.length > 0) {
      const [peer = '', piece = ''] = (running.shift() ?? '').split(' ')
      const started = swarm.sent(peer, Number(piece)).map((line) => line.replace('send ', ''))
      order.push(...started)
      running.push(...started)
    }
    assert.deepEqual(order, [
      // B came when A had one started, C when B had: what was started before does not count for them
      ...['A 2', 'C 0'],
      ...['A 3', 'B 2', 'C 1'],
      ...['A 4', 'B 3', 'C 2'],
      ...['A 5', 'B 4', 'C 3'],
      ...['B 5', 'C 4'],
      ...['C 5'],
    ])
  })

  it('counts bytes, not pieces', () => {
    // A and C take pieces of 1 MiB, B and D of 512 KiB
    const swarm = seeding({ pieces: 50 })
    swarm.open('S', { pieces: 50, size: 512 * KIB, have: everything(50) })
    const running = allWant(swarm, ['A', 'C'], everything(50))
    for (const peer of ['B', 'D'])
      for (const piece of everything(50)) running.push(...swarm.wanted(peer, piece, 'S'))
    const kibibytes = new Map<string, number>()
    for (let at = 0; at < 100; at++) {
      const line = running.shift() ?? ''
      const root = line.startsWith('S: ') ? 'S' : 'R'
      const [peer = '', piece = ''] = line.replace('S: ', '').replace('send ', '').split(' ')
      kibibytes.set(peer, (kibibytes.get(peer) ?? 0) + (root === 'S' ? 512 : 1024))
      running.push(...swarm.sent(peer, Number(piece), root))
    }
    const shares = [...kibibytes.values()]
    assert.equal(shares.length, 4)
    // A and C had two pieces each under way before the others came
    assert.ok(Math.min(...shares) >= 16 * 1024, String(shares))
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 4 * 1024, String(shares))
  })

  it('serves peers of two swarms in turn', () => {
    const swarm = seeding({ pieces: 8 })
    swarm.open('S', { pieces: 8, have: everything(8) })
    allWant(swarm, ['A'], everything(8))
    for (const piece of everything(8)) swarm.wanted('B', piece, 'S')
    assert.deepEqual(swarm.sent('A', 0), ['send A 2'])
    assert.deepEqual(swarm.sent('B', 0, 'S'), ['S: send B 2'])
  })

  it('does not let a newcomer make up for the time before it came', () => {
    const swarm = seeding({ pieces: 100 })
    allWant(swarm, ['A', 'B'], everything(100))
    const running = ['A 0', 'A 1', 'B 0', 'B 1']
    const step = (): string[] => {
      const [peer = '', piece = ''] = (running.shift() ?? '').split(' ')
      const started = swarm.sent(peer, Number(piece)).map((line) => line.replace('send ', ''))
      running.push(...started)
      return started
    }
    for (let at = 0; at < 60; at++) step()
    allWant(swarm, ['C'], everything(100))
    const next = Array.from({ length: 12 }, step).flat()
    const ofC = next.filter((send) => send.startsWith('C')).length
    assert.ok(ofC >= 3 && ofC <= 5, `${ofC} of 12`)
  })

  it('lets a stalled peer hold up itself alone', () => {
    const swarm = seeding()
    swarm.at(0)
    allWant(swarm, ['A', 'B', 'C'], [0, 1, 2])
    assert.equal(swarm.nextTimeout, 2_000)
    assert.deepEqual(swarm.at(1_999).woke(), [])
    assert.deepEqual(swarm.at(2_000).woke(), ['send C 0', 'send C 1'])
    assert.deepEqual(swarm.sent('C', 0), ['send C 2'])
    assert.equal(swarm.nextTimeout, undefined, 'A and B wait for themselves')
    assert.deepEqual(swarm.sent('A', 0), ['send A 2'])
  })

  it('takes nobody for stalled while sends finish in order, however slowly', () => {
    // each piece takes 1.5 s, one after the other, so that the fourth waits for 6 s
    const swarm = seeding()
    swarm.at(0)
    const running = allWant(swarm, ['A', 'B', 'C'], everything(8))
    assert.equal(running.length, 4)
    for (let time = 1_500; time <= 12_000; time += 1_500) {
      assert.deepEqual(swarm.at(time - 1).woke(), [])
      const [peer = '', piece = ''] = (running.shift() ?? '').replace('send ', '').split(' ')
      const started = swarm.at(time).sent(peer, Number(piece))
      assert.equal(started.length, 1)
      running.push(...started)
    }
  })

  it('takes a peer for stalled once it is overtaken', () => {
    const swarm = seeding()
    swarm.at(0)
    allWant(swarm, ['A'], [0, 1, 2])
    swarm.at(100)
    allWant(swarm, ['B'], [0, 1, 2, 3, 4])
    assert.deepEqual(swarm.at(1_000).sent('B', 0), ['send B 2'])
    swarm.wanted('C', 0)
    assert.deepEqual(swarm.at(1_900).sent('B', 1), ['send C 0'])
    assert.equal(swarm.nextTimeout, 2_000)
    assert.deepEqual(swarm.at(2_000).woke(), ['send B 3'])
  })

  it('drops what is wanted no more, unless it is on its way', () => {
    const swarm = seeding()
    allWant(swarm, ['A'], [0, 1, 2, 3])
    assert.deepEqual(swarm.unwanted('A', 2), [])
    assert.deepEqual(swarm.unwanted('A', 0), [])
    assert.deepEqual(swarm.unwanted('B', 0), [])
    assert.deepEqual(swarm.sent('A', 0), ['send A 3'])
  })

  it('sends a piece once however often it is wanted', () => {
    const swarm = seeding()
    const started = [...swarm.wanted('A', 0), ...swarm.wanted('A', 0), ...swarm.sent('A', 0), ...swarm.woke()]
    assert.deepEqual(started, ['send A 0'])
    assert.deepEqual(swarm.wanted('A', 0), ['send A 0'], 'but again when it has left')
  })

  it('forgets a peer that leaves, and the swarm that closes', () => {
    const swarm = seeding()
    allWant(swarm, ['A', 'B', 'C'], [0, 1, 2])
    assert.deepEqual(swarm.left('A'), ['send C 0', 'send C 1'])
    assert.deepEqual(swarm.sent('A', 0), [], 'late')
    assert.deepEqual(swarm.closed(), [])
    assert.deepEqual(swarm.sent('B', 0), [])
  })

  it('keeps the other swarms of a peer that leaves one', () => {
    const swarm = seeding()
    swarm.open('S', { pieces: 4, have: everything(4) })
    allWant(swarm, ['A'], [0, 1])
    swarm.wanted('A', 3, 'S')
    assert.deepEqual(swarm.left('A'), ['S: send A 3'])
  })

  it('ignores wants for what is not here', () => {
    const swarm = scenario({ pieces: 2, have: [0] })
    assert.deepEqual(swarm.wanted('A', 1), [])
    assert.deepEqual(swarm.wanted('A', 2), [])
    assert.deepEqual(swarm.wanted('A', -1), [])
    assert.deepEqual(swarm.wanted('A', 0, 'unknown'), [])
    assert.deepEqual(swarm.wanted('A', 0), ['send A 0'])
  })

  it('keeps at most 2,048 wants of a peer', () => {
    // pieces of one byte: half a MiB of them would go at once, so that the first two hold up the rest
    const swarm = seeding({ pieces: 2, size: 1 << 20 })
    swarm.open('S', { pieces: 2_100, size: 1, have: everything(2_100) })
    allWant(swarm, ['A'], [0, 1])
    const wanted = { type: 'wanted', root: rootKey('S'), peer: peerKey('A') } as const
    for (const piece of everything(2_100))
      assert.deepEqual(swarm.scheduler.handle({ ...wanted, piece }, millis(0)), [])
    swarm.sent('A', 0)
    const rest = swarm.sent('A', 1)
    assert.equal(rest.length, 2_048 - 1)
    assert.equal(rest.at(-1), 'S: send A 2047')
  })
})
