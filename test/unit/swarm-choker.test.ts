/** Who may ask for pieces, when more want to than are served at once. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Wire } from '../../src/swarm/events.ts'
import {
  everything,
  KIB,
  MIB,
  only,
  type Scenario,
  type ScenarioOptions,
  scenario,
} from './swarm-scenario.ts'

const names = (count: number, letter = 'P'): string[] => everything(count).map((at) => `${letter}${at}`)

/** Follows the lines: who is unchoked by us. */
class Unchoked {
  readonly peers = new Set<string>()

  follow(lines: readonly string[]): this {
    for (const line of lines) {
      const [type, peer = ''] = line.split(' ')
      if (type === 'unchoke') {
        assert.ok(!this.peers.has(peer), `${peer} is unchoked twice`)
        this.peers.add(peer)
      }
      if (type === 'choke') assert.ok(this.peers.delete(peer), `${peer} is choked twice`)
    }
    return this
  }
}

/** A node that has everything, or half, and peers that want something. */
function crowd(count: number, options: ScenarioOptions = {}): { swarm: Scenario; unchoked: Unchoked } {
  const swarm = scenario({ pieces: 8, have: everything(8), wire: 'bittorrent', ...options })
  const unchoked = new Unchoked()
  for (const peer of names(count)) {
    swarm.joined(peer)
    unchoked.follow(swarm.interested(peer))
  }
  return { swarm, unchoked }
}

const leeching: ScenarioOptions = { have: everything(4) }

/** How many are served at once. */
const SLOTS = crowd(200).unchoked.peers.size

describe('as long as few want something', () => {
  it('all of them may ask, on every wire that knows of that', () => {
    for (const wire of ['share', 'bittorrent'] as const) {
      const { swarm, unchoked } = crowd(SLOTS, { wire })
      assert.equal(unchoked.peers.size, SLOTS, wire)
      unchoked.follow(swarm.until(120_000))
      assert.equal(unchoked.peers.size, SLOTS, wire)
    }
  })

  it('who wants nothing is choked, also after it wanted something', () => {
    const { swarm } = crowd(2)
    assert.deepEqual(swarm.joined('idle'), [])
    assert.deepEqual(swarm.uninterested('P0'), ['choke P0'])
    assert.deepEqual(swarm.uninterested('P0'), [])
    assert.deepEqual(swarm.interested('P0'), ['unchoke P0'])
  })

  it('there are no rounds', () => {
    const { swarm } = crowd(SLOTS)
    swarm.until(1_000)
    assert.equal(swarm.nextTimeout, undefined)
  })
})

describe('when more want something than are served at once', () => {
  it('a few tens are served, not more and not fewer', () => {
    assert.ok(SLOTS >= 4 && SLOTS <= 50, `${SLOTS}`)
    const { swarm, unchoked } = crowd(SLOTS + 10)
    assert.equal(unchoked.peers.size, SLOTS)
    for (let time = 1_000; time <= 300_000; time += 1_000) {
      unchoked.follow(swarm.until(time))
      assert.equal(unchoked.peers.size, SLOTS)
    }
  })

  it('all of them are, where there is no choker', () => {
    assert.equal(crowd(SLOTS + 10, { policy: { choker: false } }).unchoked.peers.size, SLOTS + 10)
  })

  it('a slot that becomes free is filled at once', () => {
    const { swarm, unchoked } = crowd(SLOTS + 1)
    const [served = ''] = unchoked.peers
    unchoked.follow(swarm.uninterested(served))
    assert.equal(unchoked.peers.size, SLOTS)
    const other = crowd(SLOTS + 1)
    const [leaves = ''] = other.unchoked.peers
    const lines = other.swarm.left(leaves)
    assert.equal(only(lines, 'unchoke').length, 1)
    assert.deepEqual(only(lines, `choke ${leaves}`), [], 'it has gone')
  })

  it('everybody is served at some time', () => {
    for (const options of [{}, leeching]) {
      const { swarm, unchoked } = crowd(SLOTS + 10, options)
      const ever = new Set(unchoked.peers)
      for (let time = 1_000; time <= 3_600_000 && ever.size < SLOTS + 10; time += 1_000)
        for (const peer of unchoked.follow(swarm.until(time)).peers) ever.add(peer)
      assert.equal(ever.size, SLOTS + 10)
    }
  })
})

