/** Wrong bytes: who is to blame, and what becomes of the piece. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerKey } from '../../src/core/types.ts'
import { KIB, only, type Scenario, scenario, without } from './swarm-scenario.ts'

const isBanned = (swarm: Scenario, peer: string): boolean => swarm.scheduler.isBanned(peerKey(peer))

/** A piece of which A sent the first half and B the other. */
function halves(): Scenario {
  const swarm = scenario({ pieces: 1 })
  swarm.drawn('A #\nB #\nC #')
  swarm.at(0).offered('A', 0)
  swarm.at(100).arrived('A', 0, { length: 512 * KIB })
  swarm.left('A')
  swarm.drawn('A #')
  swarm.offered('B', 0)
  swarm.at(200).arrived('B', 0, { begin: 512 * KIB })
  return swarm
}

describe('a piece that came of one peer and is wrong', () => {
  it('bans it, and comes of another', () => {
    for (const wire of ['share', 'bittorrent', 'bitswap'] as const) {
      const swarm = scenario({ pieces: 1, wire })
      swarm.drawn('A #')
      if (wire === 'share') swarm.offered('A', 0)
      swarm.drawn('B #')
      if (wire === 'bitswap') swarm.received('A', 0)
      else swarm.arrived('A', 0)
      const lines = swarm.refuted(0)
      assert.deepEqual(only(lines, 'ban', 'discard'), ['discard 0', 'ban A'], wire)
      if (wire === 'share') lines.push(...swarm.offered('B', 0))
      assert.deepEqual(only(lines, 'request'), ['request B 0'], wire)
      assert.ok(isBanned(swarm, 'A'))
      assert.ok(!isBanned(swarm, 'B'))
    }
  })

  it('bans it in every swarm, for this run', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.open('S', { pieces: 2, have: [0] })
    swarm.joined('A')
    swarm.of('S').joined('A')
    swarm.requested('A', 0)
    swarm.of('R').received('A', 0)
    assert.deepEqual(only(swarm.refuted(0), 'ban'), ['ban A'])
    for (const root of ['R', 'S']) {
      swarm.of(root)
      assert.deepEqual(swarm.joined('A'), [], 'it does not come back')
      assert.deepEqual(swarm.has('A', 0), [])
      assert.deepEqual(swarm.requested('A', 0), [])
      assert.deepEqual(swarm.misbehaved('A'), [], 'and is banned once')
    }
    swarm.until(60_000)
    assert.equal(swarm.nextTimeout, undefined, 'nobody waits for it')
  })

  it('bans whoever sent it, though it has left', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    swarm.drawn('A #')
    swarm.arrived('A', 0)
    swarm.left('A')
    assert.deepEqual(only(swarm.refuted(0), 'ban'), ['ban A'])
    assert.deepEqual(swarm.joined('A'), [])
  })

  it('does not blame others that were asked for it too', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.drawn('A #')
    swarm.drawn('B #')
    swarm.received('B', 0)
    assert.deepEqual(only(swarm.refuted(0), 'ban', 'request'), ['ban B', 'request A 0'])
  })
})

