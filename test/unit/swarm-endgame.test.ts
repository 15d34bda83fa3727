import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MIB, only, requestedOf, type Scenario, scenario } from './swarm-scenario.ts'

/**
 * Ten pieces of 1 MiB. A and B have all; A, which joined first, is asked for four of them and falls behind; B
 * delivers six at ten a second. Returned are the pieces that A still owes, and what B's last delivery brought about.
 */
function lastOnes(pieces = 10): { swarm: Scenario; owed: number[]; actions: string[] } {
  const swarm = scenario({ pieces, dammed: true })
  const all = '#'.repeat(pieces)
  swarm.drawn(`
    A ${all}
    B ${all}
  `)
  const flow = swarm.at(0).flow()
  const owed = requestedOf(flow, 'A')
  const atB = requestedOf(flow, 'B')
  let actions: string[] = []
  for (let time = 100; atB.length > 0; time += 100) {
    actions = swarm.at(time).delivered('B', atB.shift() ?? -1)
    atB.push(...requestedOf(actions, 'B').filter((piece) => !owed.includes(piece)))
  }
  return { swarm, owed, actions }
}

describe('the endgame', () => {
  it('asks an idle peer for the piece that is due last, one at a time', () => {
    // A owes four pieces since 0.6 s and nothing is known of its pace: each may take as long again; B needs 0.1 s
    const { swarm, owed, actions } = lastOnes()
    const [taken = -1] = requestedOf(actions, 'B')
    assert.ok(owed.includes(taken))
    const next = swarm.at(700).delivered('B', taken)
    assert.deepEqual(only(next, 'cancel'), [`cancel A ${taken}`], 'as soon as it is verified')
    assert.equal(requestedOf(next, 'B').length, 1)
  })

  it('cancels at the others when a piece is verified, not when it is merely there', () => {
    const { swarm, actions } = lastOnes()
    const [taken = -1] = requestedOf(actions, 'B')
    swarm.at(700)
    assert.deepEqual(only(swarm.received('B', taken), 'cancel'), [])
    assert.deepEqual(swarm.verified('B', taken), [`cancel A ${taken}`])
  })

  it('goes on with the other source when one sent wrong bytes', () => {
    const { swarm, actions } = lastOnes()
    const [taken = -1] = requestedOf(actions, 'B')
    swarm.received('B', taken)
    assert.deepEqual(swarm.corrupt('B', taken), ['ban B'])
    assert.deepEqual(swarm.delivered('A', taken), [`verify-and-store A ${taken}`, `have ${taken}`])
  })

  it('does not begin for a gain that is small', () => {
    // both deliver a piece every 100 ms; A has one left when B is done
    const swarm = scenario({ pieces: 9, dammed: true })
    swarm.drawn(`
      A #########
      B #########
    `)
    const flow = swarm.at(0).flow()
    const [atA, atB] = [requestedOf(flow, 'A'), requestedOf(flow, 'B')]
    const left = (): number => atA.length + atB.length
    for (let time = 100; left() > 1; time += 100) {
      for (const [peer, queue] of [
        ['A', atA],
        ['B', atB],
      ] as const) {
        if (left() === 1) break
        const actions = swarm.at(time).delivered(peer, queue.shift() ?? -1)
        assert.deepEqual(
          [...requestedOf(actions, 'A'), ...requestedOf(actions, 'B')].filter(
            (piece) => atA.includes(piece) || atB.includes(piece),
          ),
          [],
          'nothing is asked for twice',
        )
        atA.push(...requestedOf(actions, 'A'))
        atB.push(...requestedOf(actions, 'B'))
      }
    }
  })

  it('does not ask a newcomer for what another was asked just now', () => {
    const swarm = scenario({ pieces: 1 })
    assert.deepEqual(swarm.at(0).joined('A'), ['request A 0'])
    assert.deepEqual(swarm.at(50).joined('B'), ['ask B 0'])
    assert.deepEqual(swarm.at(60).has('B', 0), [])
  })

  it('leaves a piece that is being verified alone', () => {
    const swarm = scenario({ pieces: 2, size: 4 * MIB, dammed: true })
    swarm.drawn(`
      A ##
      B ##
    `)
    const flow = swarm.at(0).flow()
    const [atA = -1] = requestedOf(flow, 'A')
    const [atB = -1] = requestedOf(flow, 'B')
    swarm.at(100).received('A', atA)
    const actions = swarm.at(200).received('B', atB)
    assert.deepEqual(actions, [`verify-and-store B ${atB}`])
  })

  it('has at most three sources for a piece', () => {
    // S alone has the last piece for a long time; then four peers that have shown their pace get it too
    const swarm = scenario({ pieces: 5, dammed: true })
    swarm.drawn(`
      S ....#
      A #....
      B .#...
      C ..#..
      D ...#.
    `)
    swarm.at(0).flow()
    for (const [peer, piece] of [
      ['A', 0],
      ['B', 1],
      ['C', 2],
      ['D', 3],
    ] as const) {
      swarm.at(100).delivered(peer, piece)
    }
    swarm.at(5_000)
    assert.deepEqual(swarm.has('A', 4), ['request A 4'])
    swarm.at(9_000)
    assert.deepEqual(
      [...swarm.has('B', 4), ...swarm.has('C', 4), ...swarm.has('D', 4)],
      ['request B 4'],
      'S, A and B are enough',
    )
    const last = swarm.delivered('B', 4)
    assert.deepEqual(last, ['verify-and-store B 4', 'cancel S 4', 'cancel A 4', 'have 4', 'completed'])
  })

  it('waits for the walk to end', () => {
    const swarm = scenario({ pieces: 2, size: 4 * MIB, final: false, dammed: true })
    swarm.drawn(`
      A ##
      B ##
    `)
    const flow = swarm.at(0).flow()
    const [atB = -1] = requestedOf(flow, 'B')
    const still = swarm.at(1_000).delivered('B', atB)
    assert.deepEqual(only(still, 'request'), [])
    assert.deepEqual(only(swarm.at(5_000).grown(0, { final: true }), 'request'), [`request B ${1 - atB}`])
  })
})
