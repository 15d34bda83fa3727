import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { FrameDecoder, FrameTooLong, frameLength } from '../../src/exchange/bitswap/framing.ts'
import {
  blockPrefix,
  decodeMessage,
  decodePrefix,
  encodeMessage,
  MalformedMessage,
  type Message,
  type WantEntry,
} from '../../src/exchange/bitswap/message.ts'
import { Wants } from '../../src/exchange/bitswap/wants.ts'
import fc from './seeded.ts'

const digest = (bytes: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes })
const cid: fc.Arbitrary<CID> = fc.oneof(
  fc
    .tuple(fc.constantFrom(0x55, 0x70, 0x0129), digest(32))
    .map(([code, hash]) => CID.createV1(code, Digest.create(0x12, hash))),
  digest(32).map((hash) => CID.createV0(Digest.create(0x12, hash))),
  fc.uint8Array({ maxLength: 128 }).map((data) => CID.createV1(0x55, Digest.create(0, data))),
)
const want: fc.Arbitrary<WantEntry> = fc.record({
  cid,
  kind: fc.constantFrom('block', 'have'),
  cancel: fc.boolean(),
  sendDontHave: fc.boolean(),
})
const message: fc.Arbitrary<Message> = fc.record({
  wants: fc.array(want),
  full: fc.boolean(),
  blocks: fc.array(fc.record({ prefix: cid.map(blockPrefix), data: fc.uint8Array({ maxLength: 300 }) })),
  presences: fc.array(fc.record({ cid, has: fc.boolean() })),
})

/** As text, for CIDs carry caches that differ. */
const shown = ({ wants, full, blocks, presences }: Message): unknown => ({
  wants: wants.map((entry) => ({ ...entry, cid: String(entry.cid) })),
  full,
  blocks: blocks.map(({ prefix, data }) => [
    Buffer.from(prefix).toString('hex'),
    Buffer.from(data).toString('hex'),
  ]),
  presences: presences.map((presence) => ({ ...presence, cid: String(presence.cid) })),
})

/** Runs it; the only error that may come out is this one. */
function tolerates(error: new () => Error, run: () => unknown): void {
  try {
    run()
  } catch (thrown) {
    assert.ok(thrown instanceof error, String(thrown))
  }
}

describe('a Bitswap message', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(message, (written) => {
        assert.deepEqual(shown(decodeMessage(Buffer.concat(encodeMessage(written)))), shown(written))
      }),
    )
  })

  it('of any bytes is read or refused', () => {
    const bytes = fc.uint8Array({ maxLength: 400, size: 'max' })
    fc.assert(
      fc.property(bytes, (frame) => {
        tolerates(MalformedMessage, () => decodeMessage(frame))
        tolerates(MalformedMessage, () => decodePrefix(frame.subarray(0, 12)))
      }),
      { numRuns: 2_000 },
    )
  })

  it('with some bytes changed is read or refused', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(message, changes, fc.nat(), (written, changed, cut) => {
        const frame = Buffer.concat(encodeMessage(written))
        for (const [at, byte] of changed) frame[at % frame.length] = byte
        tolerates(MalformedMessage, () => decodeMessage(frame))
        tolerates(MalformedMessage, () => decodeMessage(frame.subarray(0, cut % frame.length)))
      }),
      { numRuns: 500 },
    )
  })

  it('reserves no memory for what it merely claims', () => {
    // a key, and a length of up to 2^63 that is not there
    const claims = fc.tuple(fc.constantFrom(0x0a, 0x12, 0x1a, 0x22), fc.bigInt({ min: 100n, max: 2n ** 63n }))
    const before = process.memoryUsage().arrayBuffers
    fc.assert(
      fc.property(claims, ([key, length]) => {
        const claim: number[] = [key]
        let left = length
        for (; left >= 128n; left >>= 7n) claim.push(Number(left & 127n) | 128)
        claim.push(Number(left))
        assert.throws(() => decodeMessage(Uint8Array.from([...claim, 1, 2, 3])), MalformedMessage)
      }),
    )
    assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20)
  })
})

describe('frames', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 12 })

  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat()), (sent, cuts) => {
        const wire = Buffer.concat(sent.flatMap((frame) => [frameLength(frame.length), frame]))
        const borders = [...cuts.map((cut) => cut % (wire.length + 1)), wire.length].sort((a, b) => a - b)
        const decoder = new FrameDecoder()
        const received: Uint8Array[] = []
        let from = 0
        for (const border of borders) {
          received.push(...decoder.push(wire.subarray(from, border)))
          from = border
        }
        assert.deepEqual(
          received.map((frame) => [...frame]),
          sent.map((frame) => [...frame]),
        )
      }),
    )
  })

  it('of any bytes are read or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (wire) =>
        tolerates(FrameTooLong, () => new FrameDecoder().push(wire)),
      ),
      { numRuns: 500 },
    )
  })
})

describe('a want list', () => {
  const cids = [...Array(6).keys()].map((byte) =>
    CID.createV1(0x55, Digest.create(0x12, new Uint8Array(32).fill(byte))),
  )
  const change = fc.record({
    act: fc.constantFrom('block', 'have', 'cancel', 'tell', 'break'),
    cid: fc.constantFrom(...cids),
  })

  it('is known to the peer once everything is told, whatever was lost on the way', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60, size: 'max' }), (changes) => {
        const wants = new Wants()
        const wanted = new Map<string, string>()
        const known = new Map<string, string>()
        const hear = (batch: ReturnType<Wants['take']>): void => {
          if (batch?.full === true) known.clear()
          for (const { cid, kind, cancel } of batch?.entries ?? []) {
            if (cancel) known.delete(String(cid))
            else known.set(String(cid), kind)
          }
        }
        for (const { act, cid } of changes) {
          if (act === 'tell') hear(wants.take())
          else if (act === 'break') {
            // what was taken last may not have arrived
            wants.take()
            wants.retell()
          } else if (act === 'cancel') {
            wants.cancel(cid)
            wanted.delete(String(cid))
          } else {
            wants.want(cid, act)
            if (wanted.get(String(cid)) !== 'block') wanted.set(String(cid), act)
          }
        }
        wants.retell()
        while (wants.pending) hear(wants.take())
        if (wanted.size > 0) assert.deepEqual(known, wanted)
      }),
      { numRuns: 500 },
    )
  })
})
