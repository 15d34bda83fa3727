/**
 * The leaves of one file that comes in any order, a run of bytes at a time: which of them are whole, and what is known of
 * their digests. Leaves are cut as `unixfs-v1-2025` cuts them; runs do not overlap.
 */
import { CHUNK_BYTES, chunkOf } from './hashing/files.ts'
import { DIGEST_BYTES } from './hashing/lanes.ts'

export class IncomingLeaves {
  readonly size: number
  readonly #missing: Uint32Array
  readonly #digests: Uint8Array
  /** How many leaves are not whole. */
  #open: number

  constructor(size: number) {
    this.size = size
    this.#open = Math.ceil(size / CHUNK_BYTES)
    this.#missing = Uint32Array.from({ length: this.#open }, (_, leaf) => chunkOf(size, leaf).length)
    this.#digests = new Uint8Array(this.#open * DIGEST_BYTES)
  }

  /** Every leaf is whole. */
  get whole(): boolean {
    return this.#open === 0
  }

  /** A run of bytes is there. Gives the leaves that are whole with it. */
  *wrote(offset: number, length: number): Generator<number> {
    for (let at = offset; at < offset + length; ) {
      const leaf = Math.floor(at / CHUNK_BYTES)
      const end = Math.min(offset + length, (leaf + 1) * CHUNK_BYTES)
      const missing = (this.#missing[leaf] ?? 0) - (end - at)
      this.#missing[leaf] = missing
      at = end
      if (missing > 0) continue
      this.#open--
      yield leaf
    }
  }

  learn(leaf: number, digest: Uint8Array): void {
    this.#digests.set(digest, leaf * DIGEST_BYTES)
  }

  /** Undefined where it was not told. */
  digest(leaf: number): Uint8Array | undefined {
    const digest = this.#digests.subarray(leaf * DIGEST_BYTES, (leaf + 1) * DIGEST_BYTES)
    return digest.some((byte) => byte !== 0) ? digest : undefined
  }
}
