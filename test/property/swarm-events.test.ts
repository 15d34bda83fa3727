/** Events in any order, sensible or not: the books stay right, and what comes out could be carried out. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { createPrng } from '../../src/core/prng.ts'
import { millis, type PeerKey, peerKey, type RootKey, rootKey } from '../../src/core/types.ts'
import type { SwarmAction, SwarmEvent } from '../../src/swarm/events.ts'
import { Scheduler } from '../../src/swarm/scheduler.ts'

const root = fc.constantFrom('R', 'R', 'R', 'S', 'unknown').map(rootKey)
const peer = fc.constantFrom('A', 'B', 'C', 'D').map(peerKey)
const piece = fc.integer({ min: -1, max: 12 })
const pieces = fc.array(piece, { maxLength: 13 })
const sizes = fc.array(fc.constantFrom(1, 16_384, 1 << 20, 4 << 20), { maxLength: 6 })

const event: fc.Arbitrary<SwarmEvent> = fc.oneof(
  fc.record({ type: fc.constant('opened'), root, sizes, have: pieces, final: fc.boolean() }),
  fc.record({ type: fc.constant('grown'), root, sizes, found: pieces, final: fc.boolean() }),
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('joined', 'joined', 'left'), root, peer }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constantFrom('has', 'has', 'lacks'), root, peer, pieces }) },
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constantFrom(
        ...(['received', 'received', 'verified', 'verified', 'stored', 'stored', 'store-failed'] as const),
        ...(['wanted', 'wanted', 'unwanted', 'sent', 'send-failed'] as const),
      ),
      root,
      peer,
      piece,
    }),
  },
  fc.record({ type: fc.constant('progressed'), root, peer, bytes: fc.nat(1 << 20) }),
  fc.oneof(
    fc.record({ type: fc.constant('corrupt'), root, peer, piece }),
    fc.record({ type: fc.constant('corrupt'), root, peer }),
  ),
  fc.record({ type: fc.constant('limited'), down: fc.constantFrom(0, 1_000, 10_000_000) }),
  { weight: 3, arbitrary: fc.record({ type: fc.constant('woke') }) },
  fc.record({ type: fc.constant('closed'), root }),
)

const steps = fc.array(
  fc.record({ event, pause: fc.constantFrom(0, 0, 1, 50, 2_500, 20_000), punctual: fc.boolean() }),
  { maxLength: 150, size: 'max' },
)

/** What somebody outside knows: checks that actions make sense, as a driver would rely on it. */
class Observer {
  readonly #joined = new Set<string>()
  readonly #inFlight = new Set<string>()
  readonly #wanted = new Set<string>()
  readonly #banned = new Set<PeerKey>()
  readonly #completed = new Set<RootKey>()

  sees(event: SwarmEvent): void {
    if (event.type === 'opened' || event.type === 'woke' || event.type === 'limited') return
    if (event.type === 'closed') this.#forget((entry) => entry.startsWith(`${event.root} `), event.root)
    else if (event.type === 'joined' && !this.#banned.has(event.peer))
      this.#joined.add(`${event.root} ${event.peer}`)
    else if (event.type === 'left') this.#leave(event.root, event.peer)
    else if (event.type === 'wanted') this.#wanted.add(`${event.root} ${event.peer} ${event.piece}`)
    else if (event.type === 'received') this.#inFlight.delete(`${event.root} ${event.peer} ${event.piece}`)
    else if (event.type === 'lacks')
      for (const piece of event.pieces) this.#inFlight.delete(`${event.root} ${event.peer} ${piece}`)
  }

  checks(action: SwarmAction): void {
    switch (action.type) {
      case 'request': {
        const request = `${action.root} ${action.peer} ${action.piece}`
        assert.ok(this.#joined.has(`${action.root} ${action.peer}`), `${request}: not a peer`)
        assert.ok(!this.#inFlight.has(request), `${request}: asked twice`)
        this.#inFlight.add(request)
        return
      }
      case 'ask':
        assert.ok(this.#joined.has(`${action.root} ${action.peer}`))
        assert.ok(action.pieces.length > 0)
        return
      case 'cancel':
        this.#inFlight.delete(`${action.root} ${action.peer} ${action.piece}`)
        return
      case 'send':
        assert.ok(this.#wanted.has(`${action.root} ${action.peer} ${action.piece}`))
        assert.ok(!this.#banned.has(action.peer))
        return
      case 'completed':
        assert.ok(!this.#completed.has(action.root))
        this.#completed.add(action.root)
        return
      case 'ban':
        assert.ok(!this.#banned.has(action.peer))
        this.#banned.add(action.peer)
        for (const root of ['R', 'S']) this.#leave(rootKey(root), action.peer)
        return
    }
  }

  #leave(root: RootKey, peer: PeerKey): void {
    this.#joined.delete(`${root} ${peer}`)
    for (const request of this.#inFlight)
      if (request.startsWith(`${root} ${peer} `)) this.#inFlight.delete(request)
  }

  #forget(concerns: (entry: string) => boolean, root: RootKey): void {
    for (const entries of [this.#joined, this.#inFlight])
      for (const entry of entries) if (concerns(entry)) entries.delete(entry)
    this.#completed.delete(root)
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
          for (const action of scheduler.handle(event, millis(now))) observer.checks(action)
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
          // silent sources are reminded every two seconds at the most often, for as long as they are silent
          assert.ok(++wakes < 200 + (now - since) / 500, `woken ${wakes} times in ${now - since} ms`)
          scheduler.handle({ type: 'woke' }, millis(now))
        }
      }),
      { numRuns: 300 },
    )
  })
})
