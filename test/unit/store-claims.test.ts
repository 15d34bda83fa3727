import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.ts'
import { Claims, decodeClaims, encodeClaims } from '../../src/store/claims.ts'

/** A disk that says what it was told, and fails where asked. */
function disk() {
  const said: string[] = []
  const writer = {
    fail: false,
    sync: async (entries: Iterable<number>) => {
      said.push(`sync ${[...entries]}`)
      if (writer.fail) throw new Error('disk full')
    },
    save: async (claimed: Bitfield) => {
      said.push(`save ${[...claimed]}`)
    },
  }
  return { said, writer }
}

describe('claims', () => {
  it('are saved after the bytes are synced, and only what was stored before', async () => {
    const { said, writer } = disk()
    const claims = new Claims(writer, new Bitfield(4))
    claims.wrote(7, 10)
    claims.stored(1)
    const flushed = claims.flush()
    await Promise.resolve()
    claims.wrote(8, 10)
    claims.stored(2)
    await flushed
    assert.deepEqual(said, ['sync 7', 'save 1'])
    await claims.flush()
    assert.deepEqual(said.slice(2), ['sync 8', 'save 1,2'])
  })

  it('need no flush when nothing happened', async () => {
    const { said, writer } = disk()
    await new Claims(writer, new Bitfield(4)).flush()
    assert.deepEqual(said, [])
  })

  it('flush on their own once 64 MiB were written', async () => {
    const { said, writer } = disk()
    const claims = new Claims(writer, new Bitfield(4))
    claims.wrote(0, 63 * 2 ** 20)
    claims.stored(0)
    assert.deepEqual(said, [])
    claims.wrote(0, 2 ** 20)
    claims.stored(1)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(said, ['sync 0', 'save 0,1'])
  })

  it('never grow again after a failed sync', async () => {
    const { said, writer } = disk()
    const claims = new Claims(writer, new Bitfield(4))
    claims.wrote(0, 10)
    claims.stored(0)
    writer.fail = true
    await assert.rejects(claims.flush(), /disk full/)
    assert.match(String(claims.failure), /disk full/)
    writer.fail = false
    claims.stored(1)
    await assert.rejects(claims.flush(), /disk full/)
    assert.deepEqual(said, ['sync 0'])
    assert.equal(claims.has(0), false)
  })

  it('are withdrawn, also while their bytes are being synced', async () => {
    const { said, writer } = disk()
    const claims = new Claims(writer, new Bitfield(4, Uint8Array.of(0b10000000)))
    claims.withdraw(0)
    claims.stored(1)
    claims.stored(2)
    const flushed = claims.flush()
    await Promise.resolve()
    claims.withdraw(2)
    await flushed
    assert.deepEqual(said, ['sync ', 'save 1'])
  })

  it('of a former run stay until the walk gets there', async () => {
    const { said, writer } = disk()
    const claims = new Claims(writer, new Bitfield(9, Uint8Array.of(0b00000001, 0b10000000)))
    claims.grow(3)
    claims.stored(0)
    await claims.flush()
    assert.deepEqual(said, ['sync ', 'save 0,7,8'])
  })

  const rows: [string, Uint8Array | undefined, number[]][] = [
    ['no row', undefined, []],
    ['an empty row', new Uint8Array(0), []],
    ['a row cut short', encodeClaims(Bitfield.full(20)).slice(0, 6), []],
    ['a row too long', Uint8Array.of(...encodeClaims(Bitfield.full(20)), 0), []],
    ['a good row', encodeClaims(Bitfield.full(3)), [0, 1, 2]],
  ]
  for (const [what, row, claimed] of rows) {
    it(`from ${what}: ${claimed.length}`, () => assert.deepEqual([...decodeClaims(row)], claimed))
  }
})
