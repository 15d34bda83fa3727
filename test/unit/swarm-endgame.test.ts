/** The last pieces, of peers that are asked: a second one is, where that is much sooner. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MIB, only, requestedOf, type Scenario, type SwarmOptions, scenario } from './swarm-scenario.ts'

/**
 * Ten pieces of 1 MiB. A and B have all; A, which joined first, is asked for some of them and falls behind; B
 * delivers the others at ten a second. Returned are the pieces that A still owes, and what B's last delivery led to.
 */
function lastOnes(pieces = 10): { swarm: Scenario; owed: number[]; lines: string[] } {
  const swarm = scenario({ pieces, dammed: 'down', wire: 'bittorrent' })
  const all = '#'.repeat(pieces)
  swarm.drawn(`
    A ${all}
    B ${all}
  `)
  const flow = swarm.at(0).flow()
  const owed = requestedOf(flow, 'A')
  const atB = requestedOf(flow, 'B')
  let lines: string[] = []
  for (let time = 100; atB.length > 0; time += 100) {
    lines = swarm.at(time).comes('B', atB.shift() ?? -1)
    atB.push(...requestedOf(lines, 'B').filter((piece) => !owed.includes(piece)))
  }
  return { swarm, owed, lines }
}

/** A and B have both of two pieces; A is asked for the first, B for the other. */
function oneEach(options: SwarmOptions = {}): Scenario {
  const swarm = scenario({ pieces: 2, wire: 'bittorrent', ...options })
  swarm.drawn('A #.\nB .#')
  swarm.has('A', 1)
  swarm.has('B', 0)
  return swarm
}

describe('the endgame', () => {
  it('asks an idle peer for what is due last, one piece at a time, and cancels at the other', () => {
    // A owes pieces since 0.6 s and nothing is known of its pace: each may take as long again; B needs 0.1 s
    const { swarm, owed, lines } = lastOnes()
    const [taken = -1] = requestedOf(lines, 'B')
    assert.ok(owed.includes(taken))
    const next = swarm.after(100).comes('B', taken)
    assert.deepEqual(only(next, 'cancel'), [`cancel A ${taken}`])
    assert.equal(requestedOf(next, 'B').length, 1)
  })

  it('is over when each piece came once, whoever sent it', () => {
    const { swarm, owed, lines } = lastOnes()
    const left = new Set(owed)
    const all = [...lines]
    for (
      let [piece] = requestedOf(lines, 'B');
      piece !== undefined;
      [piece] = requestedOf(all.splice(0), 'B')
    ) {
      left.delete(piece)
      all.splice(0)
      all.push(...swarm.after(100).comes('B', piece))
      if (all.includes('completed')) break
    }
    assert.equal(left.size, 0)
    assert.ok(all.includes('completed'))
  })

  it('keeps the other source until the piece is whole', () => {
    const { swarm, lines } = lastOnes()
    const [taken = -1] = requestedOf(lines, 'B')
    swarm.after(50)
    assert.deepEqual(swarm.arrived('B', taken, { length: MIB / 2 }), [])
    assert.deepEqual(only(swarm.arrived('A', taken), 'cancel', 'verify'), [
      `cancel B ${taken} ${MIB / 2}+${MIB / 2}`,
      `verify-and-store ${taken}`,
    ])
  })

  it('goes on with the other source when one leaves', () => {
    const { swarm, lines } = lastOnes()
    const [taken = -1] = requestedOf(lines, 'B')
    const left = swarm.left('B')
    assert.deepEqual(only(left, `request A ${taken}`), [], 'A sends it still')
    assert.deepEqual(only(swarm.arrived('A', taken), 'verify'), [`verify-and-store ${taken}`])
  })

  it('does not begin for a gain that is small', () => {
    // both deliver a piece every 100 ms; A has one left when B is done
    const swarm = scenario({ pieces: 9, dammed: 'down', wire: 'bittorrent' })
    swarm.drawn(`
      A #########
      B #########
    `)
    const flow = swarm.at(0).flow()
    const open = { A: requestedOf(flow, 'A'), B: requestedOf(flow, 'B') }
    for (let time = 100; open.A.length + open.B.length > 1; time += 100) {
      for (const peer of ['A', 'B'] as const) {
        const piece = open[peer].shift()
        if (piece === undefined) continue
        const lines = swarm.at(time).comes(peer, piece)
        for (const other of ['A', 'B'] as const) {
          for (const asked of requestedOf(lines, other)) {
            assert.ok(![...open.A, ...open.B].includes(asked), `${asked} is asked for twice`)
            open[other].push(asked)
          }
        }
      }
    }
  })

  it('does not ask a newcomer for what another was asked just now', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    assert.deepEqual(only(swarm.at(0).drawn('A #'), 'request'), ['request A 0'])
    assert.deepEqual(only(swarm.at(50).drawn('B #'), 'request'), [])
  })

  it('leaves a piece that is being verified or stored alone', () => {
    const swarm = oneEach()
    swarm.at(100).arrived('A', 0)
    assert.deepEqual(only(swarm.at(200).arrived('B', 1), 'request'), [])
    assert.deepEqual(only(swarm.verified(0).concat(swarm.until(60_000)), 'request'), [])
  })

  it('has a bounded number of sources for a piece', () => {
    // S alone has the last piece for a long time; then others that have shown their pace get it too
    const others = 'ABCDEFGH'
    const swarm = scenario({ pieces: others.length + 1, dammed: 'down', wire: 'bittorrent' })
    const last = others.length
    const row = (at: number): string => `${'.'.repeat(at)}#${'.'.repeat(last - at)}`
    swarm.drawn(`S ${row(last)}`)
    for (const [piece, peer] of [...others].entries()) swarm.drawn(`${peer} ${row(piece)}`)
    swarm.at(0).flow()
    for (const [piece, peer] of [...others].entries()) swarm.at(100).comes(peer, piece)
    const sources = [`S ${last}`]
    for (const [at, peer] of [...others].entries()) {
      swarm.at(1_000 + at)
      for (const line of only(swarm.has(peer, last), 'request')) sources.push(line.replace('request ', ''))
    }
    assert.ok(sources.length >= 2 && sources.length <= 4, sources.join(', '))
    const done = swarm.arrived(sources.at(-1)?.split(' ')[0] ?? '', last)
    assert.deepEqual(
      only(done, 'cancel').toSorted(),
      sources
        .slice(0, -1)
        .map((source) => `cancel ${source}`)
        .toSorted(),
    )
  })

  it('waits for the walk to end', () => {
    const swarm = oneEach({ final: false })
    assert.deepEqual(only(swarm.at(1_000).comes('B', 1), 'request'), [])
    assert.deepEqual(only(swarm.at(5_000).grown(0, { final: true }), 'request'), ['request B 0'])
  })
})
