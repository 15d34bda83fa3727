/**
 * Pieces that were read a moment ago: BitTorrent clients ask for one in blocks of 16 KiB, and a piece is read and checked as
 * a whole. Two who want the same at the same time wait for one reading.
 */
import type { RootKey } from '../core/types.ts'

/** Pieces kept: two of each of some busy peers. */
const MOST_BYTES = 32 << 20

interface Kept {
  readonly block: Promise<Uint8Array | undefined>
  bytes: number
}

export class BlockCache {
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  /** The piece, from here or by `read`. What cannot be read is not remembered. */
  get(
    root: RootKey,
    piece: number,
    read: () => Promise<Uint8Array | undefined>,
  ): Promise<Uint8Array | undefined> {
    const key = `${root} ${piece}`
    const known = this.#kept.get(key)
    if (known !== undefined) {
      this.#kept.delete(key)
      this.#kept.set(key, known)
      return known.block
    }
    const kept: Kept = { block: read(), bytes: 0 }
    this.#kept.set(key, kept)
    kept.block.then(
      (block) => this.#arrived(key, kept, block),
      () => this.#drop(key, kept),
    )
    return kept.block
  }

  close(root: RootKey): void {
    for (const [key, kept] of [...this.#kept]) if (key.startsWith(`${root} `)) this.#drop(key, kept)
  }

  #arrived(key: string, kept: Kept, block: Uint8Array | undefined): void {
    if (block === undefined) {
      this.#drop(key, kept)
      return
    }
    if (this.#kept.get(key) !== kept) return
    kept.bytes = block.byteLength
    this.#bytes += kept.bytes
    for (const [oldest, other] of this.#kept) {
      if (this.#bytes <= MOST_BYTES) return
      this.#drop(oldest, other)
    }
  }

  #drop(key: string, kept: Kept): void {
    if (this.#kept.get(key) !== kept) return
    this.#kept.delete(key)
    this.#bytes -= kept.bytes
  }
}
