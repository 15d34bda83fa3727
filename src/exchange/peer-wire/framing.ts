/**
 * Cuts a byte stream into frames: four bytes of length, then that many bytes. A declared length allocates nothing by
 * itself: a frame's buffer starts small and doubles as bytes arrive. Data is not gathered at all: a message of it that
 * does not lie whole in one chunk comes in parts, each as a message of its own would.
 */
import type { KnownMessage } from './messages.ts'
import { readUint32 } from './uint32.ts'
import { WireViolation } from './violation.ts'

/** The largest block there is, 2 MiB, and room for what stands before it. */
export const MAX_FRAME_BYTES = (2 << 20) + (64 << 10)

const LENGTH_BYTES = 4

/** Messages in parts are all small, but for bitfields and news of peers. */
const FIRST_BYTES = 256

/** What stands before data: the id of a piece message, two numbers. */
const PIECE_ID = 7
const PIECE_HEAD_BYTES = 9

export type DataMessage = Extract<KnownMessage, { type: 'piece' }>

export class FrameDecoder {
  readonly #maxBytes: number
  readonly #prefix = new Uint8Array(LENGTH_BYTES)
  /** Bytes of the present prefix or, once that is whole, of the present frame. */
  #filled = 0
  #length: number | undefined
  #frame: Uint8Array = NOTHING
  /** The data that goes on, and how much of it is to come. */
  #data: { readonly index: number; begin: number; left: number } | undefined

  constructor(maxBytes: number = MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes
  }

  /**
   * The frames that a chunk completes, without their lengths, and parts of data. What lies whole in the chunk is a
   * view of it. The generator has to be run to its end before the next chunk.
   * @throws WireViolation `too-long`, before anything is kept of the frame
   */
  *push(chunk: Uint8Array): Generator<Uint8Array | DataMessage, void, undefined> {
    let at = 0
    while (at < chunk.length) {
      if (this.#data !== undefined) {
        const part = this.#part(this.#data, chunk.subarray(at))
        at += part.data.length
        yield part
        continue
      }
      if (this.#length === undefined) at = this.#readLength(chunk, at)
      if (this.#length === undefined) return
      if (this.#filled === 0 && chunk.length - at >= this.#length) {
        const end = at + this.#length
        this.#length = undefined
        yield chunk.subarray(at, end)
        at = end
      } else {
        at = this.#gather(chunk, at, this.#length)
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

  /** Keeps bytes of a frame that does not lie whole in the chunk; of data no more than its head. */
  #gather(chunk: Uint8Array, from: number, length: number): number {
    const isData =
      (this.#filled === 0 ? chunk[from] : this.#frame[0]) === PIECE_ID && length > PIECE_HEAD_BYTES
    const wanted = isData ? PIECE_HEAD_BYTES : length
    const taken = Math.min(wanted - this.#filled, chunk.length - from)
    this.#keep(chunk.subarray(from, from + taken), wanted)
    if (isData && this.#filled === PIECE_HEAD_BYTES) {
      const left = length - PIECE_HEAD_BYTES
      const head = this.#whole()
      this.#data = { index: readUint32(head, 1), begin: readUint32(head, 5), left }
    }
    return from + taken
  }

  #part(data: { readonly index: number; begin: number; left: number }, rest: Uint8Array): DataMessage {
    const part = rest.subarray(0, data.left)
    const { index, begin } = data
    data.begin += part.length
    data.left -= part.length
    if (data.left === 0) this.#data = undefined
    return { type: 'piece', index, begin, data: part }
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
