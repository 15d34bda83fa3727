/** Events in any order, sensible or not: the books stay right, and what comes out could be carried out. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createPrng } from '../../src/core/prng.ts'
import { millis, type PeerKey, peerKey, type RootKey, rootKey } from '../../src/core/types.ts'
import type { SwarmAction, SwarmEvent, Wire } from '../../src/swarm/events.ts'
import { Scheduler } from '../../src/swarm/scheduler.ts'

const root = fc.constantFrom('R', 'R', 'R', 'S', 'unknown').map(rootKey)
const peer = fc.constantFrom('A', 'B', 'C', 'D').map(peerKey)
const piece = fc.integer({ min: -1, max: 12 })
const pieces = fc.array(piece, { maxLength: 13 })
const sizes = fc.array(fc.constantFrom(1, 16_384, 1 << 20, 4 << 20), { maxLength: 6 })

const begin = fc.constantFrom(0, 0, 0, 16_384, 1 << 19)
const length = fc.constantFrom(0, 1, 16_384, 1 << 19, 1 << 20)
const terms = { rate: fc.constantFrom(0, 100_000, 12_500_000), start: fc.constantFrom(0, 80, 5_000) }
const wire = fc.constantFrom<Wire>('share', 'share', 'bitswap', 'bittorrent')
const one = <Type extends string>(...types: readonly Type[]) => fc.constantFrom(...types)

const event: fc.Arbitrary<SwarmEvent> = fc.oneof(
  fc.record({ type: one('opened'), root, sizes, have: pieces, final: fc.boolean() }),
  fc.record({ type: one('grown'), root, sizes, found: pieces, final: fc.boolean() }),
  { weight: 4, arbitrary: fc.record({ type: one('joined'), root, peer, wire }) },
  { weight: 2, arbitrary: fc.record({ type: one('left'), root, peer }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: one('has', 'has', 'lacks', 'expects', 'expects', 'expects-no-more'),
      root,
      peer,
      pieces,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: one('choked', 'unchoked', 'interested', 'uninterested', 'progressed'),
      root,
      peer,
    }),
  },
  fc.record({ type: one('misbehaved'), root, peer, reason: fc.constant('was rude') }),
  { weight: 6, arbitrary: fc.record({ type: one('received', 'suggested', 'accepted'), root, peer, piece }) },
  {
    weight: 10,
    arbitrary: fc.record({ type: one('arrived', 'arrived', 'rejected'), root, peer, piece, begin, length }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: one('offered'), root, peer, piece, eager: fc.boolean(), ...terms }),
  },
  { weight: 3, arbitrary: fc.record({ type: one('idle'), root, peer, ...terms }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: one('requested'),
      root,
      peer,
      piece,
      begin,
      length,
      offered: fc.boolean(),
    }),
  },
  fc.record({ type: one('shortened'), root, peer, piece, begin, length }),
  fc.record({ type: one('declined'), root, peer, piece: fc.option(piece, { nil: undefined }) }),
  fc.record({
    type: one('busy'),
    root,
    peer,
    piece: fc.option(piece, { nil: undefined }),
    ms: fc.nat(10_000),
  }),
  {
    weight: 4,
    arbitrary: fc.record({ type: one('sent', 'delivered'), root, peer, piece, begin, bytes: length }),
  },
  fc.record({ type: one('send-failed'), root, peer, piece, begin }),
  {
    weight: 8,
    arbitrary: fc.record({
      type: one('verified', 'verified', 'stored', 'stored', 'store-failed', 'refuted'),
      root,
      piece,
    }),
  },
  fc.record({ type: one('urgent'), root, pieces }),
  fc.record({ type: one('limited'), down: fc.constantFrom(0, 1_000, 10_000_000) }),
  { weight: 3, arbitrary: fc.record({ type: one('woke') }) },
  fc.record({ type: one('closed'), root }),
)

const steps = fc.array(
  fc.record({ event, pause: fc.constantFrom(0, 0, 1, 50, 2_500, 20_000), punctual: fc.boolean() }),
  { maxLength: 150, size: 'max' },
)

/** What somebody outside knows: checks that actions make sense, as a driver would rely on it. */
class Observer {
  readonly #joined = new Set<string>()
  readonly #open = new Set<RootKey>()
  readonly #wanted = new Set<string>()
  readonly #banned = new Set<PeerKey>()
  readonly #completed = new Set<RootKey>()

