/** What is offered to whom, and what its answer leads to. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SwarmAction } from '../../src/swarm/events.ts'
import {
  everything,
  KIB,
  MIB,
  only,
  type Scenario,
  type ScenarioOptions,
  scenario,
} from './swarm-scenario.ts'

const offers = (lines: readonly string[]): string[] => only(lines, 'offer ')

const eagerOf = (lines: readonly string[]): string[] =>
  offers(lines).filter((offer) => offer.endsWith('eager'))

const peerOf = (offer = ''): string => offer.split(' ')[1] ?? ''
const pieceOf = (offer = ''): number => Number(offer.split(' ')[2])

const seeding = ({ pieces = 8, ...options }: ScenarioOptions = {}): Scenario =>
  scenario({ pieces, have: everything(pieces), ...options })

describe('an offer', () => {
  it('is eager where nothing else is under way, here or there', () => {
    assert.deepEqual(seeding({ pieces: 1 }).joined('A'), ['offer A 0 eager'])
    assert.deepEqual(seeding({ pieces: 1, policy: { eager: false } }).joined('A'), ['offer A 0'])
    const swarm = scenario({ pieces: 3, have: [0, 1] })
    assert.equal(eagerOf(swarm.joined('A')).length, 1)
    assert.equal(eagerOf(swarm.joined('B')).length, 0, 'we offer to A')
    const other = seeding({ pieces: 2, dammed: 'up' })
    other.joined('A')
    other.expects('A', 0)
    assert.deepEqual(offers(other.flow()), ['offer A 1'], 'A expects something')
  })

  it('of what nobody else has is eager while the link has room: it cannot come twice', () => {
    const [one, two] = [1, 2].map((always) => seeding({ policy: { seederSends: { always, most: 8 } } }))
    const eager = ['A', 'B'].flatMap((peer) => eagerOf(two?.joined(peer) ?? []))
    assert.deepEqual(eager.map(peerOf), ['A', 'B'])
    assert.equal(new Set(eager.map(pieceOf)).size, 2, 'another piece for each')
    assert.equal(eagerOf(one?.joined('A') ?? []).length, 1)
    assert.deepEqual(eagerOf(one?.joined('B') ?? []), [], 'the link is full')
    const single = seeding({ pieces: 1 })
    single.joined('A')
    assert.deepEqual(eagerOf(single.joined('B')), [], 'A may pass it on by then')
  })

  it('that is eager is being sent, until it is declined', () => {
    const swarm = seeding({ pieces: 1 })
    swarm.joined('A')
    assert.deepEqual(only(swarm.after(10).accepted('A', 0), 'send'), [], 'there is nothing to begin')
    const refused = seeding()
    const piece = pieceOf(refused.joined('A')[0])
    assert.deepEqual(refused.after(10).declined('A', piece), [])
    assert.deepEqual(refused.requested('A', piece, { offered: true }), [`reject A ${piece}`], 'it is over')
  })

  it('that is accepted is sent; a part of it, if that is asked for', () => {
    const part = { begin: 256 * KIB, length: 512 * KIB }
    const cases: [asked: Partial<typeof part>, send: string][] = [
      [{}, 'send A 0'],
      [part, `send A 0 ${part.begin}+${part.length}`],
    ]
    for (const [asked, send] of cases) {
      const swarm = seeding({ pieces: 1, policy: { eager: false } })
      swarm.joined('A')
      assert.equal(swarm.after(10).requested('A', 0, { ...asked, offered: true })[0], send)
    }
  })

  it('says how fast and how soon: at once at first, then after what is ahead', () => {
    const swarm = seeding({ size: 16 * KIB })
    swarm.joined('A')
    const terms = swarm.actions.flatMap((action) => (action.type === 'offer' ? [action] : []))
    assert.ok(terms.length > 1)
    assert.equal(terms[0]?.start, 0)
    for (const [at, { rate, start }] of terms.entries()) {
      assert.ok(rate > 0)
      assert.ok(start >= (terms[at - 1]?.start ?? 0))
    }
  })

  it('is one at a time for each peer, or several of small pieces', () => {
    for (const [size, most] of [
      [MIB, 1],
      [64 * KIB, 63],
    ] as const) {
      const swarm = seeding({ pieces: 64, size, policy: { eager: false } })
      const open = offers(swarm.joined('A'))
      const waiting = new Set(open.map(pieceOf))
      const running: number[] = []
      let widest = waiting.size
      for (let offer = open.shift(); offer !== undefined; offer = open.shift()) {
        const lines = swarm.after(20).takes(offer)
        for (;;) {
          for (const send of only(lines, 'send ')) {
            waiting.delete(pieceOf(send))
            running.push(pieceOf(send))
          }
          for (const next of offers(lines)) waiting.add(pieceOf(open[open.push(next) - 1]))
          widest = Math.max(widest, waiting.size)
          lines.splice(0)
          const done = open.length === 0 ? running.shift() : undefined
          if (done === undefined) break
          lines.push(...swarm.after(20).delivered('A', done), ...swarm.has('A', done))
        }
      }
      assert.ok(widest <= most, `${widest} of ${size} bytes at once`)
      assert.equal(widest > 1, size < MIB)
    }
  })

  it('is made so far ahead that the answer comes in time: further where answers take longer', () => {
    /** How long the last of many offers would have had to wait, where each is answered after so long. */
    const ahead = (roundTrip: number): number => {
      const swarm = seeding({ pieces: 300, size: 16 * KIB, policy: { eager: false } })
      const open: string[] = []
      let longest = 0
      for (const peer of 'ABCDEFGHIJ') open.push(...swarm.joined(peer))
      for (let answered = 0; answered < 200; ) {
        swarm.after(roundTrip)
        for (const offer of offers(open.splice(0))) {
          const lines = swarm.takes(offer)
          for (const send of only(lines, 'send ')) lines.push(...swarm.delivered(peerOf(send), pieceOf(send)))
          open.push(...lines)
          for (const action of swarm.actions)
            if (action.type === 'offer' && answered > 150) longest = Math.max(longest, action.start)
          answered++
        }
      }
      return longest
    }
    assert.ok(ahead(200) > 2 * ahead(20), `${ahead(20)} and ${ahead(200)} ms`)
    assert.ok(ahead(200) < 10 * 200, 'but not for ever')
  })
})

