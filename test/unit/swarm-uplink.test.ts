/** What is sent, when, and in which order: the uplink as the peers see it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerKey, rootKey } from '../../src/core/types.ts'
import { POLICY } from '../../src/swarm/policy.ts'
import {
  everything,
  KIB,
  MIB,
  only,
  type Scenario,
  type ScenarioOptions,
  scenario,
} from './swarm-scenario.ts'

/** A node that has everything, and peers that pull from it unless a test says otherwise. */
const seeding = ({ pieces = 16, ...options }: ScenarioOptions = {}): Scenario =>
  scenario({ wire: 'bitswap', pieces, have: everything(pieces), ...options })

/** One that has all but the last piece, and so wants something itself. */
const leeching = ({ pieces = 16, ...options }: ScenarioOptions = {}): Scenario =>
  scenario({ wire: 'bitswap', pieces: pieces + 1, have: everything(pieces), ...options })

/** Each of them joins and asks for these pieces; what is sent at once is returned. */
const allAsk = (swarm: Scenario, peers: readonly string[], pieces: readonly number[]): string[] =>
  peers.flatMap((peer) => {
    swarm.joined(peer)
    return pieces.flatMap((piece) => only(swarm.requested(peer, piece), 'send'))
  })

const names = (count: number): string[] => everything(count).map((at) => `P${at}`)

/** `send A 3` */
const parsed = (send: string): [peer: string, piece: number] => {
  const [, peer = '', piece = ''] = send.split(' ')
  return [peer, Number(piece)]
}

describe('sends at once', () => {
  it('are a few, two to a peer at most, and one more as soon as one has left', () => {
    const cases: [name: string, swarm: Scenario, sends: number][] = [
      ['a seeder', seeding(), POLICY.seederSends.always],
      ['a leecher', leeching(), POLICY.sends.always],
    ]
    for (const [name, swarm, sends] of cases) {
      const running = allAsk(swarm, names(10), [0, 1, 2])
      assert.equal(running.length, sends, name)
      assert.deepEqual(running.slice(0, 2), ['send P0 0', 'send P0 1'], name)
      const [first = ''] = running
      assert.equal(only(swarm.after(100).delivered(...parsed(first)), 'send').length, 1, name)
    }
  })

  it('are one of a peer that is to write one and read one', () => {
    const swarm = seeding()
    assert.deepEqual(allAsk(swarm, ['A'], [0, 1, 2, 3]), ['send A 0', 'send A 1'])
    assert.deepEqual(swarm.after(10).delivered('A', 0), ['send A 2'])
    assert.deepEqual(swarm.after(10).delivered('A', 0), [], 'twice is once')
    assert.deepEqual(swarm.sendFailed('A', 1), ['send A 3'])
  })

  it('are over for the uplink when they have left, though nobody confirms', () => {
    const swarm = leeching()
    allAsk(swarm, ['A', 'B', 'C'], [0, 1])
    assert.deepEqual(swarm.after(10).sent('A', 0, { length: 512 * KIB }), [])
    assert.deepEqual(swarm.after(10).sent('A', 0, { length: 512 * KIB }), ['send B 0'])
  })

  it('are more of small pieces', () => {
    const sends = [MIB, 128 * KIB, 16 * KIB].map(
      (size) => allAsk(seeding({ pieces: 2, size }), names(60), [0, 1]).length,
    )
    const [whole = 0, eighth = 0, small = 0] = sends
    assert.ok(whole < eighth && eighth < small, sends.join(' < '))
    assert.ok(small < 120)
  })

  it('are more while those that run leave room, up to a bound', () => {
    // the link did 10 MB/s; now each peer takes 1 MB/s
    const swarm = leeching()
    allAsk(swarm, ['fast'], [0])
    swarm.at(100).delivered('fast', 0)
    const running = allAsk(swarm, names(10), [0])
    assert.equal(running.length, POLICY.sends.always)
    for (let time = 200; time <= 1_000; time += 100) {
      swarm.at(time)
      for (const send of [...running])
        running.push(...only(swarm.delivered(...parsed(send), { length: 100_000 }), 'send'))
    }
    assert.equal(running.length, POLICY.sends.most)
  })

  it('are not more while those that run take all', () => {
    const swarm = leeching({ size: 10_000_000 })
    const running = allAsk(swarm, names(10), [0])
    for (let time = 100; time <= 1_000; time += 100) {
      swarm.at(time)
      for (const send of running)
        assert.deepEqual(only(swarm.delivered(...parsed(send), { length: 500_000 }), 'send'), [])
    }
  })
})

