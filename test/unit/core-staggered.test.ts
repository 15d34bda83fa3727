/** Attempts of which one is enough: when each begins, which one is taken, and what becomes of the others. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { staggered } from '../../src/core/staggered.ts'
import { TestClock } from './torrent-clock.ts'

/** Begins after `patience` at the latest, and ends after `takes` with `works` or an error; in ms. */
interface Plan {
  readonly name: string
  readonly patience: number
  readonly takes: number
  readonly works: boolean
}

const plan = (name: string, patience: number, takes: number, works: boolean): Plan => ({
  name,
  patience,
  takes,
  works,
})
const NEVER = 100_000

/** What was begun and when; who won; who was given up. */
interface Course {
  readonly begun: string[]
  readonly givenUp: string[]
  readonly end: string
}

const TABLE: readonly (Course & { readonly what: string; readonly plans: readonly Plan[] })[] = [
  {
    what: 'the first works at once: the others are never begun',
    plans: [plan('a', 250, 30, true), plan('b', 250, 30, true)],
    begun: ['a at 0'],
    givenUp: [],
    end: 'a at 30',
  },
  {
    what: 'the first is dead: the second begins when it has had its time',
    plans: [plan('a', 250, NEVER, false), plan('b', 250, 30, true), plan('c', 250, 30, true)],
    begun: ['a at 0', 'b at 250'],
    givenUp: ['a'],
    end: 'b at 280',
  },
  {
    what: 'the first is refused: the second begins at once',
    plans: [plan('a', 250, 10, false), plan('b', 250, 30, true)],
    begun: ['a at 0', 'b at 10'],
    givenUp: [],
    end: 'b at 40',
  },
  {
    what: 'the first is slow, and still faster than the second',
    plans: [plan('a', 250, 300, true), plan('b', 250, NEVER, true)],
    begun: ['a at 0', 'b at 250'],
    givenUp: ['b'],
    end: 'a at 300',
  },
  {
    what: 'a last resort waits longer',
    plans: [plan('a', 250, NEVER, false), plan('relay', 1_500, 30, true)],
    begun: ['a at 0', 'relay at 1500'],
    givenUp: ['a'],
    end: 'relay at 1530',
  },
  {
    what: 'three at the same time: the fourth waits until one has failed',
    plans: [
      plan('a', 250, NEVER, false),
      plan('b', 250, 3_000, false),
      plan('c', 250, NEVER, false),
      plan('d', 250, 30, true),
    ],
    begun: ['a at 0', 'b at 250', 'c at 500', 'd at 3250'],
    givenUp: ['a', 'c'],
    end: 'd at 3280',
  },
  {
    what: 'none works: all that was said is told',
    plans: [plan('a', 250, 300, false), plan('b', 250, 10, false), plan('c', 250, 10, false)],
    begun: ['a at 0', 'b at 250', 'c at 300'],
    givenUp: [],
    end: 'b failed, a failed, c failed',
  },
  {
    what: 'one alone does not work: its error is the error',
    plans: [plan('a', 250, 10, false)],
    begun: ['a at 0'],
    givenUp: [],
    end: 'Error: a failed',
  },
]

describe('attempts of which one is enough', () => {
  for (const { what, plans, ...course } of TABLE)
    it(what, async () => assert.deepEqual(await run(plans), course))

  it('end when they are called off', async () => {
    const course = await run([plan('a', 250, NEVER, false), plan('b', 250, NEVER, false)], 400)
    assert.deepEqual(course, {
      begun: ['a at 0', 'b at 250'],
      givenUp: ['a', 'b'],
      end: 'a failed, b failed',
    })
  })
})

async function run(plans: readonly Plan[], calledOffAt?: number): Promise<Course> {
  const clock = new TestClock()
  const off = new AbortController()
  const begun: string[] = []
  const givenUp: string[] = []
  const now = (name: string): string => `${name} at ${clock.now()}`
  if (calledOffAt !== undefined) clock.after(calledOffAt, () => off.abort())
  const end = staggered(plans, {
    attempt: async ({ name, takes, works }, signal) => {
      begun.push(now(name))
      await sleep(clock, takes, signal).catch(() => givenUp.push(name))
      if (!works || signal.aborted) throw new Error(`${name} failed`)
      return now(name)
    },
    patience: ({ patience }) => patience,
    most: 3,
    signal: off.signal,
    sleep: (ms, signal) => sleep(clock, ms, signal),
  }).catch(told)
  await clock.advance(NEVER - 1)
  return { begun, givenUp, end: await end }
}

function told(thrown: unknown): string {
  if (thrown instanceof AggregateError) return thrown.errors.map(({ message }) => message).join(', ')
  return String(thrown)
}

function sleep(clock: TestClock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = clock.after(ms, resolve)
    signal.addEventListener('abort', () => {
      stop()
      reject(new Error('called off'))
    })
  })
}