describe('an offer that is turned down', () => {
  it('leaves the link to the next at once', () => {
    for (const answer of ['declined', 'busy'] as const) {
      const swarm = seeding({
        pieces: 2,
        dammed: 'up',
        policy: { eager: false, sends: { always: 1, most: 1 } },
      })
      for (const peer of 'ABCD') swarm.joined(peer)
      const first = offers(swarm.flow())
      assert.ok(first.length < 4)
      const [offer = ''] = first
      const next =
        answer === 'declined'
          ? swarm.after(10).declined(peerOf(offer), pieceOf(offer))
          : swarm.after(10).busy(peerOf(offer), pieceOf(offer), 500)
      assert.equal(offers(next).length, 1)
      assert.ok(!first.map(peerOf).includes(peerOf(next[0])), `${next[0]} after ${first.join(', ')}`)
    }
  })

  it('as busy is put off for so long', () => {
    for (const ms of [50, 500, 5_000]) {
      const swarm = seeding({ pieces: 1, policy: { eager: false } })
      swarm.at(0).joined('A')
      assert.deepEqual(swarm.at(10).busy('A', 0, ms), [])
      // the way there takes some time too
      assert.deepEqual(offers(swarm.until(10 + ms - 200)), [], `${ms} ms`)
      assert.deepEqual(offers(swarm.until(10 + ms + 100)), ['offer A 0'], `${ms} ms`)
    }
  })

  it('as busy until long after is not made again at once, where it starts later still', () => {
    const swarm = seeding({ pieces: 8, size: 4 * MIB })
    for (const peer of ['P', 'Q', 'R', 'S', 'T']) swarm.joined(peer, 'bitswap')
    for (const [piece, peer] of ['P', 'Q', 'R', 'S', 'T'].entries()) swarm.requested(peer, piece)
    // 12 MiB leave first, at a megabyte a second, and the turn after that of who pulls is an offer's
    const [offer = ''] = offers(swarm.joined('A', 'share'))
    assert.equal(peerOf(offer), 'A')
    assert.deepEqual(offers(swarm.busy('A', pieceOf(offer), 11_900)), [])
    assert.equal(offers(swarm.until(12_000)).length, 1)
  })

  it('is not made again, but others are', () => {
    const swarm = seeding({ pieces: 2, policy: { eager: false } })
    const [offer = ''] = swarm.at(0).joined('A')
    assert.deepEqual(swarm.at(10).declined('A', pieceOf(offer)), [], 'not before A may have told why')
    const next = swarm.until(1_000)
    assert.deepEqual(offers(next), [`offer A ${1 - pieceOf(offer)}`])
  })

  it('is made again when the peer expects the piece no more', () => {
    const swarm = seeding({ pieces: 1, policy: { eager: false, split: false } })
    swarm.at(0).joined('A')
    swarm.at(10).declined('A', 0)
    swarm.until(1_000)
    assert.deepEqual(offers(swarm.expectsNoMore('A', 0)), ['offer A 0'])
  })

  it('and empty is not repeated at once, nor never', () => {
    const swarm = seeding({ pieces: 1 })
    swarm.at(0).joined('A')
    swarm.declined('A', 0)
    const asked: number[] = []
    for (let time = 10; time <= 2_000; time += 10)
      if (only(swarm.until(time), 'offer-uplink').length > 0) {
        asked.push(time)
        swarm.declined('A')
      }
    assert.ok(asked.length >= 2 && asked.length <= 40, `asked at ${asked.join(', ')}`)
  })
})

