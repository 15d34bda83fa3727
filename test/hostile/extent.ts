/**
 * How much of the hostile tests is run. Alone, or with `HOSTILE=bounded`, a part that ends within minutes; with
 * `HOSTILE=full`, as `npm run test:hostile` has it, all of it. `HOSTILE_SEED` repeats a run; each run prints its seed.
 */
import { randomInt } from 'node:crypto'

const full = process.env.HOSTILE === 'full'

/** How many rounds of something there are. */
export function rounds(bounded: number, all: number): number {
  return full ? all : bounded
}

const given = process.env.HOSTILE_SEED
export const SEED: number = given === undefined ? randomInt(2 ** 31) : Number(given)
if (!Number.isSafeInteger(SEED)) throw new RangeError(`HOSTILE_SEED is no whole number: ${given}`)
