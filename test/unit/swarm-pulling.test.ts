/** What is asked of peers that send only what they are asked for, and in which order. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everything, MIB, only, requestedOf, scenario } from './swarm-scenario.ts'

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)

/** The pieces of `ask A 0 1 2`. */
const askedOf = (lines: readonly string[], peer: string): number[] =>
  only(lines, `ask ${peer} `).flatMap((line) => line.split(' ').slice(2).map(Number))

describe('what is asked for', () => {
  it('is rarest first', () => {
    for (const wire of ['bittorrent', 'bitswap'] as const) {
      const swarm = scenario({ pieces: 6, dammed: 'down', wire })
      swarm.drawn(`
        A ######
        B .#####
        C ..####
        D ...###
        E ....##
        F .....#
      `)
      const lines = swarm.flow()
      const atA = requestedOf(lines, 'A')
      assert.ok(atA.length > 1, 'a few at once')
      assert.deepEqual(atA, everything(atA.length), wire)
      assert.deepEqual(requestedOf(lines, 'B')[0] ?? atA.length, atA.length, wire)
    }
  })

  it('is asked once of a Bitswap peer that says it has it and then does not give it', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.joined('liar')
    swarm.lacks('liar', 0)
    assert.deepEqual(requestedOf(swarm.has('liar', 0), 'liar'), [0])
    const lines = swarm.lacks('liar', 0)
    assert.deepEqual([askedOf(lines, 'liar'), requestedOf(lines, 'liar')], [[], []])
    assert.deepEqual(requestedOf(swarm.has('liar', 0), 'liar'), [], 'it says so again at once')
    assert.deepEqual(askedOf(swarm.after(60_000).flow(), 'liar'), [])
    assert.deepEqual(requestedOf(swarm.has('liar', 0), 'liar'), [0], 'it says so anew')
  })

  it('is decided by chance among what is equally rare', () => {
    const first = everything(60).map((seed) => {
      const swarm = scenario({ pieces: 3, size: 4 * MIB, dammed: 'down', wire: 'bittorrent', seed })
      swarm.drawn('A ###')
      return requestedOf(swarm.flow(), 'A')[0]
    })
    assert.deepEqual(sorted([...new Set(first)].map(Number)), [0, 1, 2])
  })

  it('counts no peer that has left, and what others got or lost', () => {
    const swarm = scenario({ pieces: 2, size: 4 * MIB, dammed: 'down', wire: 'bitswap' })
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
    assert.deepEqual(requestedOf(swarm.flow(), 'A')[0], 1, 'piece 0 is held by A and D, 1 by A alone')
  })

  it('is asked of nobody that chokes us, on wires that know of that', () => {
    const swarm = scenario({ pieces: 2, size: 4 * MIB, wire: 'bittorrent' })
    swarm.joined('A')
    assert.deepEqual(requestedOf(swarm.has('A', 0, 1), 'A'), [])
    assert.equal(requestedOf(swarm.unchoked('A'), 'A').length, 1)
    swarm.choked('A')
    assert.deepEqual(requestedOf(swarm.rejected('A', 0).concat(swarm.rejected('A', 1)), 'A'), [])
    assert.equal(requestedOf(swarm.unchoked('A'), 'A').length, 1)
  })

  it('is nothing of a share node: that offers', () => {
    const swarm = scenario({ pieces: 2 })
    assert.deepEqual(only(swarm.drawn('A ##'), 'request'), [])
    const pulls = scenario({ pieces: 2, policy: { offers: false } })
    assert.equal(only(pulls.drawn('A ##'), 'request').length, 2)
  })

  it('is asked for again of others when it is rejected', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    swarm.drawn('A #')
    swarm.drawn('B #')
    swarm.choked('A')
    assert.deepEqual(only(swarm.rejected('A', 0), 'request'), ['request B 0'])
  })

  it('is what is not here of the piece', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    swarm.drawn('A #')
    swarm.drawn('B #')
    swarm.after(10).arrived('A', 0, { length: 16_384 })
    assert.deepEqual(only(swarm.left('A'), 'request'), [`request B 0 16384+${MIB - 16_384}`])
  })
})

