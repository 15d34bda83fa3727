/** A peer is lost in the middle of things: nothing of it stays in the books, and others take over. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { everything, KIB, only, type Scenario, scenario } from './swarm-scenario.ts'

/** The ways in which a peer is lost. */
const LOSSES: readonly [name: string, lose: (swarm: Scenario, peer: string) => string[]][] = [
  ['left', (swarm, peer) => swarm.left(peer)],
  ['banned', (swarm, peer) => swarm.misbehaved(peer)],
]

/** All that a downlink of which nothing is known is thought to carry. */
const FULL = { rate: 4_000_000 }

describe('when a sender is lost', () => {
  it('what it was to send is told to come no more, and taken of others', () => {
    for (const [name, lose] of LOSSES) {
      const swarm = scenario({ pieces: 3 })
      swarm.drawn('A ###\nB ###')
      swarm.offered('A', 0)
      swarm.offered('A', 1)
      swarm.after(100).arrived('A', 1, { length: 256 * KIB })
      assert.deepEqual(only(lose(swarm, 'A'), 'expect-no-more', 'cancel', 'discard'), [
        'expect-no-more 0',
        'expect-no-more 1',
      ])
      assert.deepEqual(only(swarm.offered('B', 0), 'request'), ['request B 0'], name)
      const rest = `${256 * KIB}+${768 * KIB}`
      assert.deepEqual(only(swarm.offered('B', 1), 'request'), [`request B 1 ${rest}`], name)
    }
  })

  it('what it had sent whole goes its way', () => {
    for (const [name, lose] of LOSSES) {
      const swarm = scenario({ pieces: 1 })
      swarm.drawn('A #')
      swarm.offered('A', 0)
      swarm.after(100).arrived('A', 0)
      assert.deepEqual(only(lose(swarm, 'A'), 'discard', 'expect-no-more'), [], name)
      assert.deepEqual([...swarm.verified(0), ...only(swarm.stored(0), 'have')], ['have 0'], name)
    }
  })

  it('its part of a piece alone is open again', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.drawn('A #\nB #\nC #')
    swarm.at(0).offered('A', 0)
    for (let step = 0; step < 8; step++)
      swarm.at(step * 100).arrived('A', 0, { begin: step * 16 * KIB, length: 16 * KIB })
    swarm.idle('B', { rate: 160 * KIB })
    const [cut] = swarm.actions
    assert.ok(cut?.type === 'cancel')
    assert.deepEqual(swarm.left('A'), ['expect-no-more 0'])
    const hole = `${128 * KIB}+${cut.begin - 128 * KIB}`
    assert.deepEqual(swarm.offered('C', 0), [`request C 0 ${hole}`, 'expect 0'])
  })

  it('the downlink has room again', () => {
    const swarm = scenario({ pieces: 4 })
    swarm.drawn('A ####\nB ####\nC ####')
    swarm.offered('A', 0, FULL)
    swarm.offered('B', 1, FULL)
    swarm.offered('B', 3, FULL)
    assert.deepEqual(swarm.offered('C', 2), ['busy C 2'])
    swarm.left('A')
    assert.deepEqual(only(swarm.offered('C', 2), 'request'), ['request C 2'])
  })

  it('the downlink has room again where its whole swarm is closed', () => {
    const swarm = scenario({ pieces: 4 })
    swarm.drawn('A ####\nB ####')
    swarm.offered('A', 0, FULL)
    swarm.offered('B', 1, FULL)
    swarm.offered('B', 2, FULL)
    swarm.open('S', { pieces: 1 })
    swarm.of('S').drawn('C #')
    assert.deepEqual(swarm.offered('C', 0), ['S: busy C 0'])
    swarm.of('R').closed()
    assert.deepEqual(only(swarm.of('S').offered('C', 0), 'S: request'), ['S: request C 0'])
  })

  it('what it was asked for on other wires is asked of others at once', () => {
    for (const [name, lose] of LOSSES) {
      for (const wire of ['bittorrent', 'bitswap'] as const) {
        const swarm = scenario({ pieces: 4, dammed: 'down', wire })
        swarm.drawn('A ####\nB ####')
        const atA = only(swarm.flow(), 'request A')
        assert.ok(atA.length > 0)
        const taken = only(lose(swarm, 'A'), 'request B').map((line) => line.replace('B', 'A'))
        assert.deepEqual(taken.toSorted(), atA.toSorted(), `${name}, ${wire}`)
      }
    }
  })
})

