/** What a receiver answers to offers: every one at once, by a request, a decline or a busy. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KIB, MIB, only, type Scenario, type ScenarioOptions, scenario } from './swarm-scenario.ts'

const answers = (lines: readonly string[]): string[] => only(lines, 'request', 'decline', 'busy')

/** A and B have everything; a piece of A came at a MiB a second, so that the downlink is known to carry that. */
function receiving(options: ScenarioOptions = {}): Scenario {
  const swarm = scenario({ pieces: 8, ...options })
  swarm.drawn(`
    A ########
    B ########
    C ########
  `)
  swarm.at(0).offered('A', 7)
  swarm.at(1_000).comes('A', 7)
  return swarm
}

/** How long the peer is put off by this. */
const msOf = (swarm: Scenario): number =>
  swarm.actions.flatMap((action) => (action.type === 'busy' ? [action.ms] : []))[0] ?? 0

describe('an offered piece', () => {
  it('is asked for, all of it, and the neighbours are told that it comes', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.joined('A')
    assert.deepEqual(swarm.offered('A', 1), ['request A 1', 'expect 1'])
    const quiet = scenario({ pieces: 2, policy: { expect: false } })
    quiet.joined('A')
    assert.deepEqual(quiet.offered('A', 1), ['request A 1'])
  })

  it('is asked for of a peer that chokes us, and of one that never told of it', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.joined('A')
    swarm.choked('A')
    swarm.has('A', 0)
    assert.deepEqual(answers(swarm.offered('A', 1)), ['request A 1'])
  })

  it('is declined wherever it is here or on its way', () => {
    const cases: [state: string, before: (swarm: Scenario) => void][] = [
      ['coming from another', (swarm) => swarm.offered('A', 0)],
      ['coming from the same', (swarm) => swarm.offered('B', 0)],
      ['half here', (swarm) => swarm.offered('A', 0).concat(swarm.arrived('A', 0, { length: 512 * KIB }))],
      ['verifying', (swarm) => swarm.offered('A', 0).concat(swarm.arrived('A', 0))],
      ['storing', (swarm) => swarm.offered('A', 0).concat(swarm.arrived('A', 0), swarm.verified(0))],
      ['here', (swarm) => swarm.offered('A', 0).concat(swarm.comes('A', 0))],
    ]
    for (const [state, before] of cases) {
      for (const eager of [false, true]) {
        const swarm = receiving()
        before(swarm.at(2_000))
        assert.deepEqual(swarm.offered('B', 0, { eager }), ['decline B 0'], state)
      }
    }
  })

  it('is declined where there is no such piece', () => {
    const swarm = scenario({ pieces: 2 })
    swarm.joined('A')
    for (const piece of [2, -1, 2 ** 32 - 1])
      assert.deepEqual(swarm.offered('A', piece), [`decline A ${piece}`])
  })

  it('is taken again where it was lost', () => {
    const cases: [loss: string, before: (swarm: Scenario) => void][] = [
      ['the sender left', (swarm) => swarm.left('A')],
      ['the sender rejects', (swarm) => swarm.rejected('A', 0)],
      ['the sender says that it lacks it', (swarm) => swarm.lacks('A', 0)],
      [
        'it could not be stored',
        (swarm) => swarm.arrived('A', 0).concat(swarm.verified(0), swarm.storeFailed(0)),
      ],
      ['it was wrong', (swarm) => swarm.arrived('A', 0).concat(swarm.refuted(0))],
      ['the sender is silent', (swarm) => swarm.until(120_000)],
    ]
    for (const [loss, before] of cases) {
      const swarm = receiving()
      swarm.at(2_000).offered('A', 0)
      before(swarm)
      assert.deepEqual(answers(swarm.offered('B', 0)), ['request B 0'], loss)
    }
  })

  it('is asked for from the first byte that is not here', () => {
    const swarm = receiving()
    swarm.at(2_000).offered('A', 0)
    swarm.after(100).arrived('A', 0, { length: 300 * KIB })
    assert.deepEqual(only(swarm.left('A'), 'expect'), ['expect-no-more 0'])
    const rest = `${300 * KIB}+${724 * KIB}`
    assert.deepEqual(swarm.offered('B', 0), [`request B 0 ${rest}`, 'expect 0'])
    const left = { begin: 300 * KIB, length: 724 * KIB }
    assert.deepEqual(swarm.after(1_000).arrived('B', 0, left), ['verify-and-store 0'])
  })
})

describe('a piece that is on its way before it was asked for', () => {
  it('is asked for whole', () => {
    const swarm = scenario({ pieces: 1 })
    swarm.joined('A')
    assert.deepEqual(swarm.offered('A', 0, { eager: true }), ['request A 0', 'expect 0'])
  })

  it('replaces what is here of it', () => {
    const swarm = receiving()
    swarm.at(2_000).offered('A', 0)
    swarm.after(100).arrived('A', 0, { length: 300 * KIB })
    swarm.left('A')
    assert.deepEqual(swarm.offered('B', 0, { eager: true }), ['discard 0', 'request B 0', 'expect 0'])
    assert.deepEqual(swarm.after(1_000).arrived('B', 0), ['verify-and-store 0'])
  })
})

