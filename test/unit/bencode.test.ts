import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import {
  asDictionary,
  type Bencodable,
  type BencodeDictionary,
  type BencodeValue,
  bytesAt,
  decodeBencode,
  dictionaryAt,
  encodeBencode,
  integerAt,
  listAt,
  textAt,
} from '../../src/core/bencode.ts'
import { guardBencode, keyName, MalformedBencode } from '../../src/core/bencode-guard.ts'

const LIMITS = { maxBytes: 1 << 16 }

/** Bytes of a string whose characters are all below 256. */
const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const decode = (text: string): BencodeValue => decodeBencode(latin1(text), LIMITS)

/** Strings as text, so that a table can be read. */
function readable(value: BencodeValue): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value === 'number') return value
  return Object.fromEntries(Object.entries(value).map(([key, content]) => [key, readable(content)]))
}

describe('bencode', () => {
  const GOOD: readonly [string, unknown][] = [
    // the examples of BEP 3
    ['4:spam', 'spam'],
    ['i3e', 3],
    ['i-3e', -3],
    ['i0e', 0],
    ['l4:spam4:eggse', ['spam', 'eggs']],
    ['d3:cow3:moo4:spam4:eggse', { cow: 'moo', spam: 'eggs' }],
    ['d4:spaml1:a1:bee', { spam: ['a', 'b'] }],
    // edges
    ['0:', ''],
    ['le', []],
    ['de', {}],
    ['d0:i1ee', { '': 1 }],
    ['i9007199254740991e', Number.MAX_SAFE_INTEGER],
    ['i-9007199254740991e', -Number.MAX_SAFE_INTEGER],
    ['5:i1e:e', 'i1e:e'],
    ['lld1:alee4:spamee', [[{ a: [] }, 'spam']]],
    // what a chihaya tracker sends: keys out of order
    ['d8:intervali1800e5:peers0:8:completei5ee', { interval: 1800, peers: '', complete: 5 }],
    // one key in two dictionaries
    ['d1:ad1:ai1ee1:bd1:ai2eee', { a: { a: 1 }, b: { a: 2 } }],
  ]
  for (const [text, value] of GOOD) {
    it(`reads ${text}`, () => assert.deepEqual(readable(decode(text)), value))
  }

  const BAD: readonly [string, RegExp][] = [
    ['', /no digit at byte 0/],
    ['l-3:ae', /no digit at byte 1/],
    ['d-1:ae', /no digit at byte 1/],
    ['i1.5e', /not an integer/],
    ['i+1e', /no digit/],
    ['ie', /no digit/],
    ['i-e', /no digit/],
    ['i-0e', /negative zero/],
    ['i03e', /leading zero/],
    ['i-03e', /leading zero/],
    ['i00e', /leading zero/],
    ['i1', /not an integer/],
    ['i 1e', /no digit/],
    ['i9007199254740992e', /beyond 2\^53/],
    ['i-9007199254740992e', /beyond 2\^53/],
    [`i${'9'.repeat(400)}e`, /beyond 2\^53/],
    ['4:spa', /longer than what is there/],
    ['99999999999999999999:a', /beyond 2\^53/],
    ['9007199254740991:a', /longer than what is there/],
    ['03:abc', /leading zero/],
    ['3', /not a value/],
    ['3abc', /not a value/],
    ['-1:', /no digit/],
    ['e', /no digit/],
    ['l', /no digit at byte 1/],
    ['li1e', /no digit at byte 4/],
    ['d', /no digit at byte 1/],
    ['d1:a', /no digit at byte 4/],
    ['d1:ae', /no digit at byte 4/],
    ['di1ei2ee', /no digit at byte 1/],
    ['dlei1ee', /no digit at byte 1/],
    ['x', /no digit/],
    ['i1ei2e', /more bytes after the value at byte 3/],
    ['le\n', /more bytes after the value at byte 2/],
    ['d1:ai1e1:ai2ee', /there twice at byte 7/],
    ['d1:ai1e1:bi2e1:ai3ee', /there twice at byte 13/],
    ['d9:__proto__dee', /__proto__/],
    ['ld1:ad9:__proto__i1eeee', /__proto__/],
  ]
  for (const [text, reason] of BAD) {
    it(`refuses ${text.slice(0, 40) || 'nothing'}`, () => {
      assert.throws(() => decode(text), { name: 'MalformedBencode', message: reason })
    })
  }

  it('refuses the six bytes that hang the library', () => {
    const bytes = readFileSync(new URL('../../fixtures/wire/hangs-bencode.bin', import.meta.url))
    assert.equal(bytes.toString('latin1'), 'l-3:ae')
    assert.throws(() => decodeBencode(bytes, LIMITS), MalformedBencode)
  })

  it('goes 64 levels deep and no further', () => {
    assert.doesNotThrow(() => decode('l'.repeat(64) + 'e'.repeat(64)))
    assert.throws(() => decode('l'.repeat(65) + 'e'.repeat(65)), /deeper than 64 at byte 64/)
    assert.doesNotThrow(() => decode(`${'d1:a'.repeat(63)}i1e${'e'.repeat(63)}`))
    assert.throws(() => decode('l'.repeat(60_000)), /deeper than 64/)
  })

  it('refuses more bytes than allowed before it looks at them', () => {
    assert.doesNotThrow(() => decodeBencode(latin1('4:spam'), { maxBytes: 6 }))
    assert.throws(() => decodeBencode(latin1('4:spam'), { maxBytes: 5 }), /more than 5 bytes/)
  })

  it('refuses keys that differ in bytes and would meet in the object', () => {
    assert.throws(() => decode('d2:ffi1e1:\xffi2ee'), /there twice/)
    assert.throws(() => decode('d1:ai1e4:\xef\xbb\xbfai2ee'), /there twice/)
    assert.throws(() => decode('d12:\xef\xbb\xbf__proto__i1ee'), /__proto__/)
  })

  it('reads keys that are not text as hex', () => {
    const dictionary = asDictionary(decode('d2:\xff\x01i7ee'))
    assert.ok(dictionary)
    assert.equal(integerAt(dictionary, keyName(latin1('\xff\x01'))), 7)
    assert.equal(integerAt(dictionary, 'ff01'), 7)
  })

  it('keeps nothing of the bytes that it was given', () => {
    const bytes = latin1('4:spam')
    const value = decodeBencode(bytes, LIMITS)
    bytes.fill(0)
    assert.equal(readable(value), 'spam')
  })
})

