/**
 * Cuts a byte stream into frames: four bytes of length, then that many bytes. A declared length allocates nothing
 * by itself: a frame's buffer starts at 64 KiB at most, which is what data is sent in, and doubles as bytes arrive.
 */
import { readUint32 } from './uint32.ts'
import { WireViolation } from './violation.ts'

/** The largest block there is, 2 MiB, and room for what stands before it. */
export const MAX_FRAME_BYTES = (2 << 20) + (64 << 10)

const LENGTH_BYTES = 4

/** The length of nearly every data frame, a little of head included: one allocation for those. */
const FIRST_BYTES = (64 << 10) + 16

export class FrameDecoder {
  readonly #maxBytes: number
  readonly #prefix = new Uint8Array(LENGTH_BYTES)
  /** Bytes of the present prefix or, once that is whole, of the present frame. */
  #filled = 0
  #length: number | undefined
  #frame: Uint8Array = NOTHING

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes
  }

  /**
   * The frames that a chunk completes, without their lengths. A frame that lies whole in the chunk is a view of it.
   * The generator has to be run to its end before the next chunk.
   * @throws WireViolation `too-long`, before anything is kept of the frame
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0
    while (at < chunk.length) {
      if (this.#length === undefined) at = this.#readLength(chunk, at)
      if (this.#length === undefined) return
      if (this.#filled === 0 && chunk.length - at >= this.#length) {
        const end = at + this.#length
        this.#length = undefined
        yield chunk.subarray(at, end)
        at = end
      } else {
        const taken = Math.min(this.#length - this.#filled, chunk.length - at)
        this.#keep(chunk.subarray(at, at + taken), this.#length)
        at += taken
        if (this.#filled === this.#length) yield this.#whole()
      }
    }
  }

  #readLength(chunk: Uint8Array, from: number): number {
    const taken = Math.min(LENGTH_BYTES - this.#filled, chunk.length - from)
    this.#prefix.set(chunk.subarray(from, from + taken), this.#filled)
    this.#filled += taken
    if (this.#filled < LENGTH_BYTES) return from + taken
    const length = readUint32(this.#prefix, 0)
    if (length > this.#maxBytes) throw new WireViolation('too-long', `a message of ${length} bytes`)
    this.#length = length
    this.#filled = 0
    return from + taken
  }

  #keep(bytes: Uint8Array, length: number): void {
    const needed = this.#filled + bytes.length
    if (needed > this.#frame.length) {
      const room = Math.max(needed, FIRST_BYTES, 2 * this.#frame.length)
      const wider = Buffer.allocUnsafe(Math.min(length, room))
      wider.set(this.#frame.subarray(0, this.#filled))
      this.#frame = wider
    }
    this.#frame.set(bytes, this.#filled)
    this.#filled = needed
  }

  #whole(): Uint8Array {
    const frame = this.#frame
    this.#frame = NOTHING
    this.#filled = 0
    this.#length = undefined
    return frame
  }
}

const NOTHING = new Uint8Array(0)
