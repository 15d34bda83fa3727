import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.ts'
import {
  decodeExtension,
  EXTENSION_IDS,
  type ExtensionMessage,
  encodeExtension,
} from '../../src/exchange/peer-wire/extensions.ts'
import { FrameDecoder, MAX_FRAME_BYTES } from '../../src/exchange/peer-wire/framing.ts'
import {
  decodeMessage,
  encodeMessage,
  type KnownMessage,
  type Message,
} from '../../src/exchange/peer-wire/messages.ts'
import { WireViolation } from '../../src/exchange/peer-wire/violation.ts'
import { joined, toHex } from '../unit/peer-wire-bytes.ts'
import { End, ROOT } from '../unit/peer-wire-pair.ts'
import fc from './seeded.ts'

const uint32 = fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 0xffff_ffff }))
const payload = fc.uint8Array({ maxLength: 40 })
const span = { index: uint32, begin: uint32, length: uint32 }
const hashSpan = {
  root: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  baseLayer: uint32,
  index: uint32,
  length: uint32,
  proofLayers: uint32,
}
const hashes = fc
  .integer({ min: 1, max: 3 })
  .chain((count) => fc.uint8Array({ minLength: 32 * count, maxLength: 32 * count }))

const message: fc.Arbitrary<KnownMessage> = fc.oneof(
  fc
    .constantFrom(
      ...([
        'keep-alive',
        'choke',
        'unchoke',
        'interested',
        'not-interested',
        'have-all',
        'have-none',
      ] as const),
    )
    .map((type) => ({ type })),
  fc.record({
    type: fc.constantFrom('have' as const, 'suggest' as const, 'allowed-fast' as const),
    index: uint32,
  }),
  fc.record({ type: fc.constantFrom('request' as const, 'cancel' as const, 'reject' as const), ...span }),
  fc.record({ type: fc.constant('bitfield' as const), bits: payload }),
  fc.record({ type: fc.constant('piece' as const), index: uint32, begin: uint32, data: payload }),
  fc.record({ type: fc.constant('port' as const), port: fc.nat({ max: 65_535 }) }),
  fc.record({ type: fc.constant('extended' as const), id: fc.nat({ max: 255 }), payload }),
  fc.record({ type: fc.constantFrom('hash-request' as const, 'hash-reject' as const), ...hashSpan }),
  fc.record({ type: fc.constant('hashes' as const), ...hashSpan, hashes }),
)

const optionalIndex = fc.option(uint32, { nil: undefined })
const peers = fc.array(
  fc.record({
    id: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    addresses: fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 }), { maxLength: 8 }),
  }),
  { maxLength: 5 },
)
const extension: fc.Arbitrary<ExtensionMessage> = fc.oneof(
  fc.record({ index: optionalIndex, eager: fc.boolean(), rate: uint32, start: uint32 }).map((offer) => ({
    name: 'share_offer' as const,
    ...offer,
    eager: offer.eager && offer.index !== undefined,
  })),
  fc.record({ name: fc.constant('share_decline' as const), index: optionalIndex }),
  fc.record({ name: fc.constant('share_busy' as const), index: optionalIndex, milliseconds: uint32 }),
  fc.record({ name: fc.constant('share_expect' as const), index: uint32, withdrawn: fc.boolean() }),
  fc.record({ name: fc.constant('share_ack' as const), bytes: uint32 }),
  fc.record({
    name: fc.constant('share_pex' as const),
    added: peers,
    dropped: fc.array(fc.uint8Array({ minLength: 1, maxLength: 64 }), { maxLength: 5 }),
  }),
)

/** Plain data, bytes as hex. */
function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, content]) => [key, readable(content)]))
}

/** As `readable`; data, which may come in parts, as a message for each byte. */
function byBytes(read: Message): unknown[] {
  if (read.type !== 'piece' || read.data.length === 0) return [readable(read)]
  const { type, index, begin, data } = read
  return [...data].map((byte, at) => ({ type, index, begin: begin + at, byte }))
}

/** Cuts bytes at random places; the sizes are used again and again. */
function* chunks(stream: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, turn = 0; at < stream.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield stream.subarray(at, at + size)
    at += size
  }
}
const chunkSizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 8 })

describe('peer wire', () => {
  it('reads back every message, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 10 }), chunkSizes, (messages, sizes) => {
        const decoder = new FrameDecoder()
        const read = [...chunks(joined(messages.flatMap(encodeMessage)), sizes)].flatMap((chunk) =>
          [...decoder.push(chunk)].map((frame) =>
            frame instanceof Uint8Array ? decodeMessage(frame) : frame,
          ),
        )
        assert.deepEqual(read.flatMap(byBytes), messages.flatMap(byBytes))
      }),
    )
  })

  it('reads back every extension', () => {
    fc.assert(
      fc.property(extension, (sent) => {
        const read = decodeExtension(EXTENSION_IDS[sent.name], encodeExtension(sent))
        assert.deepEqual(readable(read), readable(sent))
      }),
    )
  })

  it('throws nothing but violations at garbage, and allocates no more than what came', () => {
    const stream = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(message, { maxLength: 8 }).map((messages) => joined(messages.flatMap(encodeMessage))),
      // a declared length that may be taken, and little behind it
      fc.tuple(fc.nat({ max: MAX_FRAME_BYTES }), fc.uint8Array({ maxLength: 50 })).map(([length, rest]) => {
        const prefix = Buffer.alloc(4)
        prefix.writeUInt32BE(length)
        return joined([prefix, rest])
      }),
      extension.map((sent) => {
        const id = EXTENSION_IDS[sent.name]
        return joined(encodeMessage({ type: 'extended', id, payload: encodeExtension(sent) }))
      }),
    )
    const spy = mock.method(Buffer, 'allocUnsafe')
    try {
      fc.assert(
        fc.property(
          fc.boolean(),
          fc.array(stream, { maxLength: 6 }),
          chunkSizes,
          (trading, streams, sizes) => {
            const end = trading ? tradingEnd() : new End()
            spy.mock.resetCalls()
            try {
              for (const chunk of chunks(joined(streams), sizes)) end.receive(chunk)
            } catch (thrown) {
              assert.ok(thrown instanceof WireViolation, String(thrown))
              assert.equal(end.connection.phase, 'closed')
            }
            for (const call of spy.mock.calls) assert.ok(call.arguments[0] <= 65_552)
          },
        ),
        { numRuns: 400 },
      )
    } finally {
      spy.mock.restore()
    }
  })
})

/** An end that trades six pieces with a peer that has everything and does not choke. */
function tradingEnd(): End {
  const end = new End()
  const have = new Bitfield(6)
  end.connection.introduce(ROOT, { sizes: [9, 9, 9, 9, 9, 9], have })
  const greeting = Buffer.concat([
    Buffer.from('d1:md11:share_offeri1ee1:ni6e4:root36:'),
    ROOT,
    Buffer.from('e'),
  ])
  end.receive(joined(encodeMessage({ type: 'extended', id: 0, payload: greeting })))
  end.receive(joined(encodeMessage({ type: 'have-all' })))
  end.receive(joined(encodeMessage({ type: 'unchoke' })))
  end.receiving.request({ index: 0, begin: 0, length: 9 })
  end.sending.unchoke()
  return end
}
