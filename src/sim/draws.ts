/** What is drawn by lot before and during a run. */
import type { Prng } from '../core/prng.ts'
import type { Arrivals } from './scenario.ts'

/** When each leecher comes: ms from the start, ascending; the first comes at 0. */
export function arrivalTimes(arrivals: Arrivals, count: number, prng: Prng): number[] {
  const times: number[] = []
  for (let at = 0; times.length < count; at += gap(arrivals, prng)) times.push(at)
  return times
}

function gap(arrivals: Arrivals, prng: Prng): number {
  switch (arrivals.type) {
    case 'together':
      return 0
    case 'every':
      return arrivals.ms
    case 'poisson':
      return -Math.log(1 - prng.unit()) * arrivals.ms
  }
}

/** In random order. */
export function shuffled<Item>(items: readonly Item[], prng: Prng): Item[] {
  const mixed = [...items]
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = prng.below(at + 1)
    const [a, b] = [mixed[at], mixed[other]]
    if (a === undefined || b === undefined) continue
    mixed[at] = b
    mixed[other] = a
  }
  return mixed
}
