/** SHA-256 (FIPS 180-4, section 6.2) of four messages at once, at one and a half times the bytes of one after the other. */

import {
  chained,
  choice,
  constant,
  laneCode,
  majority,
  type Rounds,
  sum,
  turned,
  WORDS,
  word,
} from './lane-code.ts'
import type { LaneHash } from './lanes.ts'
import { type Code, I32X4_SHR_U, i32Const, localGet, localSet, V128_XOR } from './wasm.ts'

const ROUNDS = 64

/** The first 32 bits of the fractional parts of roots of the first primes (FIPS 180-4, sections 4.2.2 and 5.3.3). */
export const SHA256: LaneHash = {
  constants: primes(ROUNDS).map((prime) => fraction(Math.cbrt(prime))),
  state: primes(8).map((prime) => fraction(Math.sqrt(prime))),
  code: () => laneCode(8, rounds),
}

/** The variables are not moved from round to round; their names are. */
function rounds(variables: readonly number[]): Rounds {
  const code: number[] = []
  let names = variables
  for (let round = 0; round < ROUNDS; round++) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = names
    if (round >= WORDS) code.push(...nextWord(round))
    code.push(
      ...sum(localGet(h), localGet(word(round)), constant(round), choice(e, f, g), bigSigma(e, [6, 11, 25])),
      ...localSet(h),
      ...sum(localGet(d), localGet(h)),
      ...localSet(d),
      ...sum(localGet(h), majority(a, b, c), bigSigma(a, [2, 13, 22])),
      ...localSet(h),
    )
    names = [h, a, b, c, d, e, f, g]
  }
  return { code, names }
}

function nextWord(round: number): Code {
  return [
    ...sum(
      localGet(word(round)),
      smallSigma(word(round - 15), [7, 18], 3),
      localGet(word(round - 7)),
      smallSigma(word(round - 2), [17, 19], 10),
    ),
    ...localSet(word(round)),
  ]
}

const bigSigma = (of: number, turns: readonly number[]): Code =>
  chained(V128_XOR, ...turns.map((turn) => turned(of, turn)))

const smallSigma = (of: number, turns: readonly number[], shift: number): Code =>
  chained(V128_XOR, ...turns.map((turn) => turned(of, turn)), [
    ...localGet(of),
    ...i32Const(shift),
    ...I32X4_SHR_U,
  ])

function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) >>> 0
}

function primes(count: number): number[] {
  const found: number[] = []
  for (let one = 2; found.length < count; one++)
    if (found.every((prime) => one % prime !== 0)) found.push(one)
  return found
}
