import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encode, prepare } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { FILE_FORM, RAW_FORM, splitInline, standardWrapping, Wrappings } from '../../src/store/wrapping.ts'
import fc from './seeded.ts'

const payload = fc.uint8Array({ minLength: 1, maxLength: 5000 })
const wrapping = fc.record({
  prefix: fc.uint8Array({ maxLength: 20 }),
  suffix: fc.uint8Array({ maxLength: 20 }),
})

function leaf(type: 'file' | 'raw', data: Uint8Array, mode?: number): Uint8Array {
  const unixfs = new UnixFS(mode === undefined ? { type, data } : { type, data, mode })
  return encode(prepare({ Data: unixfs.marshal(), Links: [] }))
}

describe('a wrapping', () => {
  for (const [type, form] of [
    ['file', FILE_FORM],
    ['raw', RAW_FORM],
  ] as const) {
    it(`of UnixFS type ${type} follows from the payload's size`, () => {
      fc.assert(
        fc.property(payload, (data) => {
          const { prefix, suffix } = standardWrapping(form, data.length)
          assert.deepEqual(Buffer.concat([prefix, data, suffix]), Buffer.from(leaf(type, data)))
        }),
      )
    })
  }

  it('is found in any leaf, with a mode or without', () => {
    fc.assert(
      fc.property(payload, fc.option(fc.nat({ max: 0o777 }), { nil: undefined }), (data, mode) => {
        const block = leaf('file', data, mode)
        const found = splitInline(block, data.length)
        assert.ok(found)
        assert.deepEqual(Buffer.concat([found.prefix, data, found.suffix]), Buffer.from(block))
      }),
    )
  })

  it('is not found in what is no leaf of that size', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 200 }), (block, size) => {
        const found = splitInline(block, size)
        assert.equal(
          (found?.prefix.length ?? 0) + (found?.suffix.length ?? 0),
          found === undefined ? 0 : block.length - size,
        )
      }),
    )
    assert.equal(splitInline(leaf('file', new Uint8Array(10)), 9), undefined)
  })
})

describe('the wrappings of a share', () => {
  it('are what was learnt last, and survive their row', () => {
    const learnt = fc.array(
      fc.record({ piece: fc.nat({ max: 200 }), size: fc.constantFrom(10, 1000), wrapping }),
    )
    fc.assert(
      fc.property(learnt, (lessons) => {
        const wrappings = new Wrappings()
        for (const lesson of lessons) wrappings.learn(lesson.piece, lesson.size, lesson.wrapping)
        const last = new Map(lessons.map((lesson) => [lesson.piece, lesson]))
        for (const again of [wrappings, Wrappings.decode(wrappings.encode())]) {
          for (const [piece, lesson] of last) {
            assert.deepEqual(plain(again.of(piece, lesson.size)), plain(lesson.wrapping))
          }
        }
      }),
    )
  })

  it('take no row while all are standard', () => {
    const wrappings = new Wrappings()
    wrappings.learn(3, 1000, standardWrapping(FILE_FORM, 1000))
    assert.equal(wrappings.plain, true)
    wrappings.learn(3, 1000, standardWrapping(RAW_FORM, 1000))
    assert.equal(wrappings.plain, false)
    assert.deepEqual(plain(wrappings.of(3, 1000)), plain(standardWrapping(RAW_FORM, 1000)))
  })
})

const plain = ({ prefix, suffix }: { prefix: Uint8Array; suffix: Uint8Array }) =>
  [prefix, suffix].map((bytes) => Buffer.from(bytes).toString('hex'))