  sees(event: SwarmEvent): void {
    switch (event.type) {
      case 'opened':
        this.#open.add(event.root)
        return
      case 'closed':
        this.#forget(event.root)
        return
      case 'joined':
        if (this.#open.has(event.root) && !this.#banned.has(event.peer))
          this.#joined.add(`${event.root} ${event.peer}`)
        return
      case 'left':
        this.#leave(event.root, event.peer)
        return
      case 'requested':
        this.#wanted.add(`${event.root} ${event.peer} ${event.piece}`)
        return
    }
  }

  /** An offer is answered at once, and once. */
  answers(event: SwarmEvent, actions: readonly SwarmAction[]): void {
    if (event.type !== 'offered' && event.type !== 'idle') return
    if (!this.#joined.has(`${event.root} ${event.peer}`)) return
    const answers = actions.filter(
      (action) =>
        (action.type === 'request' || action.type === 'decline' || action.type === 'busy') &&
        action.root === event.root &&
        action.peer === event.peer,
    )
    assert.equal(answers.length, 1, `${answers.length} answers to ${JSON.stringify(event)}`)
  }

  checks(action: SwarmAction): void {
    switch (action.type) {
      case 'request':
      case 'offer':
      case 'ask':
      case 'offer-uplink':
        assert.ok(this.#joined.has(`${action.root} ${action.peer}`), `${action.type}: not a peer`)
        return
      case 'send':
        assert.ok(this.#wanted.has(`${action.root} ${action.peer} ${action.piece}`), 'nobody asked for it')
        assert.ok(!this.#banned.has(action.peer))
        return
      case 'completed':
        assert.ok(!this.#completed.has(action.root))
        this.#completed.add(action.root)
        return
      case 'ban':
        assert.ok(!this.#banned.has(action.peer))
        this.#banned.add(action.peer)
        for (const root of this.#open) this.#leave(root, action.peer)
        return
    }
  }

  #leave(root: RootKey, peer: PeerKey): void {
    this.#joined.delete(`${root} ${peer}`)
  }

  #forget(root: RootKey): void {
    for (const entry of this.#joined) if (entry.startsWith(`${root} `)) this.#joined.delete(entry)
    this.#completed.delete(root)
    this.#open.delete(root)
  }
}

describe('the scheduler', () => {
  it('keeps its books whatever happens', () => {
    fc.assert(
      fc.property(fc.nat(), steps, (seed, played) => {
        const scheduler = new Scheduler(createPrng(seed))
        const observer = new Observer()
        let now = 0
        const handle = (event: SwarmEvent): void => {
          observer.sees(event)
          const actions = scheduler.handle(event, millis(now))
          observer.answers(event, actions)
          for (const action of actions) observer.checks(action)
          scheduler.checkInvariants()
        }
        for (const root of ['R', 'S']) {
          const sizes = [1 << 20, 1 << 20, 5_000, 1 << 20]
          handle({ type: 'opened', root: rootKey(root), sizes, have: [2], final: root === 'S' })
        }
        for (const { event, pause, punctual } of played) {
          const due = scheduler.nextTimeout()
          now = punctual && due !== undefined ? Math.max(now, due) : now + pause
          handle(event)
        }
      }),
      { numRuns: 400 },
    )
  })

  it('when woken in time, wants to be woken later: it never spins', () => {
    fc.assert(
      fc.property(fc.nat(), steps, (seed, played) => {
        const scheduler = new Scheduler(createPrng(seed))
        const sizes = Array<number>(12).fill(1 << 20)
        let now = 0
        scheduler.handle({ type: 'opened', root: rootKey('R'), sizes, have: [], final: true }, millis(now))
        for (const { event, pause } of played) {
          now += pause
          scheduler.handle(event, millis(now))
        }
        const since = now
        let wakes = 0
        for (let due = scheduler.nextTimeout(); due !== undefined; due = scheduler.nextTimeout()) {
          assert.ok(wakes === 0 || due > now, `due at ${due}, it is ${now}`)
          now = Math.max(now, due)
          if (now - since > 600_000) break
          // sources and offers that are not answered are looked after twice a second, for as long as there are any
          assert.ok(++wakes < 200 + (now - since) / 200, `woken ${wakes} times in ${now - since} ms`)
          scheduler.handle({ type: 'woke' }, millis(now))
        }
      }),
      { numRuns: 300 },
    )
  })
})
