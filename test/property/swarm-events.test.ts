/** Events in any order, sensible or not: the books stay right, and what comes out could be carried out. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { millis } from '../../src/core/types.ts'
import type { SwarmEvent } from '../../src/swarm/events.ts'
import { Scheduler } from '../../src/swarm/scheduler.ts'
import fc from './seeded.ts'
import { eventOf, type Move, move, PEERS, ROOTS, wireOf } from './swarm-moves.ts'
import { Observer } from './swarm-observer.ts'

/** One scheduler, and all that happens to it. */
class Play {
  readonly scheduler: Scheduler
  readonly observer: Observer
  now = 0

  constructor(seed: number) {
    this.scheduler = new Scheduler(createPrng(seed))
    this.observer = new Observer(this.scheduler)
    const sizes = [1 << 20, 1 << 20, 5_000, 300_000, 1 << 20, 1]
    const [downloads, seeds] = ROOTS
    if (downloads !== undefined)
      this.handle({ type: 'opened', root: downloads, sizes, have: [2, 4], final: false })
    if (seeds !== undefined)
      this.handle({ type: 'opened', root: seeds, sizes, have: [0, 1, 2, 3, 4, 5], final: true })
    for (const root of ROOTS)
      for (const peer of PEERS.slice(0, 5)) this.handle({ type: 'joined', root, peer, wire: wireOf(peer) })
  }

  handle(event: SwarmEvent): void {
    this.observer.sees(event, this.now)
    const actions = this.scheduler.handle(event, millis(this.now))
    this.observer.checks(event, actions, this.now)
    this.scheduler.checkInvariants()
  }

  moves({ pause, punctual, ...rest }: Move): void {
    const due = this.scheduler.nextTimeout()
    this.now =
      punctual && due !== undefined && due < this.now + 60_000 ? Math.max(this.now, due) : this.now + pause
    const event = eventOf({ pause, punctual, ...rest }, this.observer.books)
    if (event !== undefined) this.handle(event)
  }
}

const moves = fc.array(move, { maxLength: 200, size: 'max' })

describe('the scheduler', () => {
  it('keeps its books, and its word, whatever happens', () => {
    fc.assert(
      fc.property(fc.nat(), moves, (seed, played) => {
        const play = new Play(seed)
        for (const one of played) play.moves(one)
      }),
      { numRuns: 300 },
    )
  })

  it('when woken in time, wants to be woken later, and not all the time: it never spins', () => {
    fc.assert(
      fc.property(fc.nat(), moves, (seed, played) => {
        const play = new Play(seed)
        for (const one of played) play.moves(one)
        const since = play.now
        let wakes = 0
        for (let due = play.scheduler.nextTimeout(); due !== undefined; due = play.scheduler.nextTimeout()) {
          assert.ok(wakes === 0 || due > play.now, `due at ${due}, it is ${play.now}`)
          if (due > since + 120_000) break
          play.now = Math.max(play.now, due)
          wakes++
          assert.ok(wakes < 200 + (play.now - since) / 20, `woken ${wakes} times in ${play.now - since} ms`)
          play.handle({ type: 'woke' })
        }
      }),
      { numRuns: 150 },
    )
  })
})
