import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { blockKey } from '../../src/core/cid.ts'
import { Ledger } from '../../src/exchange/bitswap/ledger.ts'
import { MemoryGate } from '../../src/exchange/bitswap/memory-gate.ts'
import { Wants } from '../../src/exchange/bitswap/wants.ts'

/** A CID for each number. */
function cid(number: number): CID {
  const digest = new Uint8Array(32)
  new DataView(digest.buffer).setUint32(0, number)
  return CID.createV1(0x55, Digest.create(0x12, digest))
}

/** What is told next: `block 1`, `have 2`, `cancel 3`; a full list begins with `full`. */
function told(wants: Wants): string[] | undefined {
  const batch = wants.take()
  if (batch === undefined) return undefined
  const entries = batch.entries.map((entry) => {
    const number = new DataView(Uint8Array.from(entry.cid.multihash.digest).buffer).getUint32(0)
    return `${entry.cancel ? 'cancel' : entry.kind} ${number}`
  })
  return batch.full ? ['full', ...entries] : entries
}

const numbers = (count: number, from = 0): number[] => [...Array(count).keys()].map((number) => number + from)

describe('what we want of a peer', () => {
  it('begins with a full list, and goes on with changes', () => {
    const wants = new Wants()
    assert.equal(told(wants), undefined)
    wants.want(cid(1), 'block')
    wants.want(cid(2), 'have')
    assert.deepEqual(told(wants), ['full', 'block 1', 'have 2'])
    assert.equal(wants.pending, false)
    wants.want(cid(3), 'block')
    wants.cancel(cid(1))
    assert.deepEqual(told(wants), ['block 3', 'cancel 1'])
    assert.equal(told(wants), undefined)
  })

  it('is told once however often it is wanted before', () => {
    const wants = new Wants()
    for (let again = 0; again < 3; again++) wants.want(cid(1), 'have')
    assert.deepEqual(told(wants), ['full', 'have 1'])
  })

  const coalesced: [changes: string, then: string][] = [
    ['have block', 'block 1'],
    ['block have', 'block 1'],
    ['block cancel have', 'have 1'],
    ['have cancel block', 'block 1'],
    ['have cancel', 'cancel 1'],
    ['cancel', ''],
  ]
  for (const [changes, then] of coalesced) {
    it(`is told as "${then}" after ${changes}`, () => {
      const wants = new Wants()
      wants.want(cid(0), 'block')
      wants.take()
      for (const change of changes.split(' ')) {
        if (change === 'cancel') wants.cancel(cid(1))
        else wants.want(cid(1), change === 'have' ? 'have' : 'block')
      }
      assert.deepEqual(told(wants)?.join() ?? '', then)
    })
  }

  it('is upgraded from a question to a block, never back', () => {
    const wants = new Wants()
    wants.want(cid(1), 'have')
    wants.take()
    wants.want(cid(1), 'block')
    assert.deepEqual(told(wants), ['block 1'])
    wants.want(cid(1), 'have')
    assert.equal(told(wants), undefined)
    assert.equal(wants.kind(blockKey(cid(1))), 'block')
  })

  it('is one want for all CIDs of a block', () => {
    const wants = new Wants()
    const v1 = CID.createV1(0x70, cid(1).multihash)
    wants.want(v1, 'block')
    wants.want(v1.toV0(), 'block')
    assert.deepEqual(told(wants), ['full', 'block 1'])
    wants.settle(blockKey(v1.toV0()))
    assert.equal(wants.kind(blockKey(v1)), undefined)
  })

  it('goes out in messages of 256, of which the first is the full one', () => {
    const wants = new Wants()
    for (const number of numbers(600)) wants.want(cid(number), 'block')
    const batches = [told(wants), told(wants), told(wants), told(wants)]
    assert.deepEqual(
      batches.map((batch) => batch?.length),
      [1 + 256, 256, 88, undefined],
    )
    assert.deepEqual(
      batches.flatMap((batch) => batch ?? []),
      ['full', ...numbers(600).map((number) => `block ${number}`)],
    )
  })

  it('is told anew, as a full list, after a broken stream', () => {
    const wants = new Wants()
    wants.want(cid(1), 'block')
    wants.want(cid(2), 'have')
    wants.want(cid(3), 'block')
    wants.take()
    wants.settle(blockKey(cid(3)))
    wants.cancel(cid(1))
    wants.retell()
    wants.want(cid(4), 'block')
    assert.deepEqual(told(wants), ['full', 'have 2', 'block 4'])
  })

  it('leaves cancels out of a full list, which says as much', () => {
    const wants = new Wants()
    wants.want(cid(1), 'block')
    wants.cancel(cid(1))
    assert.deepEqual(told(wants), ['full'])
  })

  it('is settled by its answer: nothing is told', () => {
    const wants = new Wants()
    wants.want(cid(1), 'block')
    wants.take()
    wants.settle(blockKey(cid(1)))
    wants.cancel(cid(1))
    assert.equal(told(wants), undefined)
  })

  it('is remembered for a while, cancelled or answered, and unasked is not', () => {
    const wants = new Wants()
    wants.want(cid(1), 'block')
    wants.want(cid(2), 'block')
    wants.cancel(cid(1))
    wants.settle(blockKey(cid(2)))
    wants.cancel(cid(3))
    wants.settle(blockKey(cid(4)))
    const remembered = (number: number): boolean => wants.wasWanted(blockKey(cid(number)))
    assert.deepEqual(numbers(4, 1).map(remembered), [true, true, false, false])
    for (const number of numbers(2_048, 10)) wants.want(cid(number), 'block')
    for (const number of numbers(2_047, 10)) wants.cancel(cid(number))
    assert.deepEqual([1, 2, 10, 2_056, 2_057].map(remembered), [false, true, true, true, true])
  })
})

