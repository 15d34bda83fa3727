import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Bencodable, type BencodeValue, decodeBencode, encodeBencode } from '../../src/core/bencode.ts'
import { guardBencode, MalformedBencode } from '../../src/core/bencode-guard.ts'
import fc from './seeded.ts'

const LIMITS = { maxBytes: 1 << 20 }

const { value: bencodable } = fc.letrec<{ value: Bencodable }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.maxSafeInteger(),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ unit: 'grapheme', maxLength: 8 }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
}))

/** Bytes that look like bencode more often than random ones do. */
const almost = fc
  .array(fc.constantFrom('l', 'd', 'e', 'i', ':', '-', '0', '1', '2', '3', '9', '1:a', '3:abc', 'i1e'), {
    maxLength: 40,
  })
  .map((parts) => Buffer.from(parts.join('')))

describe('bencode', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(bencodable, (value) => {
        assert.deepEqual(decodeBencode(encodeBencode(value), LIMITS), value)
      }),
    )
  })

  it('writes keys in the order of their bytes', () => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.uniqueArray(key, { selector: (bytes) => bytes.join() }), (keys) => {
        const written = encodeBencode(new Map(keys.map((bytes) => [bytes, 1])))
        // the guard would refuse some of these keys, so they are read by their fixed shape
        const order: Buffer[] = []
        for (let at = 1; at < written.length - 1; ) {
          const length = (written[at] ?? 0) - 0x30
          order.push(Buffer.from(written.subarray(at + 2, at + 2 + length)))
          at += 2 + length + 3
        }
        assert.deepEqual(order, [...keys].map((bytes) => Buffer.from(bytes)).sort(Buffer.compare))
      }),
    )
  })

  it('refuses every proper beginning of a value', () => {
    fc.assert(
      fc.property(
        bencodable,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (value, part) => {
          const whole = encodeBencode(value)
          const cut = whole.subarray(0, Math.floor(whole.length * part))
          assert.throws(() => guardBencode(cut, LIMITS), MalformedBencode)
        },
      ),
    )
  })

  it('either refuses bytes or decodes them to a value that they say', () => {
    fc.assert(
      fc.property(almost, (bytes) => {
        const value = decoded(bytes)
        // sorting keys changes no length
        if (value !== undefined) assert.equal(encodeBencode(value).length, bytes.length)
      }),
      { numRuns: 2000 },
    )
  })

  it('throws nothing but its own error', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decoded(bytes)))
  })
})

/** Undefined where the guard refuses. */
function decoded(bytes: Uint8Array): BencodeValue | undefined {
  try {
    return decodeBencode(bytes, LIMITS)
  } catch (thrown) {
    assert.ok(thrown instanceof MalformedBencode)
    return undefined
  }
}
