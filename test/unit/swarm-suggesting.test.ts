/** What peers that ask on their own are told to ask for (BEP 6). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everything, type ScenarioOptions, scenario } from './swarm-scenario.ts'

const puller: ScenarioOptions = { pieces: 8, have: everything(8), wire: 'bittorrent' }

/** The pieces suggested to a peer in these lines. */
const suggested = (lines: readonly string[], to: string): number[] =>
  lines.filter((line) => line.startsWith(`suggest ${to} `)).map((line) => Number(line.split(' ')[2]))

describe('a peer that asks on its own', () => {
  it('is told of four pieces as soon as it may ask, and two such peers of different ones', () => {
    const swarm = scenario(puller)
    swarm.joined('A')
    const first = suggested(swarm.interested('A'), 'A')
    swarm.joined('B')
    const second = suggested(swarm.interested('B'), 'B')
    assert.deepEqual([first.length, second.length], [4, 4])
    assert.deepEqual([...first, ...second].toSorted(), everything(8))
  })

  it('is told of one more for each that it asks for or gets, until there is nothing more to tell', () => {
    const swarm = scenario(puller)
    swarm.joined('A')
    const told = suggested(swarm.interested('A'), 'A')
    const [one = 0, two = 0] = told
    told.push(...suggested(swarm.requested('A', one), 'A'))
    assert.equal(told.length, 5)
    told.push(...suggested(swarm.has('A', two), 'A'))
    assert.equal(told.length, 6)
    for (const piece of told) told.push(...suggested(swarm.has('A', piece), 'A'))
    assert.deepEqual(told.toSorted(), everything(8), 'each once')
  })

  it('is told nothing while it is choked, or where suggestions are switched off', () => {
    const off = scenario({ ...puller, policy: { suggestions: false } })
    off.joined('A')
    assert.deepEqual(suggested(off.interested('A'), 'A'), [])
    const choked = scenario(puller)
    assert.deepEqual(suggested(choked.joined('A'), 'A'), [])
  })

  it('is not told of what it has', () => {
    const swarm = scenario(puller)
    swarm.joined('A', 'bittorrent', [0, 1, 2, 3, 4])
    assert.deepEqual(suggested(swarm.interested('A'), 'A').toSorted(), [5, 6, 7])
  })
})

it('peers that take offers get no suggestions', () => {
  const swarm = scenario({ ...puller, wire: 'share' })
  swarm.joined('A')
  assert.deepEqual(suggested(swarm.interested('A'), 'A'), [])
})
