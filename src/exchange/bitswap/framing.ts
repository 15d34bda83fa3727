/** Frames on a stream: an unsigned varint length, then that many bytes. Each frame gets one buffer, allocated once its length is known and allowed. */
import type { Uint8ArrayList } from 'uint8arraylist'

/** What kubo sends and takes at most. */
const MAX_FRAME_BYTES = 4 << 20

/** 4 MiB is a varint of four bytes. */
const MAX_LENGTH_BYTES = 4

export class FrameTooLong extends Error {}

/**
 * Splits chunks into frames. `onPart` is told of chunks that end inside a frame of so many bytes: a large one is coming
 * in, however slowly; the next chunk waits for what it returns. Small frames tell by themselves what they bring.
 */
export function decodeFrames(onPart: (frameBytes: number) => Promise<void> | undefined) {
  return async function* frames(
    chunks: AsyncIterable<Uint8Array | Uint8ArrayList>,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const decoder = new FrameDecoder()
    for await (const chunk of chunks) {
      for (const part of chunk instanceof Uint8Array ? [chunk] : chunk) yield* decoder.push(part)
      if (decoder.frameBytes > 0) await onPart(decoder.frameBytes)
    }
  }
}

export class FrameDecoder {
  #lengthBytes = 0
  #length = 0
  #frame: Uint8Array<ArrayBuffer> | undefined
  #filled = 0

  /** Length of the frame of which part has come in; 0 between frames. */
  get frameBytes(): number {
    return this.#frame?.length ?? 0
  }

  /** The frames that this chunk completes. @throws FrameTooLong */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>[] {
    const frames: Uint8Array<ArrayBuffer>[] = []
    let at = 0
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        at = this.#readLength(chunk, at)
      } else {
        const taken = Math.min(this.#frame.length - this.#filled, chunk.length - at)
        this.#frame.set(chunk.subarray(at, at + taken), this.#filled)
        this.#filled += taken
        at += taken
      }
      if (this.#frame !== undefined && this.#filled === this.#frame.length) {
        const frame = this.#frame
        this.#frame = undefined
        frames.push(frame)
      }
    }
    return frames
  }

  #readLength(chunk: Uint8Array, from: number): number {
    const byte = chunk[from] ?? 0
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes)
    this.#lengthBytes++
    if (byte >= 0x80) {
      if (this.#lengthBytes === MAX_LENGTH_BYTES)
        throw new FrameTooLong('a frame length of more than four bytes')
      return from + 1
    }
    if (this.#length > MAX_FRAME_BYTES) throw new FrameTooLong(`a frame of ${this.#length} bytes`)
    this.#frame = Buffer.allocUnsafe(this.#length)
    this.#filled = 0
    this.#length = 0
    this.#lengthBytes = 0
    return from + 1
  }
}

/** The length of what follows, as it stands before a frame. */
export function frameLength(bytes: number): Uint8Array {
  const out: number[] = []
  let left = bytes
  while (left >= 0x80) {
    out.push((left & 0x7f) | 0x80)
    left >>>= 7
  }
  out.push(left)
  return Uint8Array.from(out)
}
