/**
 * What hashes of blocks of 64 bytes (FIPS 180-4) have in common as WebAssembly, over four messages at once, a lane of a
 * vector each. One message alone is a chain of steps that wait for each other; four side by side keep the processor busy.
 */
import {
  type Code,
  I32,
  I32_ADD,
  I32_SUB,
  I32X4_ADD,
  I32X4_SHL,
  I32X4_SHR_U,
  i32Const,
  localGet,
  localSet,
  loopWhile,
  moduleOf,
  shuffle,
  V128_BITSELECT,
  V128_OR,
  V128_XOR,
  v128Load,
  v128Store,
} from './wasm.ts'

export const LANES = 4
export const WORDS = 16
const BLOCK_BYTES = 64
const VECTOR_BYTES = 16

/** Parameters: addresses of the constants, of the state, of each lane's next block; and how many blocks. */
const CONSTANTS = 0
const STATE = 1
const MESSAGE = 2
const COUNT = MESSAGE + LANES
const PARAMETERS = COUNT + 1

/** Vectors: the message words that are in use, room for steps between, and the working variables. */
const WORD = PARAMETERS
const SPARE = WORD + WORDS
const SPARES = 8
const VARIABLE = SPARE + SPARES

/** Messages are big-endian. */
const REVERSED = [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]
const LOW_WORDS = [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23]
const HIGH_WORDS = [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31]
const LOW_PAIRS = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]
const HIGH_PAIRS = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31]

/** Of a hash with so many words of state: all rounds of a block, and which variable has which word of the state then. */
export interface Rounds {
  readonly code: Code
  readonly names: readonly number[]
}

/** `run(constants, state, m0, m1, m2, m3, blocks)`: the state of each lane, after so many blocks of its message. */
export function laneCode(
  stateWords: number,
  rounds: (names: readonly number[]) => Rounds,
): Uint8Array<ArrayBuffer> {
  const variables = range(stateWords).map((at) => VARIABLE + at)
  const { code, names } = rounds(variables)
  const body = loopWhile([
    ...variables.flatMap((variable, at) => [
      ...localGet(STATE),
      ...v128Load(at * VECTOR_BYTES),
      ...localSet(variable),
    ]),
    ...loadWords(),
    ...code,
    ...names.flatMap((variable, at) => [
      ...localGet(STATE),
      ...sum(localGet(variable), [...localGet(STATE), ...v128Load(at * VECTOR_BYTES)]),
      ...v128Store(at * VECTOR_BYTES),
    ]),
    ...range(LANES).flatMap((lane) => [
      ...localGet(MESSAGE + lane),
      ...i32Const(BLOCK_BYTES),
      ...I32_ADD,
      ...localSet(MESSAGE + lane),
    ]),
    ...[...localGet(COUNT), ...i32Const(1), ...I32_SUB, ...localSet(COUNT)],
    ...localGet(COUNT),
  ])
  const parameters = Array.from({ length: PARAMETERS }, () => I32)
  return moduleOf({ parameters, vectors: WORDS + SPARES + stateWords, body })
}

/** Four words of each message at a time, turned so that a vector holds the same word of all. */
function loadWords(): Code {
  return range(WORDS / LANES).flatMap((quarter) => {
    const rows = range(LANES).flatMap((lane) => [
      ...localGet(MESSAGE + lane),
      ...v128Load(quarter * VECTOR_BYTES),
      ...localSet(SPARE + lane),
      ...mixed(SPARE + lane, SPARE + lane, REVERSED, SPARE + lane),
    ])
    const pairs = [
      ...mixed(SPARE, SPARE + 1, LOW_WORDS, SPARE + 4),
      ...mixed(SPARE + 2, SPARE + 3, LOW_WORDS, SPARE + 5),
      ...mixed(SPARE, SPARE + 1, HIGH_WORDS, SPARE + 6),
      ...mixed(SPARE + 2, SPARE + 3, HIGH_WORDS, SPARE + 7),
    ]
    const first = WORD + quarter * LANES
    const columns = [
      ...mixed(SPARE + 4, SPARE + 5, LOW_PAIRS, first),
      ...mixed(SPARE + 4, SPARE + 5, HIGH_PAIRS, first + 1),
      ...mixed(SPARE + 6, SPARE + 7, LOW_PAIRS, first + 2),
      ...mixed(SPARE + 6, SPARE + 7, HIGH_PAIRS, first + 3),
    ]
    return [...rows, ...pairs, ...columns]
  })
}

const mixed = (left: number, right: number, lanes: readonly number[], into: number): Code => [
  ...localGet(left),
  ...localGet(right),
  ...shuffle(lanes),
  ...localSet(into),
]

/** The message's words come after each other in sixteen places. */
export const word = (round: number): number => WORD + (round % WORDS)

export const constant = (at: number): Code => [...localGet(CONSTANTS), ...v128Load(at * VECTOR_BYTES)]

/** Bits of the second where the first is set, of the third elsewhere. */
export const choice = (e: number, f: number, g: number): Code => select(localGet(f), localGet(g), localGet(e))

/** Where a and b differ c decides. */
export const majority = (a: number, b: number, c: number): Code =>
  select(localGet(c), localGet(b), chained(V128_XOR, localGet(a), localGet(b)))

const select = (one: Code, other: Code, mask: Code): Code => [...one, ...other, ...mask, ...V128_BITSELECT]

/** Each word turned to the right. */
export const turned = (of: number, bits: number): Code => [
  ...[...localGet(of), ...i32Const(bits), ...I32X4_SHR_U],
  ...[...localGet(of), ...i32Const(32 - bits), ...I32X4_SHL],
  ...V128_OR,
]

export const sum = (...terms: readonly Code[]): Code => chained(I32X4_ADD, ...terms)

/** The terms, with the operation after each but the first. */
export function chained(operation: Code, ...terms: readonly Code[]): Code {
  return terms.flatMap((term, at) => (at === 0 ? term : [...term, ...operation]))
}

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at)
