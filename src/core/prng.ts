/**
 * A seeded generator (xoshiro128**, public domain, Blackman and Vigna), for everything that must be
 * reproducible: ties in the scheduler, the simulator. Not for secrets.
 */
export interface Prng {
  /** Uniform in [0, bound), an integer; bound at least 1. */
  below(bound: number): number
  /** Uniform in [0, 1). */
  unit(): number
}

export function createPrng(seed: number): Prng {
  const state = new Uint32Array(4)
  let mix = seed >>> 0
  for (let at = 0; at < 4; at++) {
    // splitmix32 spreads a small seed over the whole state, which must not be all zero
    mix = (mix + 0x9e3779b9) >>> 0
    let word = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
    state[at] = (word ^ (word >>> 15)) >>> 0
  }
  let [a = 0, b = 0, c = 0, d = 0] = state
  const next = (): number => {
    const scrambled = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return scrambled
  }
  return {
    below: (bound) => Math.floor((next() / 2 ** 32) * bound),
    unit: () => next() / 2 ** 32,
  }
}

const rotate = (word: number, by: number): number => ((word << by) | (word >>> (32 - by))) >>> 0
