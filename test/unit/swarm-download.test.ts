import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MIB, only, requestedOf, scenario } from './swarm-scenario.ts'

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

describe('a piece on its way in', () => {
  it('is requested, verified, stored and then told', () => {
    const swarm = scenario({ pieces: 1 })
    assert.deepEqual(swarm.joined('A'), ['request A 0'])
    assert.deepEqual(swarm.received('A', 0), ['verify-and-store A 0'])
    assert.deepEqual(swarm.verified('A', 0), [])
    assert.deepEqual(swarm.stored('A', 0), ['have 0', 'completed'])
  })

  it('moves only forward: an event out of order does nothing', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    assert.deepEqual(swarm.verified('A', 0), [])
    assert.deepEqual(swarm.stored('A', 0), [])
    assert.deepEqual(swarm.storeFailed('A', 0), [])
    swarm.received('A', 0)
    assert.deepEqual(swarm.received('A', 0), [])
    assert.deepEqual(swarm.stored('A', 0), [])
    assert.deepEqual(swarm.storeFailed('A', 0), [])
    swarm.verified('A', 0)
    assert.deepEqual(swarm.received('A', 0), [])
    assert.deepEqual(swarm.stored('A', 0), ['have 0', 'completed'])
    assert.deepEqual(swarm.storeFailed('A', 0), [])
    assert.deepEqual(swarm.corrupt('B', 0), ['ban B'])
    assert.deepEqual(swarm.received('A', 0), [])
  })

  it('is taken from a peer that sends it unasked, and cancelled where it was asked', () => {
    const swarm = scenario({ pieces: 1 })
    assert.deepEqual(swarm.joined('A'), ['request A 0'])
    assert.deepEqual(swarm.joined('B'), ['ask B 0'])
    assert.deepEqual(swarm.received('B', 0), ['verify-and-store B 0'])
    assert.deepEqual(swarm.verified('B', 0), ['cancel A 0'])
  })

  it('is fetched again, without blame, when it could not be stored', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    swarm.received('A', 0)
    swarm.verified('A', 0)
    assert.deepEqual(swarm.storeFailed('A', 0), ['request A 0'])
    swarm.received('A', 0)
    swarm.verified('A', 0)
    assert.deepEqual(swarm.stored('A', 0), ['have 0', 'completed'])
  })

  it('can be had again from its sender even where that one answers only for the others', () => {
    const swarm = scenario({ pieces: 2, size: 4 * MIB })
    const [first = -1] = requestedOf(swarm.joined('A'), 'A')
    swarm.has('A', 1 - first)
    swarm.received('A', first)
    swarm.verified('A', first)
    assert.deepEqual(only(swarm.storeFailed('A', first), 'request'), [`request A ${first}`])
  })
})