describe('when a receiver is lost', () => {
  /** All that this node has to give, and peers that offer nothing. */
  const giving = (peers: string): { swarm: Scenario; offers: string[] } => {
    const swarm = scenario({ pieces: 8, have: everything(8), policy: { eager: false } })
    return { swarm, offers: [...peers].flatMap((peer) => only(swarm.joined(peer), 'offer ')) }
  }

  it('what it accepted is not sent, and others get something instead', () => {
    for (const [name, lose] of LOSSES) {
      const { swarm, offers } = giving('ABCDEF')
      const lines = offers.flatMap((offer) => swarm.takes(offer))
      const lost = new Set<string>()
      for (const peer of 'ABCDE') {
        for (const offer of only(lines.splice(0), 'offer ')) lines.push(...swarm.takes(offer))
        lines.splice(0)
        lost.add(peer)
        lines.push(...lose(swarm, peer), ...swarm.until(swarm.now + 1_000))
        for (const line of only(lines, 'send ', 'offer'))
          assert.ok(!lost.has(line.split(' ')[1] ?? ''), `${line}, though ${peer} is ${name}`)
      }
      assert.ok(
        only(lines.concat(swarm.until(30_000)), 'send F', 'offer F').length > 0,
        `${name}: nothing for F`,
      )
    }
  })

  it('its offers do not keep others waiting', () => {
    for (const [name, lose] of LOSSES) {
      const { swarm, offers } = giving('ABCD')
      const offered = new Set(offers.map((offer) => offer.split(' ')[1] ?? ''))
      assert.ok(offered.size < 4, 'only some are offered something at once')
      const lines = [...offered].flatMap((peer) => lose(swarm, peer))
      const next = only(lines, 'offer ').map((offer) => offer.split(' ')[1] ?? '')
      assert.ok(next.length > 0, name)
      assert.ok(
        next.some((peer) => !offered.has(peer)),
        name,
      )
    }
  })

  it('its sends make room for others', () => {
    const swarm = scenario({ pieces: 9, have: everything(8), wire: 'bitswap' })
    for (const peer of 'ABC') {
      swarm.joined(peer)
      for (const piece of [0, 1, 2]) swarm.requested(peer, piece)
    }
    assert.deepEqual(only(swarm.left('A'), 'send'), ['send B 0', 'send C 0'])
    assert.deepEqual(only(swarm.delivered('A', 0), 'send'), [], 'late')
    assert.deepEqual(only(swarm.left('B'), 'send'), ['send C 1'])
  })

  it('it keeps what it gets in other swarms', () => {
    const swarm = scenario({ pieces: 9, have: everything(8), wire: 'bitswap' })
    swarm.open('S', { pieces: 4, have: everything(4) })
    swarm.joined('A')
    for (const piece of [0, 1]) swarm.requested('A', piece)
    swarm.of('S').joined('A')
    swarm.requested('A', 3)
    assert.deepEqual(only(swarm.of('R').left('A'), 'S: send'), ['S: send A 3'])
  })

  it('what comes to it counts no longer when it is decided what is rare', () => {
    const swarm = scenario({ pieces: 3, have: [0, 1], dammed: 'up' })
    swarm.drawn('A ...\nB #..\nC ...\nD ...')
    for (const peer of ['C', 'D']) {
      swarm.expects(peer, 1)
      swarm.left(peer)
    }
    assert.deepEqual(only(swarm.flow(), 'offer A'), ['offer A 1 eager'])
  })
})

describe('when a swarm is closed', () => {
  it('its sends and offers make room for those of others', () => {
    const swarm = scenario({ pieces: 8, have: everything(8), policy: { eager: false } })
    swarm.open('S', { pieces: 8, have: everything(8) })
    const running: string[] = []
    for (const peer of 'ABCDEF') running.push(...only(swarm.of('R').joined(peer), 'offer '))
    for (const offer of running) swarm.takes(offer)
    swarm.of('S').joined('Z')
    const lines = swarm.of('R').closed()
    for (const line of lines) assert.ok(line.startsWith('S: '), line)
    const later = [...lines, ...swarm.until(20_000)]
    assert.ok(only(later, 'S: offer Z').length > 0)
    assert.deepEqual(only(later, 'offer ', 'send '), [])
  })

  it('nothing more is done for it, though its bytes were coming', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.drawn('A ##')
    swarm.offered('A', 0)
    assert.deepEqual(swarm.closed(), [])
    assert.deepEqual(swarm.until(120_000), [])
    assert.equal(swarm.nextTimeout, undefined)
  })
})