describe('a piece that somebody waits for', () => {
  it('comes first, in the order of reading, however many have it', () => {
    const swarm = scenario({ pieces: 8, dammed: 'down', wire: 'bittorrent' })
    swarm.drawn(`
      A ########
      B ....####
      C ....####
    `)
    swarm.urgent(6, 5)
    const [first, second] = requestedOf(swarm.flow(), 'A')
    assert.deepEqual([first, second], [6, 5])
  })

  it('is asked for at once of whoever may take one more', () => {
    const swarm = scenario({ pieces: 64, wire: 'bittorrent' })
    const before = requestedOf(swarm.drawn(`A ${'#'.repeat(64)}`), 'A')
    const urgent = everything(64).find((piece) => !before.includes(piece)) ?? -1
    swarm.drawn(`B ${'.'.repeat(64)}`)
    swarm.has('B', urgent)
    assert.ok(!requestedOf(swarm.urgent(urgent), 'A').includes(urgent), 'A has enough to do')
  })

  it('is asked of share nodes too, a few at a time', () => {
    const swarm = scenario({ pieces: 8 })
    swarm.drawn('A ########')
    const asked = requestedOf(swarm.urgent(3, 4, 5, 6, 7), 'A')
    assert.ok(asked.length >= 1 && asked.length < 5)
    assert.deepEqual(asked, [3, 4, 5, 6, 7].slice(0, asked.length))
    const next = requestedOf(swarm.after(100).arrived('A', 3), 'A')
    assert.deepEqual(next, [3 + asked.length])
  })

  it('is not asked of share nodes that choke us', () => {
    const swarm = scenario({ pieces: 8 })
    swarm.drawn('A ########')
    swarm.choked('A')
    assert.deepEqual(swarm.urgent(3), [])
    assert.deepEqual(requestedOf(swarm.unchoked('A'), 'A'), [3])
  })

  it('is not asked for where it is on its way or here', () => {
    const swarm = scenario({ pieces: 8 })
    swarm.drawn('A ########\nB ########')
    swarm.offered('A', 3)
    assert.deepEqual(requestedOf(swarm.urgent(3), 'B'), [])
    swarm.after(100).comes('A', 3)
    assert.deepEqual(only(swarm.urgent(3), 'request'), [])
  })

  it('is the last that was said', () => {
    const swarm = scenario({ pieces: 8, dammed: 'down' })
    swarm.drawn('A ########')
    swarm.urgent(1, 2)
    swarm.urgent(7)
    assert.deepEqual(requestedOf(swarm.flow(), 'A'), [7])
    swarm.after(100).arrived('A', 7)
    assert.deepEqual(only(swarm.urgent(), 'request'), [])
  })
})

describe('a suggestion', () => {
  const table = `
    A ####
    B ...#
    C ...#
  `

  it('is followed before what is rarer', () => {
    const swarm = scenario({ pieces: 4, size: 16 * MIB, wire: 'bittorrent' })
    swarm.drawn(table)
    swarm.choked('A')
    for (const piece of everything(4)) swarm.rejected('A', piece)
    swarm.suggested('A', 3)
    for (const peer of ['B', 'C']) swarm.left(peer)
    assert.equal(requestedOf(swarm.unchoked('A'), 'A')[0], 3)
  })

  it('that a limit puts off is not forgotten', () => {
    const swarm = scenario({ pieces: 4, dammed: 'down', wire: 'bittorrent' })
    swarm.drawn(table)
    swarm.suggested('A', 3)
    assert.equal(requestedOf(swarm.flow(), 'A')[0], 3)
  })

  it('is followed once, where it makes sense', () => {
    const swarm = scenario({ pieces: 4, have: [0], dammed: 'down', wire: 'bittorrent' })
    swarm.drawn('A #.##')
    for (const piece of [0, 1, 3, 3, 99, -1]) swarm.suggested('A', piece)
    assert.deepEqual(sorted(requestedOf(swarm.flow(), 'A')), [2, 3])
  })
})

