import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Handling } from '../../src/exchange/bitswap/handling.ts'
import { MemoryGate } from '../../src/exchange/bitswap/memory-gate.ts'

const MIB = 1 << 20

/** A reading that goes on until it is ended. */
function bench() {
  const gate = new MemoryGate()
  const aborted: string[] = []
  const handled: string[] = []
  const reading = Promise.withResolvers<void>()
  const handling = new Handling(gate, ({ message }) => {
    aborted.push(message)
    reading.reject(new Error('the stream was aborted'))
  })
  const handle = async (name: string): Promise<void> => {
    if (name === 'bad') throw new Error('a bad message')
    handled.push(name)
  }
  return { gate, aborted, handled, reading, handling, handle }
}

describe('the messages of a stream', () => {
  it('are handled in their order, whichever is ready first', async () => {
    const { handling, handled, handle, reading } = bench()
    const slow = Promise.withResolvers<string>()
    void handling.next(1, slow.promise, handle)
    const second = handling.next(1, Promise.resolve('second'), handle)
    await turn()
    assert.deepEqual(handled, [])
    slow.resolve('first')
    await second
    assert.deepEqual(handled, ['first', 'second'])
    reading.resolve()
    await handling.whole(reading.promise)
  })

  it('are all handled when the reading is done', async () => {
    const { handling, handled, handle, reading } = bench()
    const slow = Promise.withResolvers<string>()
    void handling.next(1, slow.promise, handle)
    reading.resolve()
    const whole = handling.whole(reading.promise)
    await turn()
    slow.resolve('last')
    await whole
    assert.deepEqual(handled, ['last'])
  })

  it('count as held until they are handled', async () => {
    const { gate, handling, handle } = bench()
    const slow = Promise.withResolvers<string>()
    void handling.next(20 * MIB, slow.promise, handle)
    const last = handling.next(20 * MIB, slow.promise, handle)
    assert.notEqual(gate.pass(), undefined)
    slow.resolve('large')
    await last
    await turn()
    assert.equal(gate.pass(), undefined)
  })

  for (const failing of ['not ready', 'not handled'] as const) {
    it(`end with the one that was ${failing}, and what waited behind it is not handled`, async () => {
      const { gate, handling, handled, aborted, handle, reading } = bench()
      const whole = handling.whole(reading.promise)
      const bad =
        failing === 'not ready' ? Promise.reject(new Error('a bad message')) : Promise.resolve('bad')
      const both = Promise.allSettled([
        handling.next(20 * MIB, bad, handle),
        handling.next(20 * MIB, Promise.resolve('behind'), handle),
      ])
      await assert.rejects(whole, { message: 'a bad message' })
      await both
      assert.deepEqual({ handled, aborted }, { handled: [], aborted: ['a bad message'] })
      assert.equal(gate.pass(), undefined)
    })
  }
})
