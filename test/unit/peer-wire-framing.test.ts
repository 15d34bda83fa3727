import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { type DataMessage, FrameDecoder, MAX_FRAME_BYTES } from '../../src/exchange/peer-wire/framing.ts'
import { bytes, joined, toHex } from './peer-wire-bytes.ts'

/** Frames as hex, parts of data as `piece 2 from 5: aabb`. */
const decoded = (decoder: FrameDecoder, ...chunks: readonly Uint8Array[]): string[] =>
  chunks.flatMap((chunk) => [...decoder.push(chunk)].map(shown))

function shown(frame: Uint8Array | DataMessage): string {
  if (frame instanceof Uint8Array) return toHex(frame)
  return `piece ${frame.index} from ${frame.begin}: ${toHex(frame.data)}`
}

/** A frame of so many bytes, with its length before it; a bitfield, unless it begins otherwise. */
function frame(length: number, id = 5): Uint8Array {
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(length)
  return joined([prefix, new Uint8Array(length).fill(id)])
}

describe('framing', () => {
  const STREAM = bytes('00000001 00 00000000 00000005 04 0000002a 00000003 05a080 00000000')
  const FRAMES = ['00', '', '040000002a', '05a080', '']

  it('cuts one chunk into its frames', () => {
    assert.deepEqual(decoded(new FrameDecoder(), STREAM), FRAMES)
  })

  it('gives the same frames however the stream is split', () => {
    for (let first = 0; first <= STREAM.length; first++) {
      for (let second = first; second <= STREAM.length; second++) {
        const chunks = [STREAM.subarray(0, first), STREAM.subarray(first, second), STREAM.subarray(second)]
        assert.deepEqual(decoded(new FrameDecoder(), ...chunks), FRAMES, `${first}, ${second}`)
      }
    }
  })

  it('gives the same frames byte by byte', () => {
    const chunks = Array.from(STREAM, (byte) => Uint8Array.of(byte))
    assert.deepEqual(decoded(new FrameDecoder(), ...chunks), FRAMES)
  })

  it('puts long frames together', () => {
    const stream = joined([frame(300_000), frame(70_000)])
    const decoder = new FrameDecoder()
    const frames: string[] = []
    for (let at = 0; at < stream.length; at += 1400)
      frames.push(...decoded(decoder, stream.subarray(at, at + 1400)))
    assert.deepEqual(frames, [toHex(frame(300_000).subarray(4)), toHex(frame(70_000).subarray(4))])
  })

  it('takes a frame of the greatest length, and none that is longer', () => {
    assert.deepEqual(decoded(new FrameDecoder(10), frame(10)), ['05'.repeat(10)])
    assert.throws(() => decoded(new FrameDecoder(10), frame(11)), { code: 'too-long', blame: 'peer' })
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32BE(MAX_FRAME_BYTES + 1)
    assert.throws(() => decoded(new FrameDecoder(), prefix), { code: 'too-long' })
    assert.throws(() => decoded(new FrameDecoder(), bytes('ffffffff')), { code: 'too-long' })
  })

  it('gives the frames before one that is too long', () => {
    const frames = new FrameDecoder(10).push(bytes('00000001 00 ffffffff'))
    assert.equal(shown(frames.next().value ?? bytes('')), '00')
    assert.throws(() => frames.next(), { code: 'too-long' })
  })

  it('copies nothing of a frame that lies in one chunk', () => {
    const chunk = bytes('00000003 05a080')
    const [only] = [...new FrameDecoder().push(chunk)]
    assert.ok(only instanceof Uint8Array && only.buffer === chunk.buffer)
  })
})

describe('a message of data', () => {
  // piece 2, from 256 on, five bytes; then an unchoke
  const HEAD = '0000000e 07 00000002 00000100'
  const WHOLE = '070000000200000100aabbccddee'

  for (const [name, chunks, frames] of [
    ['in one chunk is a frame', [`${HEAD} aabbccddee 00000001 01`], [WHOLE, '01']],
    [
      'in several comes in parts',
      [`${HEAD} aa`, 'bbcc', 'ddee 00000001 01'],
      ['piece 2 from 256: aa', 'piece 2 from 257: bbcc', 'piece 2 from 259: ddee', '01'],
    ],
    [
      'has a head that may be cut anywhere',
      ['0000', '000e', '07', '00000002 00', '0001', '00', 'aabbccddee'],
      ['piece 2 from 256: aabbccddee'],
    ],
    ['may have no data', ['00000009 07', '00000002 00000100 00000001 01'], ['070000000200000100', '01']],
    ['may be too short for a head', ['00000004 07', '000002 00000001 01'], ['07000002', '01']],
  ] as const)
    it(name, () => assert.deepEqual(decoded(new FrameDecoder(), ...chunks.map(bytes)), frames))

  it('is copied nowhere', () => {
    const decoder = new FrameDecoder()
    assert.deepEqual(decoded(decoder, bytes(HEAD)), [])
    const chunk = bytes('aabbccddee')
    const [part] = [...decoder.push(chunk)]
    assert.ok(part !== undefined && 'data' in part && part.data.buffer === chunk.buffer)
  })
})

describe('what framing allocates', () => {
  function allocations(work: () => void): number[] {
    const spy = mock.method(Buffer, 'allocUnsafe')
    try {
      work()
      return spy.mock.calls.map((call) => call.arguments[0])
    } finally {
      spy.mock.restore()
    }
  }

  it('is nothing for a declared length alone', () => {
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32BE(MAX_FRAME_BYTES)
    assert.deepEqual(
      allocations(() => decoded(new FrameDecoder(), prefix)),
      [],
    )
  })

  it('is little, or twice what came', () => {
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32BE(MAX_FRAME_BYTES)
    const made = (count: number) =>
      allocations(() => decoded(new FrameDecoder(), prefix, new Uint8Array(1), new Uint8Array(count - 1)))
    assert.deepEqual(made(1), [256])
    assert.deepEqual(made(256), [256])
    assert.deepEqual(made(257), [256, 512])
    assert.deepEqual(made(1_000_000), [256, 1_000_000])
  })

  it('is a head for a message of 64 KiB of data', () => {
    const data = frame((64 << 10) + 9, 7)
    assert.deepEqual(
      allocations(() =>
        decoded(
          new FrameDecoder(),
          data.subarray(0, 1000),
          data.subarray(1000, 30_000),
          data.subarray(30_000),
        ),
      ),
      [9],
    )
  })
})
