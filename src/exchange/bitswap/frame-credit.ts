/**
 * Whether part of a frame counts as a sign of life of what was asked for. A block of a megabyte takes a slow peer long, and it is
 * not to be given up while it comes; but neither a byte now and then nor messages full of something else are a block.
 */

/** A sign for so many bytes: a peer that is slower holds up nobody. */
const SIGN_BYTES = 16 << 10

export class FrameCredit {
  #bytes = 0
  /** The last large frame had a block in it; the first one is believed to. */
  #trusted = true

  came(bytes: number): void {
    this.#bytes += bytes
  }

  /** True when enough has come since it was last asked, on a stream that brings blocks. */
  spend(): boolean {
    if (this.#bytes < SIGN_BYTES) return false
    this.#bytes = 0
    return this.#trusted
  }

  /** A frame is whole. Small ones say nothing. */
  settle(frameBytes: number, hasBlocks: boolean): void {
    if (frameBytes >= SIGN_BYTES) this.#trusted = hasBlocks
  }
}