describe('the bytes of a value', () => {
  const torrent = guardBencode(latin1('d8:announce3:url4:infod6:lengthi12e4:name1:fee'), LIMITS)
  const rawText = (...path: string[]): string | undefined => {
    const raw = torrent.raw(...path)
    return raw === undefined ? undefined : Buffer.from(raw).toString('latin1')
  }

  it('are found by a path of keys', () => {
    assert.equal(rawText('announce'), '3:url')
    assert.equal(rawText('info'), 'd6:lengthi12e4:name1:fe')
    assert.equal(rawText('info', 'name'), '1:f')
    assert.equal(rawText(), 'd8:announce3:url4:infod6:lengthi12e4:name1:fee')
    assert.equal(rawText('length'), undefined)
    assert.equal(rawText('announce', 'url'), undefined)
  })

  it('are those that came, even where keys are out of order', () => {
    const odd = guardBencode(latin1('d4:infod1:bi1e1:ai2ee8:announce0:e'), LIMITS)
    assert.equal(Buffer.from(odd.raw('info') ?? []).toString(), 'd1:bi1e1:ai2ee')
  })

  it('come with keys as they are, text or not', () => {
    const layers = guardBencode(latin1('d12:piece layersd2:\xff\x002:ab2:\xff\x012:cdee'), LIMITS)
    const entries = [...layers.entries('piece layers')].map(({ key, value }) => [
      Buffer.from(key).toString('hex'),
      Buffer.from(value).toString(),
    ])
    assert.deepEqual(entries, [
      ['ff00', '2:ab'],
      ['ff01', '2:cd'],
    ])
    const raw = layers.raw('piece layers', Uint8Array.of(0xff, 0x01))
    assert.equal(Buffer.from(raw ?? []).toString(), '2:cd')
    assert.deepEqual([...layers.entries('nothing')], [])
  })
})

