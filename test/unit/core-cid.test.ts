import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { blockKey, parseCid, printable, rootKeyOf, unsupported } from '../../src/core/cid.ts'
import { ShareError } from '../../src/core/errors.ts'

const SHA = Digest.create(0x12, new Uint8Array(32).fill(1))
const RAW = CID.createV1(0x55, SHA)
const NODE = CID.createV1(0x70, SHA)

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof ShareError, String(error))
    assert.ok(!/[\n\r]/.test(error.message + error.hint), 'one line each')
    return error.code
  }
  return 'accepted'
}

describe('a CID that a person typed', () => {
  it('is read in every base that tools print', () => {
    for (const [text, cid] of [
      [RAW.toString(), RAW],
      [NODE.toString(base36), NODE],
      [NODE.toString(base58btc), NODE],
      [NODE.toV0().toString(), NODE.toV0()],
    ] as const) {
      assert.ok(parseCid(text).equals(cid), text)
    }
  })

  const refused: [text: string, code: string][] = [
    ['', 'BAD_CID'],
    ['b', 'BAD_CID'],
    ['hello', 'BAD_CID'],
    ['Qm', 'BAD_CID'],
    ['QmInvalid0OIl', 'BAD_CID'],
    [RAW.toString().slice(0, -3), 'BAD_CID'],
    [`${RAW}aaaa`, 'BAD_CID'],
    [` ${RAW}`, 'BAD_CID'],
    ['/etc/passwd', 'BAD_CID'],
    ['x'.repeat(100_000), 'BAD_CID'],
    [CID.createV1(0x71, SHA).toString(), 'UNSUPPORTED'],
    [CID.createV1(0x55, Digest.create(0x13, new Uint8Array(64))).toString(), 'UNSUPPORTED'],
    [CID.createV1(0x55, Digest.create(0x12, new Uint8Array(20))).toString(), 'UNSUPPORTED'],
    [CID.createV1(0x55, Digest.create(0, new Uint8Array(129))).toString(), 'UNSUPPORTED'],
  ]
  for (const [text, code] of refused) {
    it(`is ${code}: ${printable(text, 20) || 'nothing'}`, () =>
      assert.equal(
        codeOf(() => parseCid(text)),
        code,
      ))
  }

  it('is not printed raw in the error', () => {
    const message = (text: string): string => {
      try {
        parseCid(text)
      } catch (error) {
        if (error instanceof ShareError) return error.message
      }
      return assert.fail('accepted')
    }
    assert.equal(message('a\u001b[31mb\u202ec'), 'not a CID: a\ufffd[31mb\ufffdc')
    assert.ok(message('x'.repeat(100_000)).length < 300)
  })
})

describe('what can be checked here', () => {
  it('is raw and dag-pb by sha2-256, and short identity CIDs', () => {
    assert.equal(unsupported(RAW), undefined)
    assert.equal(unsupported(NODE.toV0()), undefined)
    assert.equal(unsupported(CID.createV1(0x55, Digest.create(0, new Uint8Array(128)))), undefined)
    assert.match(unsupported(CID.createV1(0x55, Digest.create(0, new Uint8Array(129)))) ?? '', /128/)
    assert.match(unsupported(CID.createV1(0x71, SHA)) ?? '', /0x71/)
    assert.match(unsupported(CID.createV1(0x55, Digest.create(0x1e, new Uint8Array(32)))) ?? '', /0x1e/)
  })
})

describe('keys', () => {
  it('of a root are the same for both versions of its CID', () => {
    assert.equal(rootKeyOf(NODE.toV0()), NODE.toString())
    assert.equal(rootKeyOf(NODE), NODE.toString())
    assert.notEqual(rootKeyOf(RAW), rootKeyOf(NODE))
  })

  it('of a block are the same for all its CIDs, and differ by digest and by hash', () => {
    assert.equal(blockKey(RAW), blockKey(NODE))
    assert.equal(blockKey(NODE.toV0()), blockKey(NODE))
    const others = [
      Digest.create(0x12, new Uint8Array(32).fill(2)),
      Digest.create(0, new Uint8Array(32).fill(1)),
      Digest.create(0x12, new Uint8Array(31).fill(1)),
      Digest.create(0, Uint8Array.of(0x12, 0x80, 0xff)),
    ].map((digest) => blockKey(CID.createV1(0x55, digest)))
    assert.equal(new Set([...others, blockKey(RAW)]).size, 5)
  })
})

describe('text of a stranger', () => {
  it('is printed without control and bidi characters, and not for ever', () => {
    const cases: [raw: string, printed: string][] = [
      ['plain', 'plain'],
      ['Grüße 文件 🎉', 'Grüße 文件 🎉'],
      ['a\nb\rc\td', 'a\ufffdb\ufffdc\ufffdd'],
      ['\u001b]0;title\u0007', '\ufffd]0;title\ufffd'],
      ['\u0085\u009b', '\ufffd\ufffd'],
      ['\u202egnp.exe\u2066', '\ufffdgnp.exe\ufffd'],
      ['\u2028\u2029', '\ufffd\ufffd'],
    ]
    for (const [raw, printed] of cases) assert.equal(printable(raw), printed)
    assert.equal(printable('x'.repeat(201)), `${'x'.repeat(200)}…`)
    assert.equal(printable('x'.repeat(200)), 'x'.repeat(200))
    assert.equal(printable('abcdef', 3), 'abc…')
  })

  it('is not cut in the middle of a character', () => {
    assert.equal(printable('ab🎉cd', 3), 'ab…')
  })
})