describe('a piece that came of several and is wrong', () => {
  it('does not ban who sent it while another one wrote into it, untold', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    swarm.drawn('A #\nB #')
    swarm.arrived('A', 0)
    assert.deepEqual(only(swarm.refuted(0, 'A', 'B'), 'ban'), [])
  })

  it('bans who lied once it is right, though it has left', () => {
    const swarm = halves()
    swarm.refuted(0)
    swarm.left('B')
    swarm.offered('C', 0)
    swarm.arrived('C', 0)
    swarm.verified(0)
    assert.deepEqual(only(swarm.lied('B', 0), 'ban'), ['ban B'])
    assert.ok(isBanned(swarm, 'B') && !isBanned(swarm, 'A'))
    assert.deepEqual(only(swarm.stored(0), 'have'), ['have 0'])
  })

  it('bans nobody, and is fetched again', () => {
    const swarm = halves()
    assert.deepEqual(swarm.refuted(0), ['discard 0', 'expect-no-more 0'])
    assert.ok(!isBanned(swarm, 'A') && !isBanned(swarm, 'B'))
    assert.deepEqual(swarm.offered('C', 0), ['request C 0', 'expect 0'])
  })

  it('comes of one peer the next time, whole: then it can be told who lies', () => {
    const swarm = halves()
    swarm.refuted(0)
    swarm.at(1_000).offered('A', 0)
    for (let step = 0; step < 8; step++)
      swarm.at(1_000 + step * 100).arrived('A', 0, { begin: step * 16 * KIB, length: 16 * KIB })
    assert.deepEqual(swarm.idle('C'), ['decline C nothing'], 'no part of it for another')
    swarm.left('A')
    swarm.drawn('A #')
    assert.deepEqual(swarm.offered('B', 0), ['discard 0', 'request B 0', 'expect 0'], 'from its first byte')
    swarm.after(100).arrived('B', 0)
    assert.deepEqual(only(swarm.refuted(0), 'ban'), ['ban B'])
  })

  it('comes of one peer the next time, also of those that are asked', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    swarm.drawn('A #')
    swarm.drawn('B #')
    swarm.arrived('A', 0, { length: 512 * KIB })
    swarm.choked('A')
    assert.deepEqual(only(swarm.rejected('A', 0, { begin: 512 * KIB }), 'request'), [
      `request B 0 ${512 * KIB}+${512 * KIB}`,
    ])
    swarm.arrived('B', 0, { begin: 512 * KIB })
    const again = only(swarm.refuted(0), 'request', 'ban')
    assert.deepEqual(again, ['request B 0'])
    swarm.arrived('B', 0, { length: 512 * KIB })
    swarm.unchoked('A')
    swarm.choked('B')
    const lines = swarm.rejected('B', 0, { begin: 512 * KIB })
    assert.deepEqual(only(lines, 'request'), ['request A 0'], 'from its first byte')
    assert.deepEqual(only(lines, 'discard'), ['discard 0'])
  })

  it('is right at last, and nothing stays of it', () => {
    const swarm = halves()
    swarm.refuted(0)
    swarm.offered('C', 0)
    assert.deepEqual(without(swarm.comes('C', 0), 'uninterested'), [
      'verify-and-store 0',
      'have 0',
      'completed',
    ])
  })

  it('goes on being fetched whole where storing it failed', () => {
    const swarm = halves()
    swarm.refuted(0)
    swarm.offered('C', 0)
    swarm.after(1_000).arrived('C', 0)
    swarm.verified(0)
    assert.deepEqual(only(swarm.storeFailed(0), 'discard', 'ban'), ['discard 0'])
    assert.deepEqual(only(swarm.offered('A', 0), 'request'), ['request A 0'])
  })
})

describe('a peer that talks nonsense', () => {
  it('is banned, and what it was asked for is asked of others', () => {
    const swarm = scenario({ pieces: 2, wire: 'bitswap' })
    swarm.joined('A')
    swarm.joined('B')
    const lines = swarm.misbehaved('A')
    assert.deepEqual(only(lines, 'ban'), ['ban A'])
    assert.deepEqual(only(lines, 'request').toSorted(), ['request B 0', 'request B 1'])
  })

  it('does not spoil what it sent before', () => {
    const swarm = scenario({ pieces: 1, wire: 'bitswap' })
    swarm.drawn('A #')
    swarm.drawn('B #')
    swarm.received('A', 0)
    swarm.verified(0)
    assert.deepEqual(only(swarm.misbehaved('B'), 'ban', 'discard'), ['ban B'])
    assert.deepEqual(swarm.stored(0), ['have 0', 'completed'])
    assert.ok(isBanned(swarm, 'B'))
  })
})

describe('a disk that fails', () => {
  it('blames nobody: the piece is fetched again, of anybody', () => {
    for (const wire of ['share', 'bittorrent', 'bitswap'] as const) {
      const swarm = scenario({ pieces: 1, wire })
      swarm.drawn('A #')
      for (let times = 0; times < 3; times++) {
        if (wire === 'share') swarm.offered('A', 0)
        if (wire === 'bitswap') swarm.received('A', 0)
        else swarm.arrived('A', 0)
        swarm.verified(0)
        const lines = swarm.storeFailed(0)
        if (wire === 'share') lines.push(...swarm.offered('A', 0))
        assert.deepEqual(only(lines, 'discard', 'ban', 'request'), ['discard 0', 'request A 0'], wire)
      }
    }
  })
})