describe('a peer that takes nothing', () => {
  /** How many pieces the last peer gets within a minute while the others ask for much and never take a byte. */
  const pulledBeside = (silent: number, swarm: Scenario): number => {
    let got = 0
    const lines = allAsk(swarm, [...names(silent), 'good'], [0, 1])
    for (let time = 0; time <= 60_000 && got < 2; time += 500) {
      lines.push(...swarm.until(time))
      for (const send of only(lines.splice(0), 'send good')) {
        got++
        lines.push(...swarm.delivered(...parsed(send)))
      }
    }
    return got
  }

  /** The same where the others take every offer, but no byte. */
  const offeredBeside = (silent: number, swarm: Scenario): number => {
    const got = new Set<number>()
    const lines = [...names(silent), 'good'].flatMap((peer) => swarm.joined(peer))
    for (let time = 0; time <= 60_000 && got.size < 4; time += 100) {
      lines.push(...swarm.until(time))
      for (const offer of only(lines.splice(0), 'offer ')) {
        const good = offer.startsWith('offer good')
        if (good) got.add(parsed(offer)[1])
        lines.push(...(good ? swarm.gets(offer) : swarm.takes(offer)))
      }
    }
    return got.size
  }

  it('holds up itself alone', () => {
    for (const silent of [1, 2, 3, 5, 10]) {
      assert.equal(pulledBeside(silent, leeching()), 2, `${silent} beside a leecher`)
      assert.equal(pulledBeside(silent, seeding()), 2, `${silent} beside a seeder`)
    }
  })

  it('keeps nobody else from being offered pieces', () => {
    for (const silent of [1, 2, 3, 5, 10]) {
      const swarm = seeding({ wire: 'share', pieces: 4 })
      assert.equal(offeredBeside(silent, swarm), 4, `${silent} beside a seeder`)
    }
  })

  it('is not one of those that take little at a time', () => {
    // the link carries 64 KiB a second, which two share
    const swarm = leeching()
    allAsk(swarm.at(0), ['A'], [0])
    swarm.at(16_000).delivered('A', 0)
    const running = allAsk(swarm, ['B', 'C', 'D'], everything(8))
    for (let time = 16_500; time <= 30_000; time += 500) {
      assert.deepEqual(only(swarm.until(time), 'send'), [])
      for (const send of running) assert.deepEqual(swarm.delivered(...parsed(send), { length: 16 * KIB }), [])
    }
  })
})

describe('the order of what is asked for', () => {
  /** Lets whatever runs finish one after the other, and returns what starts meanwhile, as `A2 B0`. */
  const drain = (swarm: Scenario, running: readonly string[]): string[] => {
    const queue = [...running]
    const order: string[] = []
    for (let send = queue.shift(); send !== undefined; send = queue.shift()) {
      const started = only(swarm.after(1_000).delivered(...parsed(send)), 'send')
      queue.push(...started)
      order.push(...started.map((line) => parsed(line).join('')))
    }
    return order
  }

  it('is by turns', () => {
    const swarm = leeching({ pieces: 4 })
    const running = allAsk(swarm, ['A', 'B', 'C'], everything(4))
    assert.deepEqual(running, ['send A 0', 'send A 1'])
    const order = drain(swarm, running)
    assert.deepEqual(order.toSorted(), ['A2', 'A3', 'B0', 'B1', 'B2', 'B3', 'C0', 'C1', 'C2', 'C3'])
    // nobody gets far ahead of another that waits
    for (let served = 1; served <= order.length; served++) {
      const counts = ['A', 'B', 'C'].map(
        (peer) => order.slice(0, served).filter((one) => one.startsWith(peer)).length,
      )
      const waiting = counts.filter((count, at) => count < (at === 0 ? 2 : 4))
      assert.ok(
        Math.max(...counts) - Math.min(...waiting, Math.max(...counts)) <= 2,
        order.slice(0, served).join(' '),
      )
    }
  })

  it('is by turns over all roots', () => {
    const swarm = leeching()
    swarm.open('S', { pieces: 8, have: everything(8) })
    allAsk(swarm, ['A'], everything(8))
    swarm.of('S').joined('B')
    for (const piece of everything(8)) swarm.requested('B', piece)
    assert.deepEqual(swarm.of('R').after(100).delivered('A', 0), ['S: send B 0'])
  })

  it('of one peer is its own', () => {
    const swarm = leeching()
    const running = allAsk(swarm, ['A'], [5, 3, 7, 1])
    assert.deepEqual(
      [...running.map((send) => parsed(send).join('')), ...drain(swarm, running)],
      ['A5', 'A3', 'A7', 'A1'],
    )
  })

  it('leaves half of the link to those that are offered pieces', () => {
    // whatever runs is a MiB, and ends one second after the one before
    const pieces = 40
    const swarm = scenario({ pieces: pieces + 1, have: everything(pieces), policy: { eager: false } })
    const got = { offered: 0, pulled: 0 }
    swarm.joined('pulls', 'bitswap')
    const lines = everything(pieces).flatMap((piece) => swarm.requested('pulls', piece))
    lines.push(...swarm.joined('share'))
    for (const offer of only(lines, 'offer ')) lines.push(...swarm.takes(offer))
    const running = only(lines, 'send')
    for (let second = 1; second <= 30; second++) {
      const [peer, piece] = parsed(running.shift() ?? '')
      got[peer === 'share' ? 'offered' : 'pulled']++
      const next = swarm.at(second * 1_000).delivered(peer, piece)
      if (peer === 'share') next.push(...swarm.has(peer, piece))
      for (const offer of only(next, 'offer ')) next.push(...swarm.takes(offer))
      running.push(...only(next, 'send'))
    }
    assert.ok(got.offered >= 12 && got.pulled >= 12, `${got.pulled} pulled, ${got.offered} offered`)
  })
})

