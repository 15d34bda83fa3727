import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KIB, MIB, only, requestedOf, type Scenario, scenario } from './swarm-scenario.ts'

/** What is in flight at a peer, followed through its lines. */
class Flight {
  readonly pieces = new Set<number>()
  readonly #peer: string

  constructor(peer: string) {
    this.#peer = peer
  }

  follow(actions: readonly string[]): readonly string[] {
    for (const piece of requestedOf(actions, this.#peer)) this.pieces.add(piece)
    for (const line of only(actions, `cancel ${this.#peer} `))
      this.pieces.delete(Number(line.split(' ').at(-1)))
    return actions
  }

  /** The peer sends the piece that it was asked for first. */
  deliver(swarm: Scenario): void {
    const [piece = -1] = this.pieces
    this.pieces.delete(piece)
    this.follow(swarm.delivered(this.#peer, piece))
  }
}

describe('how much is in flight at a peer', () => {
  it('doubles with each round trip of the first second', () => {
    const swarm = scenario({ pieces: 100 })
    const flight = new Flight('A')
    flight.follow(swarm.at(0).joined('A'))
    assert.equal(flight.pieces.size, 4)
    swarm.at(100)
    for (let left = 4; left > 0; left--) flight.deliver(swarm)
    assert.equal(flight.pieces.size, 8)
    swarm.at(200)
    for (let left = 8; left > 0; left--) flight.deliver(swarm)
    assert.equal(flight.pieces.size, 16)
  })

  it('then is what comes in its round trip and a second', () => {
    // two pieces a second for ten seconds; a round trip of 500 ms makes 1.5 s of it: 3 MiB
    const swarm = scenario({ pieces: 100 })
    const flight = new Flight('A')
    flight.follow(swarm.at(0).joined('A'))
    for (let time = 500; time <= 10_000; time += 500) {
      swarm.at(time)
      flight.deliver(swarm)
    }
    assert.equal(flight.pieces.size, 4, 'the rate counts half a slot more than has passed: 3.2 MiB')
  })

  it('is two of the largest blocks at least', () => {
    // a piece after a second, then one in ten seconds
    const swarm = scenario({ pieces: 100 })
    const flight = new Flight('A')
    flight.follow(swarm.at(0).joined('A'))
    swarm.at(1_000)
    flight.deliver(swarm)
    for (let time = 10_000; time <= 100_000; time += 10_000) {
      swarm.at(time)
      flight.deliver(swarm)
    }
    assert.equal(flight.pieces.size, 2)
  })

  it('is 64 MiB at most', () => {
    const swarm = scenario({ pieces: 1_000 })
    const flight = new Flight('A')
    flight.follow(swarm.at(0).joined('A'))
    for (let time = 1; time <= 300; time++) {
      swarm.at(time)
      flight.deliver(swarm)
    }
    assert.equal(flight.pieces.size, 64)
  })

  it('is 512 requests at most', () => {
    const swarm = scenario({ pieces: 2_000, size: 1 * KIB })
    const flight = new Flight('A')
    flight.follow(swarm.at(0).joined('A'))
    assert.equal(flight.pieces.size, 512)
  })
})

describe('the limit on downloads', () => {
  it('spaces requests by their size over the rate, and wakes for the next', () => {
    const swarm = scenario({ pieces: 3 })
    swarm.at(0).limited(MIB)
    assert.equal(requestedOf(swarm.joined('A'), 'A').length, 1)
    assert.equal(swarm.nextTimeout, 1_000)
    assert.equal(requestedOf(swarm.at(500).woke(), 'A').length, 0)
    assert.equal(swarm.nextTimeout, 1_000)
    assert.equal(requestedOf(swarm.at(1_000).woke(), 'A').length, 1)
    assert.equal(swarm.nextTimeout, 2_000)
  })

  it('is shared by all swarms', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.open('S', { pieces: 1 })
    swarm.at(0).limited(MIB)
    assert.deepEqual(swarm.joined('A'), ['request A 0'])
    swarm.wanted('A', 0, 'S')
    assert.deepEqual(requestedOf(swarm.joined('B'), 'B'), [])
    assert.equal(swarm.nextTimeout, 1_000)
  })

  it('when lifted lets everything go at once', () => {
    const swarm = scenario({ pieces: 3, dammed: true })
    assert.deepEqual(swarm.joined('A'), ['ask A 0 1 2'])
    assert.equal(requestedOf(swarm.limited(0), 'A').length, 3)
  })

  it('wakes for the endgame too', () => {
    // A falls silent with the last piece while the limiter is in debt; B has it and idles
    const swarm = scenario({ pieces: 2, size: 4 * MIB })
    const [first = -1] = requestedOf(swarm.at(0).joined('A'), 'A')
    const last = 1 - first
    swarm.joined('B')
    swarm.has('B', 0, 1)
    swarm.has('A', 0, 1)
    swarm.at(100).limited(1 * MIB)
    const actions = [...swarm.delivered('B', last), ...swarm.at(4_000).woke()]
    assert.deepEqual(requestedOf(actions, 'B'), [first], 'much sooner than a peer of which nothing is known')
  })
})

describe('a silent peer', () => {
  it('is given ten seconds, then keeps only what nobody else has', () => {
    const swarm = scenario({ pieces: 4, dammed: true })
    swarm.drawn(`
      A ####
      B .#..
    `)
    const first = swarm.flow()
    assert.deepEqual(requestedOf(first, 'A').length, 4)
    assert.equal(swarm.nextTimeout, 10_000)
    assert.deepEqual(swarm.at(9_999).woke(), [])
    const actions = swarm.at(10_000).woke()
    assert.deepEqual(only(actions, 'cancel'), ['cancel A 1'])
    assert.deepEqual(only(actions, 'request'), ['request B 1'])
  })

  it('is reminded of what nobody else has, for the answer may be lost', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.at(0).joined('A')
    const [reminder = ''] = swarm.at(10_000).woke()
    assert.match(reminder, /^remind A (0 1|1 0)$/)
    assert.equal(swarm.nextTimeout, 20_000, 'and again after as long a time')
    assert.deepEqual(swarm.at(20_000).woke(), [reminder])
  })

  it('is measured by its own habit once it has delivered', () => {
    // pauses of exactly a second: the mean is 1 s, the deviation shrinks, and two seconds are the least
    const swarm = scenario({ pieces: 40 })
    const flight = new Flight('A')
    flight.follow(swarm.at(0).joined('A'))
    for (let time = 1_000; time <= 20_000; time += 1_000) {
      swarm.at(time)
      flight.deliver(swarm)
    }
    assert.equal(swarm.nextTimeout, 22_000)
  })

  it('is not silent while part of a piece comes', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.at(0).joined('A')
    swarm.at(9_000).progressed('A', 1_000)
    assert.equal(swarm.nextTimeout, 19_000)
  })

  it('gets one request at a time until it delivers', () => {
    const swarm = scenario({ pieces: 40, dammed: true })
    swarm.drawn(`
      A ########################################
      B ####....................................
    `)
    swarm.left('B')
    swarm.at(0).flow()
    swarm.joined('C')
    swarm.has('C', ...Array(40).keys())
    const snubbed = swarm.at(10_000).woke()
    const again = requestedOf(snubbed, 'A')
    assert.equal(only(snubbed, 'cancel A').length, 4)
    assert.equal(again.length, 1)
    assert.ok(requestedOf(swarm.delivered('A', again[0] ?? -1), 'A').length > 1)
  })

  it('may be silent for good: what it was asked comes from others', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.at(0).joined('A')
    swarm.joined('B')
    swarm.has('B', 0)
    assert.deepEqual(only(swarm.at(10_000).woke(), 'cancel'), ['cancel A 0'])
    const rescued = [...swarm.at(20_000).woke(), ...swarm.delivered('B', 0)]
    assert.ok(rescued.includes('completed'))
  })

  it('gives way to a peer that gets the piece later', () => {
    const swarm = scenario({ pieces: 2, dammed: true })
    swarm.drawn(`
      A #.
      B ..
    `)
    swarm.at(0).flow()
    assert.deepEqual(only(swarm.at(10_000).woke(), 'cancel'), [], 'nobody else has it')
    assert.deepEqual(swarm.at(11_000).has('B', 0), ['cancel A 0', 'request B 0'])
  })

  it('that never told what it has does not hold pieces back from another of that kind', () => {
    // peers of Bitswap 1.1.0 know no presences
    const swarm = scenario({ pieces: 4 })
    swarm.at(0).joined('A')
    swarm.joined('B')
    const actions = swarm.at(10_000).woke()
    assert.equal(only(actions, 'cancel A').length, 4)
    assert.equal(requestedOf(actions, 'B').length >= 3, true)
    const [kept = -1] = requestedOf(actions, 'A')
    for (const piece of requestedOf(actions, 'B')) swarm.at(10_100).delivered('B', piece)
    assert.deepEqual(swarm.at(10_200).delivered('B', kept).slice(-1), ['completed'])
  })

  it('is asked again for what was taken from it', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.at(0).joined('A')
    swarm.joined('B')
    swarm.has('B', 0)
    swarm.has('A')
    swarm.at(10_000).woke()
    swarm.left('B')
    assert.ok(swarm.at(11_000).has('A', 0).length >= 0)
    assert.deepEqual(swarm.delivered('A', 0).slice(-1), ['completed'])
  })
})
