import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Uint8ArrayList } from 'uint8arraylist'
import { decodeFrames, FrameDecoder, FrameTooLong, frameLength } from '../../src/exchange/bitswap/framing.ts'

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const hexOf = (frames: readonly Uint8Array[]): string[] =>
  frames.map((frame) => Buffer.from(frame).toString('hex'))

describe('a frame', () => {
  const lengths: [bytes: number, hex: string][] = [
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [16_384, '808001'],
    [4 << 20, '80808002'],
  ]
  for (const [length, hex] of lengths) {
    it(`of ${length} bytes begins with ${hex}`, () => {
      assert.equal(Buffer.from(frameLength(length)).toString('hex'), hex)
      const [frame] = new FrameDecoder().push(Buffer.concat([bytes(hex), new Uint8Array(length)]))
      assert.equal(frame?.length, length)
    })
  }

  it('may be empty, anywhere', () => {
    assert.deepEqual(hexOf(new FrameDecoder().push(bytes('00 00 01 aa 00'))), ['', '', 'aa', ''])
  })

  it('comes whole wherever the chunks are cut', () => {
    const wire = bytes(`03 aabbcc 00 8001 ${'dd'.repeat(128)} 01 ee`)
    const expected = ['aabbcc', '', 'dd'.repeat(128), 'ee']
    for (let cut = 0; cut <= wire.length; cut++) {
      const decoder = new FrameDecoder()
      const frames = [...decoder.push(wire.subarray(0, cut)), ...decoder.push(wire.subarray(cut))]
      assert.deepEqual(hexOf(frames), expected, `cut at ${cut}`)
    }
    const decoder = new FrameDecoder()
    assert.deepEqual(hexOf([...wire].flatMap((byte) => decoder.push(Uint8Array.of(byte)))), expected)
  })

  it('that is cut off does not come', () => {
    const decoder = new FrameDecoder()
    assert.deepEqual(decoder.push(bytes('03 aabb')), [])
    assert.deepEqual(decoder.push(bytes('')), [])
    assert.deepEqual(hexOf(decoder.push(bytes('cc'))), ['aabbcc'])
  })

  const refused: [name: string, hex: string][] = [
    ['a byte more than 4 MiB', '81 80 80 02'],
    ['all that four bytes can say', 'ff ff ff 7f'],
    ['a length of five bytes', '80 80 80 80 01'],
    ['a length of five bytes that says nought', '80 80 80 80 00'],
    ['a length without an end', 'ff ff ff ff ff ff ff ff ff ff'],
  ]
  for (const [name, hex] of refused) {
    it(`is refused: ${name}`, () => {
      assert.throws(() => new FrameDecoder().push(bytes(hex)), FrameTooLong)
      const decoder = new FrameDecoder()
      assert.throws(() => [...bytes(hex)].flatMap((byte) => decoder.push(Uint8Array.of(byte))), FrameTooLong)
    })
  }

  it('does not share memory with the chunks it came in', () => {
    const chunk = bytes('02 aabb')
    const [frame] = new FrameDecoder().push(chunk)
    chunk.fill(0)
    assert.deepEqual(hexOf(frame === undefined ? [] : [frame]), ['aabb'])
  })
})

describe('frames of a stream', () => {
  async function* stream(
    ...chunks: (Uint8Array | Uint8ArrayList)[]
  ): AsyncGenerator<Uint8Array | Uint8ArrayList> {
    yield* chunks
  }

  it('come out of chunks and lists of chunks', async () => {
    const list = new Uint8ArrayList(bytes('bb 01'), bytes('cc 02 dd'))
    const frames: Uint8Array[] = []
    for await (const frame of decodeFrames(() => undefined)(stream(bytes('02 aa'), list, bytes('ee'))))
      frames.push(frame)
    assert.deepEqual(hexOf(frames), ['aabb', 'cc', 'ddee'])
  })

  it('tell of the length of a frame that is under way, and of nothing else', async () => {
    const told: number[] = []
    const tell = async (length: number): Promise<void> => void told.push(length)
    const chunks = stream(bytes('01 aa 01 bb'), bytes('05 cc dd'), bytes('ee'), bytes('ff 00 01 aa'))
    for await (const frame of decodeFrames(tell)(chunks)) assert.ok(frame)
    assert.deepEqual(told, [5, 5])
  })
})