describe('what a peer has', () => {
  it('is presumed to be everything until it answers', () => {
    const swarm = scenario({ pieces: 8 })
    const actions = swarm.joined('A')
    const requested = requestedOf(actions, 'A')
    const others = [0, 1, 2, 3, 4, 5, 6, 7].filter((piece) => !requested.includes(piece))
    assert.equal(requested.length, 4, 'the first window is 4 MiB')
    assert.equal(actions.at(-1), `ask A ${others.join(' ')}`)
  })

  it('releases a piece that it lacks for others, and asks it to tell when it gets it', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    swarm.joined('B')
    assert.deepEqual(swarm.lacks('A', 0), ['ask A 0', 'request B 0'])
    assert.deepEqual(swarm.lacks('B', 0), ['ask B 0'])
    assert.deepEqual(swarm.has('B', 0), ['request B 0'])
  })

  it('after the first answer is what it said', () => {
    const swarm = scenario({ pieces: 8, size: 4 * MIB })
    const [first = -1] = requestedOf(swarm.joined('A'), 'A')
    assert.deepEqual(swarm.lacks('A', first), [`ask A ${first}`])
    assert.deepEqual(requestedOf(swarm.has('A', 5), 'A'), [5])
  })

  it('is rarest first', () => {
    const swarm = scenario({ pieces: 6, dammed: true })
    swarm.drawn(`
      A ######
      B .#####
      C ..####
      D ...###
      E ....##
      F .....#
    `)
    const actions = swarm.flow()
    assert.deepEqual(requestedOf(actions, 'A'), [0, 1, 2, 3])
    assert.deepEqual(requestedOf(actions, 'B'), [4, 5])
  })

  it('counts no longer when the peer leaves', () => {
    const swarm = scenario({ pieces: 2, size: 4 * MIB, dammed: true })
    swarm.drawn(`
      A ##
      B #.
      C #.
      D .#
    `)
    swarm.left('B')
    swarm.left('C')
    swarm.has('D', 0)
    swarm.lacks('D', 1)
    assert.deepEqual(requestedOf(swarm.flow(), 'A'), [1], 'piece 0 is held by A and D, 1 by A alone')
  })

  it('is asked for at most 512 pieces at a time', () => {
    const swarm = scenario({ pieces: 2_000, dammed: true })
    const [first = ''] = swarm.joined('A')
    const pieces = first.split(' ').slice(2).map(Number)
    assert.deepEqual(pieces, [...Array(512).keys()])
    const [next = ''] = swarm.has('A', ...pieces.slice(0, 100))
    assert.deepEqual(
      next.split(' ').slice(2).map(Number),
      [...Array(100).keys()].map((at) => at + 512),
    )
  })

  it('is asked no more where the piece has come from elsewhere', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.joined('A')
    swarm.joined('B')
    swarm.lacks('B', 0, 1)
    assert.deepEqual(swarm.delivered('A', 0), ['verify-and-store A 0', 'cancel B 0', 'have 0'])
  })

  it('is asked on and on, but only so much at a time stays open at a peer that has nothing', () => {
    const swarm = scenario({ pieces: 10_000, dammed: true })
    let open = swarm.joined('A')
    let asked = 0
    while (open.length > 0) {
      const pieces = open.flatMap((ask) => ask.split(' ').slice(2).map(Number))
      asked += pieces.length
      open = swarm.lacks('A', ...pieces)
    }
    assert.equal(asked, 4_096)
    assert.equal(swarm.has('A', 7)[0], 'ask A 4096')
  })

  it('of pieces beyond the piece space is ignored', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    assert.deepEqual(swarm.has('A', 1, 2 ** 31, -1), [])
    assert.deepEqual(swarm.lacks('A', 1, 2 ** 31, -1), [])
    assert.deepEqual(swarm.received('A', 9), [])
  })
})

describe('the piece space', () => {
  it('grows in the middle of a download', () => {
    const swarm = scenario({ pieces: 0, final: false })
    assert.deepEqual(swarm.joined('A'), [])
    assert.deepEqual(swarm.grown(1), ['request A 0'])
    assert.deepEqual(swarm.delivered('A', 0), ['verify-and-store A 0', 'have 0'])
    assert.deepEqual(swarm.grown(2, { found: [2] }), ['have 2', 'request A 1'])
    assert.deepEqual(swarm.grown(0, { final: true }), [])
    assert.deepEqual(swarm.delivered('A', 1), ['verify-and-store A 1', 'have 1', 'completed'])
  })

  it('is complete once, however it came to be', () => {
    const cases = {
      'empty, final at once': () => scenario({ pieces: 0, final: false }).grown(0, { final: true }),
      'all found': () =>
        scenario({ pieces: 0, final: false })
          .grown(3, { found: [0, 1, 2], final: true })
          .slice(-1),
    }
    for (const [name, run] of Object.entries(cases)) assert.deepEqual(run(), ['completed'], name)
    const swarm = scenario({ pieces: 1, have: [0] })
    assert.deepEqual(swarm.grown(0, { final: true }), [])
    assert.deepEqual(swarm.open('R', { pieces: 1, have: [0] }), [], 'open already')
    assert.deepEqual(swarm.joined('A'), [])
    assert.deepEqual(swarm.woke(), [])
  })

  it('is not complete while the walk goes on', () => {
    const swarm = scenario({ pieces: 1, have: [0], final: false })
    assert.deepEqual(swarm.grown(1, { found: [1] }), ['have 1'])
    assert.deepEqual(swarm.grown(0, { final: true }), ['completed'])
  })

  it('says nothing of pieces that were stored before it opened', () => {
    const swarm = scenario({ pieces: 1, have: [0] })
    assert.deepEqual(swarm.open('S', { pieces: 2, have: [0, 1] }), ['S: completed'])
  })
})