describe('what a Bitswap peer has', () => {
  it('is presumed to be everything until it answers', () => {
    const swarm = scenario({ pieces: 200, wire: 'bitswap' })
    const lines = swarm.joined('A')
    const requested = requestedOf(lines, 'A')
    assert.ok(requested.length > 0 && requested.length < 200)
    assert.deepEqual(
      askedOf(lines, 'A'),
      everything(200).filter((piece) => !requested.includes(piece)),
      'the rest is asked about',
    )
  })

  it('releases a piece that it lacks for others, and asks it to tell when it gets it', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.joined('A')
    swarm.joined('B')
    const released = swarm.lacks('A', 0)
    assert.deepEqual(only(released, 'ask', 'request'), ['ask A 0', 'request B 0'])
    assert.deepEqual(only(swarm.lacks('B', 0), 'ask', 'request'), ['ask B 0'])
    assert.deepEqual(only(swarm.has('B', 0), 'ask', 'request'), ['request B 0'])
  })

  it('after the first answer is what it said', () => {
    const swarm = scenario({ pieces: 8, size: 4 * MIB, wire: 'bitswap' })
    const [first = -1] = requestedOf(swarm.joined('A'), 'A')
    assert.deepEqual(only(swarm.lacks('A', first), 'ask', 'request'), [`ask A ${first}`])
    const other = (first + 1) % 8
    assert.deepEqual(requestedOf(swarm.has('A', other), 'A'), [other])
  })

  it('is asked for a bounded number of pieces at a time, further ones as answers come', () => {
    const swarm = scenario({ pieces: 10_000, dammed: 'down', wire: 'bitswap' })
    const first = askedOf(swarm.joined('A'), 'A')
    assert.ok(first.length > 100 && first.length <= 1_024, 'kubo queues no more than 1,024 wants of a peer')
    assert.deepEqual(first, everything(first.length))
    const next = askedOf(swarm.has('A', ...first.slice(0, 100)), 'A')
    assert.deepEqual(
      next,
      everything(100).map((at) => first.length + at),
    )
  })

  it('is asked no more where the piece has come from elsewhere', () => {
    const swarm = scenario({ pieces: 2, wire: 'bitswap' })
    swarm.joined('A')
    swarm.joined('B')
    swarm.lacks('B', 0, 1)
    assert.deepEqual(only(swarm.received('A', 0), 'cancel'), [], 'B was asked a question, nothing more')
    swarm.verified(0)
    assert.deepEqual(swarm.stored(0), ['unask B 0', 'have 0'])
  })

  it('is asked on and on, but only so much stays open at a peer that has nothing', () => {
    const pieces = 20_000
    const swarm = scenario({ pieces, dammed: 'down', wire: 'bitswap' })
    let asked = askedOf(swarm.joined('A'), 'A')
    let standing = 0
    while (asked.length > 0) {
      standing += asked.length
      asked = askedOf(swarm.lacks('A', ...asked), 'A')
    }
    assert.ok(standing > 1_024 && standing < pieces / 2, `${standing} questions stand`)
    assert.deepEqual(askedOf(swarm.has('A', 7), 'A'), [standing], 'an answer makes room for another')
  })

  it('is asked about a piece again that failed', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.joined('A')
    swarm.joined('B')
    swarm.lacks('B', 0)
    swarm.received('A', 0)
    swarm.verified(0)
    swarm.left('A')
    assert.deepEqual(only(swarm.storeFailed(0), 'ask'), [], 'the question to B stands')
    assert.deepEqual(only(swarm.has('B', 0), 'request'), ['request B 0'])
  })
})

describe('a peer that has a piece and does not send it', () => {
  it('leaves it to one who offers it', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A', 'share', [0])
    assert.ok(swarm.joined('B', 'bitswap', [0]).includes('request B 0'))
    const silent = swarm.until(15_000)
    assert.ok(silent.includes('cancel B 0'), 'it is silent')
    assert.ok(!silent.includes('request B 0'), 'and not asked again while A could send it')
    assert.deepEqual(only(swarm.offered('A', 0), 'request'), ['request A 0'])
  })

  it('leaves it so however many others keep it too', () => {
    const swarm = scenario({ pieces: 2 })
    const keepers = ['B', 'C', 'D', 'E', 'F']
    for (const keeper of keepers) swarm.joined(keeper, 'bitswap', [0, 1])
    // D has sent something before, and is counted on until it is silent
    const lines = [...swarm.received('D', 1), ...swarm.verified(1), ...swarm.stored(1)]
    swarm.joined('A', 'share', [0])
    for (let time = 0; time < 300_000; time += 500) {
      lines.push(...swarm.until(time))
      const told = only(lines, 'expect').filter((line) => line.endsWith(' 0'))
      // it is only offered where nobody was told that it is coming
      if (told.at(-1) === 'expect 0') continue
      const answer = swarm.offered('A', 0)
      assert.deepEqual(only(answer, 'request', 'decline'), ['request A 0'], `after ${time} ms`)
      assert.ok(time < 15_000, `after ${time} ms`)
      return
    }
    assert.fail('A might never offer it')
  })

  it('is not left for the offer of one that is silent itself', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A', 'share', [0])
    swarm.offered('A', 0)
    assert.ok(only(swarm.until(10_000), 'cancel A').length > 0)
    swarm.joined('B', 'bitswap', [0])
    // nobody was told that it is coming, so it is not declined either
    assert.deepEqual(swarm.offered('A', 0), ['busy A 0'])
    swarm.at(25_000)
    assert.deepEqual(only(swarm.offered('A', 0), 'cancel', 'request'), ['cancel B 0', 'request A 0'])
  })

  it('is asked again when it has rested, and rests longer each time', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A', 'share', [0])
    swarm.joined('B', 'bitswap', [0])
    const asked: number[] = []
    while (swarm.now < 200_000) {
      const due = swarm.nextTimeout
      assert.ok(due !== undefined, 'time alone brings it back')
      if (swarm.at(due).woke().includes('request B 0')) asked.push(swarm.now)
    }
    const pauses = asked.slice(1).map((at, index) => at - (asked[index] ?? 0))
    assert.ok(pauses.length >= 2)
    for (const [index, pause] of pauses.entries())
      if (index > 0) assert.ok(pause > (pauses[index - 1] ?? 0), `${pauses}`)
  })

  it('goes on being asked where nobody else has it', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('B', 'bitswap', [0])
    const lines = swarm.until(60_000)
    assert.ok(lines.some((line) => line.startsWith('remind B')))
  })
})
