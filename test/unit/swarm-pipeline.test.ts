/** How much is in flight at a peer that is asked, and what becomes of it when the peer falls silent. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { rootKey } from '../../src/core/types.ts'
import { everything, KIB, MIB, only, requestedOf, type Scenario, scenario } from './swarm-scenario.ts'

/** What is in flight at A, followed through its lines. */
class Flight {
  readonly pieces = new Set<number>()
  readonly swarm: Scenario

  constructor(pieces: number, size = MIB) {
    this.swarm = scenario({ pieces, size, wire: 'bittorrent' }).at(0)
    this.follow(this.swarm.drawn(`A ${'#'.repeat(pieces)}`))
  }

  follow(lines: readonly string[]): readonly string[] {
    for (const piece of requestedOf(lines, 'A')) this.pieces.add(piece)
    for (const line of only(lines, 'cancel A ')) this.pieces.delete(Number(line.split(' ')[2]))
    return lines
  }

  /** The peer sends the piece that it was asked for first. */
  deliver(): void {
    const [piece = -1] = this.pieces
    this.pieces.delete(piece)
    this.follow(this.swarm.comes('A', piece))
  }
}

describe('how much is in flight at a peer', () => {
  it('grows by what comes, as long as little is known of it', () => {
    const bench = new Flight(100)
    const first = bench.pieces.size
    assert.ok(first >= 2)
    for (const [round, expected] of [2 * first, 4 * first].entries()) {
      bench.swarm.at((round + 1) * 100)
      for (let left = bench.pieces.size; left > 0; left--) bench.deliver()
      assert.equal(bench.pieces.size, expected)
    }
  })

  it('then follows its rate: as much as comes in its round trip and a while', () => {
    /** So many pieces a second for twenty seconds. */
    const inFlight = (rate: number): number => {
      const bench = new Flight(20 * rate + 100)
      for (let time = 1_000 / rate; time <= 20_000; time += 1_000 / rate) {
        bench.swarm.at(time)
        bench.deliver()
      }
      return bench.pieces.size
    }
    const [slow, fast] = [inFlight(4), inFlight(16)]
    assert.ok(slow >= 4 && slow <= 12, `${slow} at 4 a second`)
    assert.ok(fast >= 16 && fast <= 48, `${fast} at 16 a second`)
  })

  it('has a floor: one comes while the next is asked for', () => {
    const bench = new Flight(100)
    for (let time = 10_000; time <= 100_000; time += 10_000) {
      bench.swarm.at(time)
      bench.deliver()
    }
    assert.ok(bench.pieces.size >= 2)
  })

  it('has a bound in bytes, however fast the peer', () => {
    const bench = new Flight(1_000)
    for (let time = 1; time <= 300; time++) {
      bench.swarm.at(time)
      bench.deliver()
    }
    assert.ok(bench.pieces.size >= 16 && bench.pieces.size <= 128, `${bench.pieces.size} MiB`)
  })

  it('has a bound in requests, however small the pieces', () => {
    const { pieces } = new Flight(5_000, KIB)
    assert.ok(pieces.size >= 100 && pieces.size <= 1_024, `${pieces.size} of 1 KiB`)
  })
})

const snubbed = ({ scheduler }: Scenario): boolean =>
  scheduler.peers(rootKey('R')).some((peer) => peer.snubbed)

/** For how long nothing may come of the peer. */
function patience({ swarm }: Flight): number {
  const since = swarm.now
  while (!snubbed(swarm) && swarm.now < since + 600_000) swarm.until(swarm.now + 100)
  return swarm.now - since
}

