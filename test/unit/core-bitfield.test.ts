import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.ts'

/** `#` is set; the length is that of the string. */
function picture(marks: string): Bitfield {
  const field = new Bitfield(marks.length)
  for (const [index, mark] of [...marks].entries()) if (mark === '#') field.add(index)
  return field
}
const hex = (field: Bitfield): string => Buffer.from(field.bytes).toString('hex')

describe('a bitfield', () => {
  const pictures: [marks: string, bytes: string, count: number][] = [
    ['', '', 0],
    ['.', '00', 0],
    ['#', '80', 1],
    ['.......#', '01', 1],
    ['#.#.#.#.', 'aa', 4],
    ['########', 'ff', 8],
    ['........#', '0080', 1],
    ['###.....#.......##', 'e080c0', 6],
  ]
  for (const [marks, bytes, count] of pictures) {
    it(`of "${marks}" is ${bytes || 'empty'}, the first bit highest`, () => {
      const field = picture(marks)
      assert.equal(hex(field), bytes)
      assert.equal(field.count, count)
      assert.equal(field.complete, !marks.includes('.'))
      assert.deepEqual(
        [...field],
        [...marks].flatMap((mark, index) => (mark === '#' ? [index] : [])),
      )
      const read = new Bitfield(marks.length, field.bytes)
      assert.deepEqual([...read], [...field])
      assert.equal(read.count, count)
    })
  }

  it('tells whether a change was one', () => {
    const field = picture('..')
    assert.deepEqual(
      [field.add(1), field.add(1), field.delete(1), field.delete(1), field.delete(0)],
      [true, false, true, false, false],
    )
    assert.equal(field.count, 0)
  })

  it('ignores indexes that it does not have', () => {
    const field = picture('#########')
    for (const index of [-1, 9, 15, 16, 2 ** 31, 2 ** 40]) {
      assert.equal(field.add(index), false, `add ${index}`)
      assert.equal(field.delete(index), false, `delete ${index}`)
      assert.equal(field.has(index), false, `has ${index}`)
    }
    assert.equal(hex(field), 'ff80')
    assert.equal(field.count, 9)
  })

  it('drops spare bits and missing bytes of what comes from outside', () => {
    const spare = new Bitfield(9, Uint8Array.of(0xff, 0xff, 0xff))
    assert.equal(hex(spare), 'ff80')
    assert.equal(spare.count, 9)
    const short = new Bitfield(17, Uint8Array.of(0x80))
    assert.equal(hex(short), '800000')
    assert.equal(short.count, 1)
  })

  it('does not share its bytes with what it was made of', () => {
    const bytes = Uint8Array.of(0x80)
    const field = new Bitfield(8, bytes)
    bytes[0] = 0
    assert.ok(field.has(0))
  })

  it('can be full', () => {
    for (const length of [0, 1, 7, 8, 9, 100]) {
      const field = Bitfield.full(length)
      assert.ok(field.complete)
      assert.equal(field.count, length)
      assert.deepEqual([...field], [...Array(length).keys()])
    }
  })

  it('can be made longer and shorter', () => {
    const field = picture('.#.......#')
    assert.deepEqual([...field.resized(20)], [1, 9])
    assert.equal(field.resized(20).length, 20)
    assert.deepEqual([...field.resized(9)], [1])
    assert.equal(field.resized(9).count, 1)
    assert.deepEqual([...field], [1, 9])
  })
})
