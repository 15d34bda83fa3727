/**
 * Buffers for pieces on their way in, used again and again: a fresh one of a megabyte costs 256 page faults, and
 * the collector's time.  Sizes are powers of two, so that the last piece of a file fits where others lay.
 */

/** Smaller ones are not worth a class of their own. */
const SMALLEST_BYTES = 16 << 10

/** Bytes kept for later; more than that was in flight only for a moment. */
const MOST_KEPT_BYTES = 32 << 20

export class PieceBuffers {
  readonly #free = new Map<number, ArrayBuffer[]>()
  #keptBytes = 0

  /** `size` bytes with anything in them. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const bytes = classOf(size)
    const buffer = this.#free.get(bytes)?.pop()
    if (buffer !== undefined) this.#keptBytes -= bytes
    return new Uint8Array(buffer ?? Buffer.allocUnsafeSlow(bytes).buffer, 0, size)
  }

  /** Nobody reads or writes it any more. */
  give({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (this.#keptBytes + buffer.byteLength > MOST_KEPT_BYTES) return
    this.#keptBytes += buffer.byteLength
    const free = this.#free.get(buffer.byteLength)
    if (free === undefined) this.#free.set(buffer.byteLength, [buffer])
    else free.push(buffer)
  }
}

function classOf(size: number): number {
  return Math.max(SMALLEST_BYTES, 2 ** Math.ceil(Math.log2(size)))
}
