import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FrameCredit } from '../../src/exchange/bitswap/frame-credit.ts'

const KIB = 1 << 10

describe('part of a frame', () => {
  it('is a sign of life for each 16 KiB', () => {
    const credit = new FrameCredit()
    credit.came(16 * KIB - 1)
    assert.equal(credit.spend(), false)
    credit.came(1)
    assert.equal(credit.spend(), true)
    assert.equal(credit.spend(), false, 'once')
  })

  it('is none after a large frame without a block, until one with a block', () => {
    const credit = new FrameCredit()
    const afterFrame = (bytes: number, hasBlocks: boolean): boolean => {
      credit.settle(bytes, hasBlocks)
      credit.came(16 * KIB)
      return credit.spend()
    }
    assert.deepEqual(
      [
        afterFrame(100, false),
        afterFrame(64 * KIB, false),
        afterFrame(100, true),
        afterFrame(64 * KIB, true),
      ],
      [true, false, false, true],
    )
  })
})
