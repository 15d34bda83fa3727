/** The rows of bits tell the same as sets do, for more peers than a word has bits, while peers and pieces come and go. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { EXPECTS, HAS, type Holding, Holdings, OFFERED } from '../../src/swarm/holdings.ts'
import fc from './seeded.ts'

const HOLDINGS = [HAS, EXPECTS, OFFERED] as const

const PEERS = 70
const PIECES = 12

class Model {
  readonly holdings = new Holdings()
  readonly #sets = new Map<number, Map<Holding, Set<number>>>()
  readonly #here = new Set<number>()
  #length = 0

  grow(length: number): void {
    this.#length = Math.max(this.#length, length)
    this.holdings.grow(this.#length)
  }

  own(piece: number): void {
    this.holdings.own(piece)
    if (piece < this.#length) this.#here.add(piece)
  }

  join(): void {
    if (this.#sets.size < PEERS)
      this.#sets.set(this.holdings.join(), new Map(HOLDINGS.map((holding) => [holding, new Set()])))
  }

  leave(slot: number): void {
    if (this.#sets.delete(slot)) this.holdings.leave(slot)
  }

  mark(holding: Holding, slot: number, piece: number, set: boolean): void {
    const pieces = this.#sets.get(slot)?.get(holding)
    if (pieces === undefined) return
    const changes = piece < this.#length && pieces.has(piece) !== set
    assert.equal(this.holdings[set ? 'add' : 'delete'](holding, slot, piece), changes)
    if (!changes) return
    if (set) pieces.add(piece)
    else pieces.delete(piece)
  }

  check(): void {
    for (const [slot, sets] of this.#sets) {
      for (const [holding, pieces] of sets) {
        assert.equal(this.holdings.count(holding, slot), pieces.size)
        for (let piece = 0; piece < PIECES; piece++)
          assert.equal(this.holdings.has(holding, slot, piece), pieces.has(piece))
      }
      const free = [...this.#here].filter((piece) => HOLDINGS.every((one) => !sets.get(one)?.has(piece)))
      assert.equal(this.holdings.takes(slot), free.length)
      assert.equal(
        this.holdings.lacks(slot),
        [...this.#here].filter((piece) => !sets.get(HAS)?.has(piece)).length,
      )
      const fewest = Math.min(...free.map((piece) => this.#bits(piece)))
      const picked = this.holdings.pick(slot, true, createPrng(slot), () => true)
      assert.equal(picked === undefined, free.length === 0)
      if (picked !== undefined) assert.ok(free.includes(picked) && this.#bits(picked) === fewest)
    }
  }

  #bits(piece: number): number {
    let bits = 0
    for (const sets of this.#sets.values()) for (const pieces of sets.values()) if (pieces.has(piece)) bits++
    return bits
  }
}

it('holdings are what sets would be', () => {
  const slot = fc.nat({ max: PEERS - 1 })
  const piece = fc.nat({ max: PIECES - 1 })
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.tuple(fc.constant('join' as const)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('leave' as const), slot) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('own' as const), piece) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('grow' as const), fc.nat({ max: PIECES })) },
    {
      weight: 16,
      arbitrary: fc.tuple(
        fc.constant('mark' as const),
        fc.constantFrom(...HOLDINGS),
        slot,
        piece,
        fc.boolean(),
      ),
    },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
      const model = new Model()
      model.grow(PIECES / 2)
      for (const [what, ...args] of steps) (model[what] as (...args: unknown[]) => void).call(model, ...args)
      model.check()
    }),
    { numRuns: 200 },
  )
})