describe('a peer that leaves', () => {
  it('leaves its pieces to others', () => {
    const swarm = scenario({ pieces: 2 })
    assert.deepEqual(sorted(requestedOf(swarm.joined('A'), 'A')), [0, 1])
    swarm.joined('B')
    assert.deepEqual(sorted(requestedOf(swarm.left('A'), 'B')), [0, 1])
  })

  it('and its piece is being verified: the piece is stored all the same', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    swarm.received('A', 0)
    assert.deepEqual(swarm.left('A'), [])
    assert.deepEqual(swarm.verified('A', 0), [])
    assert.deepEqual(swarm.stored('A', 0), ['have 0', 'completed'])
  })

  it('does nothing more, late events included', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.joined('A')
    swarm.left('A')
    assert.deepEqual(
      [
        ...swarm.has('A', 0),
        ...swarm.lacks('A', 1),
        ...swarm.received('A', 0),
        ...swarm.sent('A', 0),
        ...swarm.sendFailed('A', 1),
        ...swarm.left('A'),
      ],
      [],
    )
    assert.equal(swarm.nextTimeout, undefined)
  })

  it('may come back', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    swarm.left('A')
    assert.deepEqual(swarm.joined('A'), ['request A 0'])
    assert.deepEqual(swarm.joined('A'), [], 'joining twice changes nothing')
  })
})

describe('a swarm that was closed', () => {
  it('does nothing more, and can be opened again', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    assert.deepEqual(swarm.closed(), [])
    const late = [
      ...swarm.received('A', 0),
      ...swarm.verified('A', 0),
      ...swarm.corrupt('A', 0),
      ...swarm.wanted('A', 0),
      ...swarm.joined('B'),
      ...swarm.grown(3),
      ...swarm.closed(),
    ]
    assert.deepEqual(late, [])
    assert.equal(swarm.nextTimeout, undefined)
    swarm.open('R', { pieces: 1 })
    assert.deepEqual(swarm.joined('A'), ['request A 0'])
  })
})

describe('wrong bytes', () => {
  it('ban their sender, in every swarm, and the piece comes from others', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.open('S', { pieces: 1, have: [0] })
    swarm.joined('A')
    swarm.wanted('A', 0, 'S')
    swarm.joined('B')
    swarm.received('A', 0)
    assert.deepEqual(swarm.corrupt('A', 0), ['ban A', 'request B 0'])
    assert.equal(swarm.nextTimeout, 10_000, "A's send is forgotten, B's request is waited for")
    assert.deepEqual(swarm.joined('A'), [], 'not again in this run')
    assert.deepEqual(swarm.wanted('A', 0, 'S'), [])
    assert.deepEqual(swarm.corrupt('A', 0), [], 'banned once')
    assert.deepEqual(swarm.delivered('B', 0), ['verify-and-store B 0', 'have 0', 'completed'])
  })

  it('of no piece at all ban their sender and release what it was asked', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.joined('A')
    swarm.joined('B')
    const actions = swarm.corrupt('A')
    assert.deepEqual(only(actions, 'ban'), ['ban A'])
    assert.deepEqual(sorted(requestedOf(actions, 'B')), [0, 1])
  })

  it('for a piece that another sent right do not stop its storing', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    swarm.joined('B')
    swarm.received('A', 0)
    swarm.verified('A', 0)
    assert.deepEqual(swarm.corrupt('B', 0), ['ban B'])
    assert.deepEqual(swarm.stored('A', 0), ['have 0', 'completed'])
  })
})