describe('an offer that is not answered', () => {
  it('is given up after a while: what was kept for it goes to others', () => {
    const swarm = seeding({ pieces: 4, policy: { eager: false } })
    for (const peer of 'ABCDEF') swarm.at(0).joined(peer)
    const later = offers(swarm.until(60_000)).map(peerOf)
    for (const peer of 'CDEF') assert.ok(later.includes(peer), `nothing for ${peer}`)
  })

  it('stands for its peer: the same piece is not offered to it twice', () => {
    const swarm = seeding({ pieces: 1, policy: { eager: false } })
    assert.deepEqual(swarm.at(0).joined('A'), ['offer A 0'])
    assert.deepEqual(offers(swarm.until(60_000)), [])
  })

  it('does not count for a peer that left and came back', () => {
    const swarm = seeding({ pieces: 1, policy: { eager: false } })
    swarm.joined('A')
    assert.deepEqual(swarm.left('A'), [])
    assert.deepEqual(swarm.joined('A'), ['offer A 0'])
  })
})

describe('to whom a leecher offers', () => {
  /** The peers in the order in which they are offered something, by what they have; we have the last two pieces. */
  const order = (table: string, more: (swarm: Scenario) => void = () => undefined, seed = 1): string => {
    const pieces = table.trim().split('\n')[0]?.trim().split(/ +/)[1]?.length ?? 0
    const swarm = scenario({ pieces, have: [pieces - 2, pieces - 1], dammed: 'up', seed, size: 64 * KIB })
    swarm.drawn(table)
    more(swarm)
    const lines = offers(swarm.flow())
    for (let rounds = 0; rounds < 20; rounds++) lines.push(...offers(swarm.until(swarm.now + 1_000)))
    return [...new Set(lines.map(peerOf))].join('')
  }

  it('is who has the fewest pieces', () => {
    assert.equal(
      order(`
        A ###...
        B #.....
        C ####..
        D ##....
      `),
      'BDAC',
    )
  })

  it('counts what comes to a peer as had', () => {
    const table = `
      A ###...
      B #.....
      C ##....
    `
    assert.equal(
      order(table, (swarm) => swarm.expects('B', 1, 2, 3)),
      'CAB',
    )
    const withdrawn = (swarm: Scenario): void => {
      swarm.expects('B', 1, 2, 3)
      swarm.expectsNoMore('B', 1, 2, 3)
    }
    assert.equal(order(table, withdrawn), 'BCA')
  })

  it('is decided by chance among equals', () => {
    const table = `
      A #....
      B #....
      C #....
    `
    const first = new Set(everything(30).map((seed) => order(table, undefined, seed)[0]))
    assert.deepEqual([...first].toSorted(), ['A', 'B', 'C'])
  })

  it('is nobody who has all that we have, and nobody who pulls', () => {
    const mixed = (swarm: Scenario): void => {
      swarm.joined('P', 'bitswap')
      swarm.joined('Q', 'bittorrent')
    }
    const table = `
      A #..##
      B .....
      C ...##
      D #####
    `
    assert.equal(order(table, mixed), 'B')
  })

  it('is a peer that gave nothing for much last of all', () => {
    // N has least and so comes first; R has little, W more
    const table = `
      N ........
      R #.......
      W .##.....
    `
    const rides = (swarm: Scenario): void => void swarm.delivered('R', 7, { length: 100 * MIB })
    const gives = (swarm: Scenario): void => {
      rides(swarm)
      swarm.arrived('R', 0, { length: 50 * MIB })
    }
    const newcomer = (swarm: Scenario): void => void swarm.delivered('R', 7, { length: MIB / 2 })
    assert.equal(order(table, rides), 'NWR')
    assert.equal(order(table, gives), 'NRW')
    assert.equal(order(table, newcomer), 'NRW')
  })

  it('is a peer that has nothing to give all the same, however much it got', () => {
    const table = `
      N ........
      R ........
      W .##.....
    `
    const got = (swarm: Scenario): void => void swarm.delivered('R', 7, { length: 100 * MIB })
    assert.match(order(table, got), /^(NR|RN)W$/)
  })
})