describe('what is not wanted any more', () => {
  it('is not sent', () => {
    const swarm = leeching()
    allAsk(swarm, ['A'], [0, 1, 2, 3])
    assert.deepEqual(swarm.shortened('A', 2), [])
    assert.deepEqual(swarm.shortened('B', 0), [])
    assert.deepEqual(swarm.after(10).delivered('A', 0), ['send A 3'])
  })

  it('ends its send where all that is wanted has arrived', () => {
    const swarm = leeching()
    allAsk(swarm, ['A'], [0, 1, 2])
    swarm.after(10).delivered('A', 0, { length: 256 * KIB })
    assert.deepEqual(swarm.after(10).shortened('A', 0, { length: 512 * KIB }), [])
    assert.deepEqual(swarm.after(10).delivered('A', 0, { length: 256 * KIB }), ['send A 2'])
    allAsk(swarm, ['B'], [0])
    assert.deepEqual(swarm.after(10).shortened('A', 1), ['send B 0'])
  })

  it('is sent as far as it is wanted', () => {
    const swarm = leeching()
    allAsk(swarm, ['A'], [0, 1, 2])
    swarm.shortened('A', 2, { length: 512 * KIB })
    assert.deepEqual(swarm.after(10).delivered('A', 0), [`send A 2 0+${512 * KIB}`])
  })
})

describe('a request', () => {
  it('for what is not here is refused', () => {
    const swarm = scenario({ wire: 'bitswap', pieces: 2, have: [0] })
    swarm.joined('A')
    for (const piece of [1, 2, -1, 2 ** 31])
      assert.deepEqual(swarm.requested('A', piece), [`reject A ${piece}`])
    assert.deepEqual(swarm.requested('A', 0), ['send A 0'])
  })

  it('of a stranger, or in an unknown swarm, is nothing', () => {
    const swarm = seeding()
    assert.deepEqual(swarm.requested('A', 0), [])
    assert.deepEqual(swarm.of('unknown').requested('A', 0), [])
  })

  it('of a choked peer is refused, unless it accepts an offer', () => {
    const swarm = seeding({ wire: 'share', policy: { eager: false } })
    const [offer = ''] = swarm.joined('A')
    const [, piece] = parsed(offer)
    assert.deepEqual(only(swarm.requested('A', (piece + 1) % 16), 'reject', 'send'), [
      `reject A ${(piece + 1) % 16}`,
    ])
    assert.deepEqual(only(swarm.requested('A', piece, { offered: true }), 'reject', 'send'), [
      `send A ${piece}`,
    ])
  })

  it('is answered once while it waits, however often it is made', () => {
    const swarm = leeching()
    allAsk(swarm, ['A'], [0, 1])
    for (let times = 0; times < 3; times++) assert.deepEqual(swarm.requested('A', 2), [])
    assert.deepEqual(swarm.after(10).delivered('A', 0), ['send A 2'])
    assert.deepEqual(swarm.after(10).delivered('A', 1), [])
  })

  it('of a peer with too many is refused, and it alone', () => {
    const pieces = 10_000
    const swarm = seeding({ pieces, size: MIB })
    swarm.joined('A')
    const asked = {
      type: 'requested',
      root: rootKey('R'),
      peer: peerKey('A'),
      begin: 0,
      length: MIB,
      offered: false,
    } as const
    const refused = everything(pieces).filter((piece) => {
      // without looking at the books each time
      const actions = swarm.scheduler.handle({ ...asked, piece }, asked.length as never)
      return actions.some(({ type }) => type === 'reject')
    })
    assert.ok(refused.length > 0 && refused.length < pieces - 512, `${refused.length} of ${pieces} refused`)
    assert.deepEqual(allAsk(swarm, ['B'], [0]).length + only(swarm.requested('B', 1), 'reject').length, 1)
  })
})
