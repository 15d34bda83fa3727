/** SHA-1 (FIPS 180-4, section 6.1) of four messages at once. */
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
import { type Code, localGet, localSet, V128_XOR } from './wasm.ts'

const ROUNDS = 80

/** Rounds that mix in the same way, and have the same constant. */
const STAGE = 20

export const SHA1: LaneHash = {
  constants: [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6],
  state: [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0],
  code: () => laneCode(5, rounds),
}

type Mix = (b: number, c: number, d: number) => Code

const parity: Mix = (b, c, d) => chained(V128_XOR, localGet(b), localGet(c), localGet(d))

const STAGES: readonly Mix[] = [choice, parity, majority, parity]

/** The variables are not moved from round to round; their names are. */
function rounds(variables: readonly number[]): Rounds {
  const code: number[] = []
  let names = variables
  for (let round = 0; round < ROUNDS; round++) {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = names
    const stage = Math.floor(round / STAGE)
    const mix = STAGES[stage] ?? parity
    if (round >= WORDS) code.push(...nextWord(round))
    code.push(
      ...sum(localGet(e), localGet(word(round)), constant(stage), mix(b, c, d), turnedLeft(a, 5)),
      ...localSet(e),
      ...turnedLeft(b, 30),
      ...localSet(b),
    )
    names = [e, a, b, c, d]
  }
  return { code, names }
}

function nextWord(round: number): Code {
  const words = [3, 8, 14, 16].map((before) => localGet(word(round - before)))
  return [
    ...chained(V128_XOR, ...words),
    ...localSet(word(round)),
    ...turnedLeft(word(round), 1),
    ...localSet(word(round)),
  ]
}

const turnedLeft = (of: number, bits: number): Code => turned(of, 32 - bits)