describe('to whom a seeder offers', () => {
  /** Until ten seconds have passed since the beginning. */
  const putOff = (swarm: Scenario, offer: string): string[] =>
    swarm.busy(peerOf(offer), pieceOf(offer), 10_000 - swarm.now)

  /**
   * A and B got a piece each, and are busy for ten seconds; then one of them is seen to have the other's. Returns who
   * is offered something first when the ten seconds are over.
   */
  const next = (copied: 'from A' | 'from B', policy: ScenarioOptions['policy'] = {}): string => {
    const swarm = seeding({ policy: { eager: false, ...policy } })
    const got = new Map<string, number>()
    for (const peer of ['A', 'B']) {
      const lines = swarm.joined(peer)
      for (const offer of offers(lines)) {
        const [of, piece] = [peerOf(offer), pieceOf(offer)]
        if (got.has(of)) lines.push(...putOff(swarm, offer))
        else {
          got.set(of, piece)
          const more = [
            ...swarm.takes(offer),
            ...swarm.after(1).delivered(of, piece),
            ...swarm.has(of, piece),
          ]
          for (const second of offers(more)) putOff(swarm, second)
        }
      }
    }
    const [ofA = -1, ofB = -1] = [got.get('A'), got.get('B')]
    assert.notEqual(ofA, ofB)
    const others = everything(8).filter((piece) => piece !== ofA && piece !== ofB)
    // who passed something on has more pieces than the other
    swarm.has(copied === 'from A' ? 'A' : 'B', ...others.slice(0, 3))
    if (copied === 'from A') swarm.has('B', ofA)
    else swarm.has('A', ofB)
    return peerOf(offers(swarm.until(12_000))[0])
  }

  it('is who passed on what it was the first to get', () => {
    assert.equal(next('from A'), 'A')
    assert.equal(next('from B'), 'B')
  })

  it('would be who has fewer pieces otherwise', () => {
    assert.equal(next('from A', { unreplicated: false }), 'B')
    assert.equal(next('from B', { unreplicated: false }), 'A')
  })
})