describe('who is served', () => {
  /** What the peers send us, or get of us, each second of two minutes; returns for how many of the last sixty each was served. */
  const served = (
    options: ScenarioOptions,
    each: (swarm: Scenario, unchoked: Unchoked) => void,
  ): Map<string, number> => {
    const { swarm, unchoked } = crowd(2 * SLOTS, options)
    const seconds = new Map(names(2 * SLOTS).map((peer) => [peer, 0]))
    for (let second = 1; second <= 120; second++) {
      unchoked.follow(swarm.until(second * 1_000))
      each(swarm, unchoked)
      if (second <= 60) continue
      for (const peer of unchoked.peers) seconds.set(peer, (seconds.get(peer) ?? 0) + 1)
    }
    return seconds
  }

  it('by a leecher is who sends it most, save for one at a time by chance', () => {
    const givers = names(SLOTS - 1)
    const seconds = served(leeching, (swarm) => {
      for (const peer of givers) swarm.arrived(peer, 7, { begin: 0, length: 16 * KIB })
    })
    for (const peer of givers)
      assert.ok((seconds.get(peer) ?? 0) >= 55, `${peer}: ${seconds.get(peer)} of 60`)
    const others = names(2 * SLOTS).slice(SLOTS - 1)
    const lucky = others.filter((peer) => (seconds.get(peer) ?? 0) > 0)
    assert.ok(lucky.length >= 2, `only ${lucky.join(', ')} of the others`)
  })

  it('by a seeder is everybody in turn: who got little comes first', () => {
    const seconds = served({}, (swarm, unchoked) => {
      for (const peer of unchoked.peers) swarm.delivered(peer, 0, { length: MIB })
    })
    const times = [...seconds.values()]
    assert.ok(Math.min(...times) >= 10 && Math.max(...times) <= 50, times.join(' '))
  })
})

describe('peers without a choke', () => {
  /** So many peers that pull by Bitswap, and one that is choked. */
  const rounds = (wire: Wire): Scenario => {
    const pieces = 200
    const swarm = scenario({ pieces, have: everything(pieces), wire })
    for (const peer of names(SLOTS + 10)) {
      swarm.joined(peer)
      swarm.requested(peer, 0)
    }
    swarm.until(30_000)
    return swarm
  }

  it('are told nothing of it', () => {
    const swarm = rounds('bitswap')
    assert.deepEqual(only(swarm.until(120_000), 'choke', 'unchoke'), [])
  })

  it('are never refused what is here, however many they are', () => {
    const swarm = rounds('bitswap')
    const refused = names(SLOTS + 10).flatMap((peer) => only(swarm.requested(peer, 1), 'reject'))
    assert.deepEqual(refused, [])
  })

  it('come last where there are too many, but come', () => {
    const swarm = rounds('bitswap')
    const lines = names(SLOTS + 10).flatMap((peer) => swarm.requested(peer, 1))
    const got = new Set<string>()
    for (let at = 0; at < 500 && got.size < SLOTS + 10; at++) {
      swarm.after(100)
      for (const peer of names(SLOTS + 10)) {
        for (const piece of [0, 1]) lines.push(...swarm.delivered(peer, piece))
      }
      for (const send of only(lines.splice(0), 'send')) got.add(send.split(' ')[1] ?? '')
    }
    assert.equal(got.size, SLOTS + 10)
  })
})

describe('a choke', () => {
  it('ends the requests that wait: they are not answered after it', () => {
    // the first takes nothing, so that those of the others wait
    const { swarm, unchoked } = crowd(SLOTS + 10)
    const waiting = new Set<string>()
    for (const peer of unchoked.peers)
      for (const piece of [0, 1, 2, 3])
        if (only(swarm.requested(peer, piece), 'send').length === 0) waiting.add(`${peer} ${piece}`)
    const sent: string[] = []
    for (let time = 1_000; time <= 60_000; time += 1_000) {
      for (const line of swarm.until(time)) {
        if (line.startsWith('choke '))
          for (const request of waiting) if (request.startsWith(`${line.slice(6)} `)) waiting.delete(request)
        if (line.startsWith('send ')) sent.push(line.slice(5))
      }
    }
    for (const peer of unchoked.peers)
      for (const piece of [0, 1, 2, 3])
        sent.push(...only(swarm.delivered(peer, piece), 'send').map((line) => line.slice(5)))
    assert.deepEqual(
      sent.filter((request) => !waiting.has(request)),
      [],
    )
  })

  it('does not end what answers an offer', () => {
    const swarm = scenario({ pieces: 2, have: [0, 1], policy: { eager: false } })
    const [offer = ''] = swarm.joined('A')
    swarm.interested('A')
    swarm.uninterested('A')
    assert.deepEqual(only(swarm.takes(offer), 'send', 'reject'), [offer.replace('offer', 'send')])
  })
})
