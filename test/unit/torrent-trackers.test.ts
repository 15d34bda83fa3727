/** Which tracker is asked next (BEP 12). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Prng } from '../../src/core/prng.ts'
import { AnnounceList, checkedTiers, readTiers } from '../../src/torrent/announce-list.ts'

const url = (name: string): string => `http://${name}.example/announce`
const bytes = (text: string): Uint8Array => Buffer.from(text)
/** Leaves every tier as it is. */
const STILL: Prng = { below: (bound) => bound - 1, unit: () => 0 }

describe('the trackers of a torrent', () => {
  it('are those of the list, else the one', () => {
    const list = [[bytes(url('a')), bytes(url('b'))], [bytes(` ${url('c')} `)]]
    assert.deepEqual(readTiers(bytes(url('x')), list), [[url('a'), url('b')], [url('c')]])
    assert.deepEqual(readTiers(bytes(url('x')), undefined), [[url('x')]])
    assert.deepEqual(readTiers(bytes(url('x')), [[], 5]), [[url('x')]])
    assert.deepEqual(readTiers(undefined, undefined), [])
  })

  it('have no repetitions, no other URLs, and are not too many', () => {
    assert.deepEqual(
      checkedTiers([[url('a'), 'ftp://a.example', url('a')], [url('a')], ['', 'udp://a.example']]),
      [[url('a')]],
    )
    const many = Array.from({ length: 500 }, (_, at) => [url(`t${at}`)])
    assert.equal(checkedTiers(many).length, 200)
  })
})

describe('the next tracker', () => {
  it('is the next of the tier, then the first of the next tier', () => {
    const list = new AnnounceList([['a', 'b'], ['c']], STILL)
    const asked: (string | undefined)[] = []
    for (let turn = 0; turn < 4; turn++) {
      asked.push(list.current)
      list.failed()
    }
    assert.deepEqual(asked, ['a', 'b', 'c', undefined])
    list.restart()
    assert.equal(list.current, 'a')
  })

  it('is the one that answered, from then on', () => {
    const list = new AnnounceList([['a', 'b', 'c'], ['d']], STILL)
    list.failed()
    list.failed()
    list.answered()
    assert.deepEqual([list.current, list.tiers], ['c', [['c', 'a', 'b'], ['d']]])
  })

  it('comes in an order of chance', () => {
    const first: Prng = { below: () => 0, unit: () => 0 }
    assert.deepEqual(new AnnounceList([['a', 'b', 'c']], first).tiers, [['b', 'c', 'a']])
  })
})