describe('what is offered', () => {
  it('is what is rarest, by what peers have and what comes to them', () => {
    /** What A, which has nothing, is offered of our five; `+` is on its way there. */
    const cases: [table: string, piece: number][] = [
      ['A ..... B #.##. C #...#', 1],
      ['A ..... B ##.## C ...##', 2],
      ['A ..... B ##+## C ##.## D ##.+#', 2],
      ['A ..... B ##+.# C ##+#+ D +++.+', 3],
    ]
    for (const [table, piece] of cases) {
      const swarm = scenario({ pieces: 6, have: everything(5), dammed: 'up' })
      const rows = table.split(/ (?=[A-Z])/)
      swarm.drawn(rows.join('\n'))
      for (const [peer = '', marks = ''] of rows.map((row) => row.split(' ')))
        swarm.expects(peer, ...[...marks].flatMap((mark, at) => (mark === '+' ? [at] : [])))
      const toA = offers(swarm.flow()).find((offer) => peerOf(offer) === 'A')
      assert.equal(pieceOf(toA), piece, table)
    }
  })

  it('counts what comes to others, until that is withdrawn', () => {
    for (const withdrawn of [false, true]) {
      const swarm = scenario({ pieces: 3, have: [0, 1], dammed: 'up' })
      swarm.drawn(`
        A ...
        B #..
        C ..#
        D ..#
      `)
      for (const peer of ['C', 'D']) swarm.expects(peer, 1)
      if (withdrawn) for (const peer of ['C', 'D']) swarm.expectsNoMore(peer, 1)
      assert.equal(pieceOf(offers(swarm.flow())[0]), withdrawn ? 1 : 0)
    }
  })

  it('is not what the peer has, expects or is offered', () => {
    const swarm = seeding({ pieces: 4, size: 16 * KIB, dammed: 'up' })
    swarm.joined('A')
    swarm.has('A', 0)
    swarm.expects('A', 2)
    const offered = [...offers(swarm.flow()), ...offers(swarm.until(4_000))].map(pieceOf)
    assert.deepEqual(offered.toSorted(), [1, 3])
  })

  it('by a seeder is something else for each, until all was sent once', () => {
    const swarm = seeding({ pieces: 6, dammed: 'up', policy: { eager: false } })
    for (const peer of 'ABCDEF') swarm.joined(peer)
    const given: number[] = []
    const lines = swarm.flow()
    for (let time = 50; time <= 5_000 && given.length < 6; time += 50) {
      lines.push(...swarm.until(time))
      for (const offer of offers(lines.splice(0)).slice(0, 6 - given.length)) {
        given.push(pieceOf(offer))
        lines.push(...swarm.at(time).gets(offer))
      }
    }
    assert.deepEqual(given.toSorted(), everything(6))
  })

  it('is nothing to those that have nothing missing', () => {
    const swarm = seeding({ pieces: 2, dammed: 'up' })
    swarm.drawn('A ##')
    assert.deepEqual([...swarm.flow(), ...swarm.until(10_000)], [])
  })

  it('is the free uplink, to a peer that waits for a piece that we have', () => {
    const swarm = seeding({ pieces: 2, dammed: 'up' })
    swarm.drawn('A #.')
    swarm.expects('A', 1)
    assert.deepEqual(swarm.flow(), ['offer-uplink A'])
    const unsplit = seeding({ pieces: 2, dammed: 'up', policy: { split: false } })
    unsplit.drawn('A #.')
    unsplit.expects('A', 1)
    assert.deepEqual(unsplit.flow(), [])
    const useless = scenario({ pieces: 2, have: [0], dammed: 'up' })
    useless.drawn('A #.')
    useless.expects('A', 1)
    assert.deepEqual(useless.flow(), [])
  })
})

describe('pieces that come later', () => {
  it('are offered as soon as they are stored', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.drawn('A .#\nB ##')
    assert.deepEqual(offers(swarm.offered('B', 0)), [])
    swarm.arrived('B', 0)
    assert.deepEqual(offers(swarm.verified(0)), [])
    assert.deepEqual(swarm.stored(0), ['have 0', 'offer A 0 eager'])
  })

  it('and were found by the walk are offered too', () => {
    const swarm = scenario({ pieces: 0, final: false })
    swarm.joined('A')
    assert.deepEqual(offers(swarm.grown(2, { found: [1] })), ['offer A 1 eager'])
  })
})

describe('swarms that share a link', () => {
  it('offer in turn', () => {
    const roots = ['R', 'S', 'T']
    const swarm = seeding({ pieces: 40, policy: { eager: false } })
    for (const root of roots.slice(1)) swarm.open(root, { pieces: 40, have: everything(40) })
    const queue: SwarmAction[] = []
    for (const root of roots)
      for (const peer of ['A', 'B']) {
        swarm.of(root).joined(`${peer} of ${root}`)
        queue.push(...swarm.actions)
      }
    const counts = new Map<string, number>(roots.map((root) => [root, 0]))
    for (let made = 0; made < 60; ) {
      const action = queue.shift()
      if (action === undefined) {
        const due = swarm.nextTimeout
        assert.ok(due !== undefined && due < 600_000, `${made} offers`)
        swarm.at(Math.max(due, swarm.now)).woke()
        queue.push(...swarm.actions)
        continue
      }
      if (action.type !== 'offer') continue
      made++
      counts.set(action.root, (counts.get(action.root) ?? 0) + 1)
      swarm.of(action.root).after(20).requested(action.peer, action.piece, { offered: true })
      queue.push(...swarm.actions)
      swarm.after(500).delivered(action.peer, action.piece)
      queue.push(...swarm.actions)
      swarm.has(action.peer, action.piece)
      queue.push(...swarm.actions)
    }
    for (const [root, count] of counts) assert.ok(count >= 15, `${count} of 60 in ${root}`)
  })
})