describe('writing bencode', () => {
  const TABLE: readonly [Bencodable, string][] = [
    [3, 'i3e'],
    [-3, 'i-3e'],
    ['spam', '4:spam'],
    ['µ', '2:\xc2\xb5'],
    [Uint8Array.of(0xff), '1:\xff'],
    [['spam', 'eggs'], 'l4:spam4:eggse'],
    [{ spam: 'eggs', cow: 'moo' }, 'd3:cow3:moo4:spam4:eggse'],
    [{ b: undefined, a: 1 }, 'd1:ai1ee'],
    [{ '': 1 }, 'd0:i1ee'],
    // by bytes: U+FF41 (ef bd 81) before U+1F600 (f0 9f 98 80), whose UTF-16 begins with d83d
    [{ '\u{1f600}': 1, '\uff41': 2 }, 'd3:\xef\xbd\x81i2e4:\xf0\x9f\x98\x80i1ee'],
    // by bytes: 80 before fe before ff
    [
      new Map([
        [Uint8Array.of(0xff), 1],
        [Uint8Array.of(0x80), 2],
        [Uint8Array.of(0xfe), 3],
      ]),
      'd1:\x80i2e1:\xfei3e1:\xffi1ee',
    ],
  ]
  for (const [value, text] of TABLE) {
    it(`writes ${JSON.stringify(text)}`, () => {
      assert.equal(Buffer.from(encodeBencode(value)).toString('latin1'), text)
    })
  }

  it('refuses numbers that bencode has not', () => {
    for (const number of [1.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      assert.throws(() => encodeBencode([number]), RangeError)
    }
  })
})

describe('reading a dictionary from a stranger', () => {
  const dictionary = decode('d1:bli1ee1:cd1:di1ee1:ii7e1:s1:xe') as BencodeDictionary

  it('gives the value where it is of the wanted kind', () => {
    assert.equal(integerAt(dictionary, 'i'), 7)
    assert.equal(textAt(dictionary, 's'), 'x')
    assert.deepEqual(bytesAt(dictionary, 's'), Uint8Array.of(0x78))
    assert.deepEqual(listAt(dictionary, 'b'), [1])
    assert.deepEqual(dictionaryAt(dictionary, 'c'), { d: 1 })
  })

  it('gives undefined for other kinds, and for what is not there', () => {
    for (const key of ['b', 'c', 's', 'none', 'constructor'])
      assert.equal(integerAt(dictionary, key), undefined)
    for (const key of ['b', 'c', 'i', 'none', 'toString']) assert.equal(bytesAt(dictionary, key), undefined)
    for (const key of ['i', 'c', 's', 'none']) assert.equal(listAt(dictionary, key), undefined)
    for (const key of ['i', 'b', 's', 'none', '__proto__'])
      assert.equal(dictionaryAt(dictionary, key), undefined)
    for (const value of [1, new Uint8Array(1), [], undefined]) assert.equal(asDictionary(value), undefined)
  })
})

describe('what the guard tells beside', () => {
  it('bounds how many values there are', () => {
    const limits = { maxBytes: 100, maxValues: 4 }
    // the dictionary, the list and two integers; keys do not count
    guardBencode(Buffer.from('d1:ali1ei2eee'), limits)
    assert.throws(
      () => guardBencode(Buffer.from('d1:ali1ei2ei3eee'), limits),
      /more than 4 values at byte 11/,
    )
    assert.throws(() => guardBencode(Buffer.from('lllllee'), limits), /more than 4 values/)
  })

  it('says whether every key is text that the decoded object has as it came', () => {
    const textKeys = (text: string) => guardBencode(Buffer.from(text, 'latin1'), { maxBytes: 100 }).textKeys
    assert.equal(textKeys('d1:ad2:\xc3\xa4i1eee'), true)
    assert.equal(textKeys('1:\xff'), true)
    assert.equal(textKeys('d1:ad1:\xffi1eee'), false)
    // a byte order mark is dropped, and U+FFFD becomes hex
    assert.equal(textKeys('d4:\xef\xbb\xbfai1ee'), false)
    assert.equal(textKeys('d3:\xef\xbf\xbdi1ee'), false)
  })
})
