import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { FrameDecoder, MAX_FRAME_BYTES } from '../../src/exchange/peer-wire/framing.ts'
import { bytes, joined, toHex } from './peer-wire-bytes.ts'

const decoded = (decoder: FrameDecoder, ...chunks: readonly Uint8Array[]): string[] =>
  chunks.flatMap((chunk) => [...decoder.push(chunk)].map(toHex))

/** A frame of so many bytes, with its length before it. */
function frame(length: number): Uint8Array {
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(length)
  return joined([prefix, new Uint8Array(length).fill(7)])
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
    const frames: Uint8Array[] = []
    for (let at = 0; at < stream.length; at += 1400)
      frames.push(...decoder.push(stream.subarray(at, at + 1400)))
    assert.deepEqual(frames.map(toHex), [toHex(frame(300_000).subarray(4)), toHex(frame(70_000).subarray(4))])
  })

  it('takes a frame of the greatest length, and none that is longer', () => {
    assert.deepEqual(decoded(new FrameDecoder(10), frame(10)), ['07'.repeat(10)])
    assert.throws(() => decoded(new FrameDecoder(10), frame(11)), { code: 'too-long', blame: 'peer' })
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32BE(MAX_FRAME_BYTES + 1)
    assert.throws(() => decoded(new FrameDecoder(), prefix), { code: 'too-long' })
    assert.throws(() => decoded(new FrameDecoder(), bytes('ffffffff')), { code: 'too-long' })
  })

  it('gives the frames before one that is too long', () => {
    const frames = new FrameDecoder(10).push(bytes('00000001 00 ffffffff'))
    assert.equal(toHex(frames.next().value ?? bytes('')), '00')
    assert.throws(() => frames.next(), { code: 'too-long' })
  })

  it('copies nothing of a frame that lies in one chunk', () => {
    const chunk = bytes('00000003 05a080')
    const [only] = [...new FrameDecoder().push(chunk)]
    assert.equal(only?.buffer, chunk.buffer)
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

  it('is no more than 64 KiB and a bit, or twice what came', () => {
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32BE(MAX_FRAME_BYTES)
    const made = (count: number) =>
      allocations(() => decoded(new FrameDecoder(), prefix, new Uint8Array(1), new Uint8Array(count - 1)))
    assert.deepEqual(made(1), [65_552])
    assert.deepEqual(made(65_552), [65_552])
    assert.deepEqual(made(65_553), [65_552, 131_104])
    assert.deepEqual(made(1_000_000), [65_552, 1_000_000])
  })

  it('is one buffer of the right length for a message of 64 KiB of data', () => {
    const data = frame((64 << 10) + 9)
    assert.deepEqual(
      allocations(() =>
        decoded(
          new FrameDecoder(),
          data.subarray(0, 1000),
          data.subarray(1000, 30_000),
          data.subarray(30_000),
        ),
      ),
      [(64 << 10) + 9],
    )
  })
})