describe('what a peer wants of us', () => {
  const want = (number: number, kind: 'block' | 'have' = 'block') =>
    ({ cid: cid(number), kind, cancel: false, sendDontHave: true }) as const

  it('is kept until it is removed, under any CID of the block', () => {
    const ledger = new Ledger()
    ledger.add(want(1))
    const other = CID.createV1(0x70, cid(1).multihash)
    assert.equal(ledger.get(other)?.cid, ledger.get(cid(1))?.cid)
    assert.equal(ledger.remove(other)?.kind, 'block')
    assert.equal(ledger.remove(other), undefined)
    assert.equal(ledger.get(cid(1)), undefined)
  })

  it('is what it said last', () => {
    const ledger = new Ledger()
    ledger.add(want(1, 'block'))
    ledger.add(want(1, 'have'))
    assert.equal(ledger.get(cid(1))?.kind, 'have')
  })

  it('is emptied by a full list', () => {
    const ledger = new Ledger()
    for (const number of [1, 2]) ledger.add(want(number))
    assert.deepEqual(
      ledger.clear().map((entry) => entry.cid),
      [cid(1), cid(2)],
    )
    assert.deepEqual(ledger.clear(), [])
  })

  it('is 8,192 wants at most', () => {
    const ledger = new Ledger()
    assert.ok(numbers(8_192).every((number) => ledger.add(want(number))))
    assert.equal(ledger.add(want(8_192)), false)
    assert.equal(ledger.get(cid(8_192)), undefined)
    assert.equal(ledger.add(want(5, 'have')), true, 'that one is known')
    ledger.remove(cid(0))
    assert.equal(ledger.add(want(8_192)), true)
  })
})

describe('the memory gate', () => {
  const MIB = 1 << 20

  it('closes above 32 MiB and opens again at 16', async () => {
    const gate = new MemoryGate()
    gate.hold(32 * MIB)
    assert.equal(gate.pass(), undefined)
    gate.hold(1)
    const passing = gate.pass()
    assert.ok(passing !== undefined)
    let through = false
    const passed = passing.then(() => {
      through = true
    })
    gate.release(16 * MIB)
    await Promise.resolve()
    assert.equal(through, false)
    assert.equal(gate.pass(), passing)
    gate.release(1)
    assert.equal(gate.pass(), undefined)
    await passed
  })

  it('closes again', () => {
    const gate = new MemoryGate()
    for (let again = 0; again < 2; again++) {
      gate.hold(40 * MIB)
      gate.hold(1 * MIB)
      assert.ok(gate.pass() !== undefined)
      gate.release(41 * MIB)
      assert.equal(gate.pass(), undefined)
    }
  })
})
