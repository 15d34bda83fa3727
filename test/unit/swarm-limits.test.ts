/** Bytes a second that requests may bring in. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  everything,
  KIB,
  MIB,
  only,
  type Scenario,
  type ScenarioOptions,
  scenario,
} from './swarm-scenario.ts'

const SECONDS = 10

/**
 * Roots with the same peers, each of which has everything and answers 20 ms after it is asked; offers what nobody
 * sends each 100 ms where that is its wire. Returns the bytes that came in of each root.
 */
function comes(
  roots: readonly string[],
  limit: (swarm: Scenario) => void,
  { peers = ['A', 'B'], ...options }: ScenarioOptions & { peers?: readonly string[] } = {},
): Map<string, number> {
  const { wire = 'bittorrent', pieces = 150, size = 256 * KIB } = options
  const swarm = scenario({ pieces, size, ...options, wire })
  const bytes = new Map(roots.map((root) => [root, 0]))
  const answers: { at: number; root: string; peer: string; piece: number; begin: number; length: number }[] =
    []
  const follow = (): void => {
    for (const action of swarm.actions) {
      if (action.type !== 'request' && action.type !== 'cancel') continue
      const { root, peer, piece, begin, length } = action
      const open = answers.findIndex((one) => one.root === root && one.peer === peer && one.piece === piece)
      if (action.type === 'cancel') answers.splice(open, 1)
      else answers.push({ at: swarm.now + 20, root, peer, piece, begin, length })
    }
  }
  for (const root of roots) if (root !== 'R') swarm.open(root, { pieces, size })
  limit(swarm)
  for (const root of roots) {
    swarm.of(root)
    for (const peer of peers) {
      swarm.joined(peer, wire, everything(pieces))
      follow()
      swarm.unchoked(peer)
      follow()
    }
  }
  for (let now = 0; now < SECONDS * 1_000; now += 5) {
    while ((swarm.nextTimeout ?? Number.POSITIVE_INFINITY) <= now) {
      swarm.at(now).woke()
      follow()
      if ((swarm.nextTimeout ?? now) <= now) break
    }
    swarm.at(now)
    while (answers[0] !== undefined && answers[0].at <= now) {
      const [answer] = answers.splice(0, 1)
      if (answer === undefined) break
      const { root, peer, piece, begin, length } = answer
      bytes.set(root, (bytes.get(root) ?? 0) + length)
      swarm.of(root).arrived(peer, piece, { begin, length })
      follow()
      const whole = swarm.actions.some(({ type }) => type === 'verify-and-store')
      if (!whole) continue
      swarm.verified(piece)
      swarm.stored(piece)
      follow()
    }
    if (wire !== 'share' || now % 100 !== 0) continue
    for (const root of roots) {
      const next = everything(40).map((at) => (at * 7 + now / 100) % pieces)
      for (const peer of peers)
        for (const piece of next) {
          swarm.of(root).offered(peer, piece, { rate: 10 * MIB })
          follow()
          if (swarm.actions.some(({ type }) => type === 'busy')) break
        }
    }
  }
  return bytes
}

const within = (bytes: number, rate: number, name: string): void => {
  const share = bytes / (rate * SECONDS)
  // the first of it comes out of what was saved up
  assert.ok(share > 0.9 && share <= 1.1, `${name}: ${Math.round(share * 100)} %`)
}

describe('a limit for all', () => {
  it('bounds what is asked of peers that are asked, and is made use of', () => {
    for (const rate of [100_000, 1_000_000, 10_000_000]) {
      const bytes = comes(['R'], (swarm) => swarm.limited(rate), { size: MIB })
      within(bytes.get('R') ?? 0, rate, `${rate} a second`)
    }
  })

  it('bounds what is taken of peers that offer', () => {
    for (const rate of [100_000, 1_000_000]) {
      const bytes = comes(['R'], (swarm) => swarm.limited(rate), { wire: 'share' })
      within(bytes.get('R') ?? 0, rate, `${rate} a second`)
    }
  })

  it('is shared by all roots', () => {
    const rate = 1_000_000
    const bytes = comes(['R', 'S', 'T'], (swarm) => swarm.limited(rate))
    const sum = [...bytes.values()].reduce((all, one) => all + one, 0)
    within(sum, rate, 'all')
    for (const [root, one] of bytes) assert.ok(one > sum / 10, `${one} of ${sum} for ${root}`)
  })
})