describe('a silent peer', () => {
  it('is given some seconds, then keeps only what nobody else has', () => {
    const swarm = scenario({ pieces: 4, dammed: 'down', wire: 'bittorrent' })
    swarm.drawn(`
      A ####
      B .#..
    `)
    assert.equal(requestedOf(swarm.flow(), 'A').length + requestedOf(swarm.lacks('A'), 'B').length, 4)
    assert.deepEqual(only(swarm.until(1_500), 'cancel'), [])
    const lines = swarm.until(30_000)
    assert.deepEqual(only(lines, 'cancel A').slice(0, 1), ['cancel A 1'])
    assert.ok(only(lines, 'request B').includes('request B 1'))
    assert.deepEqual(only(lines, 'cancel A 0', 'cancel A 2', 'cancel A 3'), [])
  })

  it('is reminded of what nobody else has, for the answer may be lost', () => {
    const swarm = scenario({ pieces: 2, wire: 'bitswap' })
    swarm.at(0).joined('A')
    const reminders = only(swarm.until(120_000), 'remind')
    assert.ok(reminders.length > 1)
    for (const reminder of reminders) assert.match(reminder, /^remind A (0 1|1 0)$/)
    const torrent = scenario({ pieces: 2, wire: 'bittorrent' })
    torrent.drawn('A ##')
    assert.deepEqual(only(torrent.until(120_000), 'remind'), [], 'that is a thing of Bitswap')
  })

  it('is measured by its own habit once it has delivered', () => {
    /** A piece each so many ms, for twenty pieces. */
    const habit = (pause: number): Flight => {
      const bench = new Flight(100)
      for (let count = 1; count <= 20; count++) {
        bench.swarm.at(count * pause)
        bench.deliver()
      }
      return bench
    }
    const [quick, slow] = [patience(habit(100)), patience(habit(8_000))]
    assert.ok(quick < slow, `${quick} and ${slow} ms`)
    assert.ok(slow > 8_000)
  })

  it('is not silent while part of a piece comes', () => {
    for (const wire of ['bitswap', 'bittorrent', 'share'] as const) {
      const swarm = scenario({ pieces: 1, wire })
      swarm.drawn('A #')
      if (wire === 'share') swarm.offered('A', 0)
      for (let step = 0; step < 60; step++) {
        assert.deepEqual(only(swarm.until((step + 1) * 1_000), 'cancel', 'remind'), [], wire)
        if (wire === 'bitswap') swarm.progressed('A')
        else swarm.arrived('A', 0, { begin: step * 16 * KIB, length: 16 * KIB })
      }
    }
  })

  it('gets one request at a time until it delivers', () => {
    const swarm = scenario({ pieces: 40, wire: 'bittorrent' })
    const all = '#'.repeat(40)
    swarm.drawn(`A ${all}`)
    swarm.drawn(`B ${all}`)
    const open = new Set<string>()
    let most = 0
    for (let time = 500; time <= 60_000; time += 500) {
      for (const line of swarm.until(time)) {
        if (line.startsWith('cancel A')) open.delete(line.replace('cancel', 'request'))
        if (line.startsWith('request A')) open.add(line)
      }
      if (snubbed(swarm)) most = Math.max(most, open.size)
    }
    assert.equal(most, 1)
    const [request = ''] = open
    const [piece = -1] = requestedOf([request], 'A')
    assert.ok(requestedOf(swarm.arrived('A', piece), 'A').length > 1)
  })

  it('may be silent for good: what it was asked comes from others', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.at(0).joined('A')
    swarm.joined('B')
    swarm.has('B', 0)
    const lines = swarm.until(60_000)
    assert.deepEqual(only(lines, 'cancel')[0], 'cancel A 0')
    assert.ok(only(lines, 'request B').length > 0)
  })

  it('gives way to a peer that gets the piece later', () => {
    for (const wire of ['bittorrent', 'bitswap'] as const) {
      const swarm = scenario({ pieces: 2, dammed: 'down', wire })
      swarm.drawn('A #.\nB ..')
      swarm.at(0).flow()
      assert.deepEqual(only(swarm.until(60_000), 'cancel'), [], 'nobody else has it')
      assert.deepEqual(only(swarm.has('B', 0), 'cancel', 'request'), ['cancel A 0', 'request B 0'])
    }
  })

  it('that never told what it has does not hold pieces back from another of that kind', () => {
    // peers of Bitswap 1.1.0 know no presences
    const swarm = scenario({ pieces: 4, wire: 'bitswap' })
    swarm.at(0).joined('A')
    swarm.joined('B')
    assert.deepEqual(rest(swarm, 'B', []), everything(4))
  })

  it('that offers is treated likewise: others may send what it did not', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.drawn('A #\nB #')
    swarm.at(0).offered('A', 0)
    assert.deepEqual(only(swarm.until(60_000), 'cancel', 'expect-no-more'), [
      'cancel A 0',
      'expect-no-more 0',
    ])
    assert.deepEqual(only(swarm.offered('B', 0), 'request'), ['request B 0'])
    const stops = scenario({ pieces: 1 })
    stops.drawn('A #\nB #')
    stops.at(0).offered('A', 0)
    stops.at(100).arrived('A', 0, { length: 512 * KIB })
    assert.deepEqual(only(stops.until(120_000), 'cancel'), [`cancel A 0 ${512 * KIB}+${512 * KIB}`])
    assert.deepEqual(only(stops.offered('B', 0), 'request'), [`request B 0 ${512 * KIB}+${512 * KIB}`])
  })

  it('is let be where that is switched off', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent', policy: { snubbing: false } })
    swarm.drawn('A #\nB #')
    assert.deepEqual(only(swarm.until(120_000), 'cancel'), [])
  })
})

/** The pieces that come of the peer, each when it is asked for, within two minutes; it says nothing of what it has. */
function rest(swarm: Scenario, peer: string, lines: string[]): number[] {
  const came: number[] = []
  for (let time = swarm.now; time <= 120_000; time += 500) {
    lines.push(...swarm.until(time))
    for (const piece of requestedOf(lines.splice(0), peer)) {
      came.push(piece)
      lines.push(...swarm.received(peer, piece), ...swarm.verified(piece), ...swarm.stored(piece))
    }
  }
  return came.toSorted((a, b) => a - b)
}

describe('a peer that sends and says nothing', () => {
  it('is asked for everything', () => {
    const swarm = scenario({ pieces: 50, wire: 'bitswap' })
    assert.deepEqual(rest(swarm, 'A', swarm.joined('A')), everything(50))
  })
})

describe('pieces asked for', () => {
  it('are each asked for once, however many may send them', () => {
    const swarm = scenario({ pieces: 16, dammed: 'down', wire: 'bittorrent' })
    for (const peer of 'ABCDEFGH') swarm.drawn(`${peer} ${'#'.repeat(16)}`)
    const asked = only(swarm.flow(), 'request').map((line) => Number(line.split(' ')[2]))
    assert.deepEqual(
      asked.toSorted((a, b) => a - b),
      everything(16),
    )
  })
})