describe('a downlink that has enough', () => {
  it('never puts off the only one', () => {
    const swarm = receiving()
    assert.deepEqual(answers(swarm.at(20_000).offered('A', 0, { rate: 1e9, start: 5_000 })), ['request A 0'])
    const fresh = scenario({ pieces: 1 })
    fresh.joined('A')
    assert.deepEqual(answers(fresh.offered('A', 0, { rate: 1e9 })), ['request A 0'])
  })

  it('puts off what would come beside others that fill it, for as long as those take', () => {
    const swarm = receiving()
    swarm.at(20_000)
    assert.deepEqual(answers(swarm.offered('A', 0)), ['request A 0'])
    assert.deepEqual(answers(swarm.offered('B', 1)), ['request B 1'])
    assert.deepEqual(answers(swarm.offered('B', 3)), ['request B 3'])
    assert.deepEqual(swarm.offered('C', 2), ['busy C 2'])
    // three pieces at a MiB a second each, if they are right
    assert.ok(msOf(swarm) > 500 && msOf(swarm) < 2_500, `${msOf(swarm)} ms`)
  })

  it('takes what is offered for a time when those are over', () => {
    const swarm = receiving()
    swarm.at(20_000).offered('A', 0)
    swarm.offered('B', 1)
    swarm.offered('B', 3)
    assert.deepEqual(answers(swarm.offered('C', 2, { start: 5_000 })), ['request C 2'])
  })

  it('takes on where senders turn out to be slow', () => {
    const swarm = receiving()
    swarm.at(20_000).offered('A', 0)
    swarm.offered('B', 1)
    for (const peer of ['A', 'B']) {
      swarm.at(20_100).arrived(peer, peer === 'A' ? 0 : 1, { length: 16 * KIB })
    }
    swarm.at(21_100).arrived('A', 0, { begin: 16 * KIB, length: 64 * KIB })
    swarm.arrived('B', 1, { begin: 16 * KIB, length: 64 * KIB })
    assert.deepEqual(answers(swarm.offered('C', 2)), ['request C 2'])
  })

  it('puts nobody off where that is switched off', () => {
    const swarm = receiving({ policy: { busy: false } })
    swarm.at(20_000)
    for (const [piece, peer] of ['A', 'B', 'C'].entries())
      assert.deepEqual(answers(swarm.offered(peer, piece)), [`request ${peer} ${piece}`])
  })

  it('is one for all roots', () => {
    const swarm = receiving()
    swarm.open('S', { pieces: 4 })
    swarm.at(20_000).offered('A', 0)
    swarm.offered('B', 1)
    swarm.offered('B', 2)
    swarm.of('S').joined('D')
    assert.deepEqual(swarm.offered('D', 0), ['S: busy D 0'])
  })
})

describe('what a sender takes to be coming', () => {
  /** A was silent, and has rested. */
  const rested = (): Scenario => {
    const swarm = scenario({ pieces: 2 })
    swarm.drawn('A ##\nB ##')
    swarm.offered('A', 0)
    assert.deepEqual(only(swarm.until(30_000), 'cancel A', 'expect-no'), ['cancel A 0', 'expect-no-more 0'])
    return swarm
  }

  it('is what it was asked for, until that is taken back: also where no other was told', () => {
    const swarm = rested()
    assert.deepEqual(swarm.offered('A', 0), ['request A 0'])
    assert.deepEqual(only(swarm.until(60_000), 'cancel A', 'expect'), ['cancel A 0', 'expect-no-more 0'])
  })

  it('is what it was declined, so nothing is that was not told', () => {
    const swarm = rested()
    swarm.offered('A', 0)
    assert.deepEqual(only(swarm.until(35_000), 'cancel A'), ['cancel A 0'])
    swarm.joined('C', 'bitswap', [0])
    swarm.until(40_000)
    // it rests again, and what is asked of C instead may never come
    assert.deepEqual(swarm.offered('A', 0), ['busy A 0'])
    assert.deepEqual(answers(swarm.offered('B', 0)), ['request B 0'])
    assert.deepEqual(swarm.offered('A', 0), ['decline A 0'], 'this was told')
  })
})

describe('the promises of a peer', () => {
  it('of a start in a long time do not keep a piece from others', () => {
    const swarm = receiving()
    swarm.at(20_000)
    swarm.offered('A', 0, { start: 2 ** 32 - 1 })
    swarm.until(20_000 + 300_000)
    assert.deepEqual(answers(swarm.offered('B', 0)), ['request B 0'])
  })

  it('of any rate break nothing', () => {
    for (const rate of [0, 1, 2 ** 32 - 1]) {
      for (const other of [0, 1, 2 ** 32 - 1]) {
        const swarm = receiving()
        swarm.at(20_000).offered('A', 0, { rate })
        swarm.arrived('A', 0, { length: 16 * KIB })
        swarm.after(10).idle('B', { rate: other })
        for (const action of swarm.actions)
          if (action.type === 'request' || action.type === 'cancel')
            assert.ok(action.length > 0 && action.begin + action.length <= MIB, `${rate} and ${other}`)
        const cancelled = only(swarm.until(120_000), 'cancel').filter((line) => line.endsWith('+0'))
        assert.deepEqual(cancelled, [], `${rate} and ${other}`)
      }
    }
  })

  it('that is silent again and again do not keep a piece from others', () => {
    // whenever its request is taken back, A offers the piece again before anybody else does
    const swarm = scenario({ pieces: 1 })
    swarm.drawn('A #\nB #')
    swarm.at(0).offered('A', 0)
    let got = false
    for (let time = 0; time < 300_000 && !got; time += 500) {
      const lost = only(swarm.until(time), 'cancel A').length > 0
      if (lost) swarm.offered('A', 0)
      got = only(swarm.offered('B', 0), 'request B').length > 0
    }
    assert.ok(got)
  })
})