describe('a limit for one root', () => {
  it('bounds that root alone', () => {
    const bytes = comes(['R', 'S'], (swarm) => swarm.limited(200_000, 'S'), { pieces: 100 })
    within(bytes.get('S') ?? 0, 200_000, 'S')
    assert.equal(bytes.get('R'), 100 * 256 * KIB, 'R is all here')
  })

  it('holds beside one for all: the lower one counts', () => {
    const bytes = comes(['R', 'S'], (swarm) => {
      swarm.limited(1_000_000)
      swarm.limited(200_000, 'S')
    })
    within(bytes.get('S') ?? 0, 200_000, 'S')
    within((bytes.get('R') ?? 0) + (bytes.get('S') ?? 0), 1_000_000, 'both')
  })

  it('of a root that is not open is nothing', () => {
    const swarm = scenario({ pieces: 1, wire: 'bittorrent' })
    assert.deepEqual(swarm.limited(1, 'unknown'), [])
    assert.deepEqual(only(swarm.drawn('A #'), 'request'), ['request A 0'])
  })
})

describe('a limit', () => {
  it('when lifted lets everything go at once', () => {
    const swarm = scenario({ pieces: 3, dammed: 'down', wire: 'bitswap' })
    assert.deepEqual(only(swarm.joined('A'), 'request'), [])
    assert.equal(only(swarm.limited(0), 'request').length, 3)
  })

  it('wakes for what it put off, whatever happens meanwhile', () => {
    // a piece of R leaves a debt; long after that came, S would like to ask for one of its own
    for (const quiet of [0, 300, 700, 5_000]) {
      const swarm = scenario({ pieces: 1, wire: 'bitswap' })
      swarm.at(0).limited(100 * KIB)
      swarm.joined('A')
      swarm.received('A', 0)
      swarm.verified(0)
      swarm.stored(0)
      swarm.until(quiet)
      swarm.open('S', { pieces: 1 })
      const lines = [...swarm.of('S').joined('A'), ...swarm.until(20_000)]
      assert.deepEqual(only(lines, 'S: request'), ['S: request A 0'], `${quiet} ms later`)
    }
  })

  it('wakes for the endgame too', () => {
    // A falls silent with the last piece while the limiter is in debt; B has it and idles
    const swarm = scenario({ pieces: 2, wire: 'bittorrent' })
    swarm.at(0).drawn('A #.\nB .#')
    swarm.has('B', 0)
    swarm.at(100).limited(MIB)
    const lines = [...swarm.comes('B', 1), ...swarm.until(8_000)]
    assert.ok(only(lines, 'request B 0').length > 0, 'much sooner than a peer of which nothing is known')
  })

  it('puts a sender off that offers, for as long as its debt lasts', () => {
    const swarm = scenario({ pieces: 4 })
    swarm.drawn('A ####\nB ####')
    swarm.at(0).limited(MIB)
    swarm.offered('A', 0, { eager: true })
    assert.deepEqual(swarm.offered('B', 1), ['busy B 1'])
    const [busy] = swarm.actions
    assert.ok(busy?.type === 'busy' && busy.ms > 500 && busy.ms <= 1_500)
    swarm.until(1_500)
    assert.equal(only(swarm.offered('B', 1), 'request').length, 1)
  })

  it('that lets a part of a piece in at a time lets the rest follow', () => {
    // the uploader knows of the request alone, and of what it told us of itself
    const uploader = scenario({ pieces: 1, have: [0], policy: { eager: false, split: false } })
    const receiver = scenario({ pieces: 1 })
    receiver.limited(100_000)
    receiver.drawn('S #')
    const offers = uploader.joined('A')
    let came = 0
    for (let time = 0; time <= 60_000 && came < MIB; time += 50) {
      offers.push(...uploader.until(time))
      receiver.until(time)
      for (const offer of only(offers.splice(0), 'offer')) {
        assert.equal(offer, 'offer A 0')
        receiver.offered('S', 0)
        const [answer] = receiver.actions
        if (answer?.type === 'busy') offers.push(...uploader.busy('A', 0, answer.ms))
        if (answer?.type === 'decline') offers.push(...uploader.declined('A', 0))
        if (answer?.type !== 'request') continue
        const { begin, length } = answer
        came += length
        offers.push(...uploader.requested('A', 0, { begin, length, offered: true }))
        offers.push(...uploader.delivered('A', 0, { begin, length }))
        receiver.arrived('S', 0, { begin, length })
      }
    }
    assert.equal(came, MIB)
  })
})
