/**
 * What the bitmap may claim. A piece is stored when its write has returned, and claimed once its bytes
 * were fsynced; then a restart takes it for granted. Flushes run one after the other; after a failed one,
 * nothing more is claimed in this run, for the system may have dropped the bytes it could not write.
 */
import { Bitfield } from '../core/bitfield.ts'

/** Written bytes that wait for the next regular flush at most. */
const FLUSH_BYTES = 64 * 1024 * 1024

/** Files that they lie in, at most. */
export const FLUSH_FILES = 256

export interface ClaimWriter {
  /** fsyncs the files of these entries. */
  sync(entries: Iterable<number>): Promise<void>
  /** Makes the claims durable. */
  save(claimed: Bitfield): Promise<void>
}

export class Claims {
  readonly #writer: ClaimWriter
  #claimed: Bitfield
  #stored = new Set<number>()
  /** Stored pieces whose bytes are being fsynced. */
  #claiming = new Set<number>()
  #written = new Set<number>()
  /** Since a flush was last asked for. */
  #bytes = 0
  #files = 0
  /** Claims were withdrawn, and the row still has them. */
  #withdrawn = false
  #flushes: Promise<void> = Promise.resolve()
  #failure: unknown

  constructor(writer: ClaimWriter, former: Bitfield) {
    this.#writer = writer
    this.#claimed = former
  }

  /** Why nothing can be claimed any more in this run. */
  get failure(): unknown {
    return this.#failure
  }

  has(piece: number): boolean {
    return this.#claimed.has(piece)
  }

  /** Makes room for pieces; claims of a former run beyond them stay until the walk gets there again. */
  grow(length: number): void {
    if (length > this.#claimed.length) this.#claimed = this.#claimed.resized(length)
  }

  wrote(entry: number, bytes: number): void {
    if (!this.#written.has(entry)) this.#files++
    this.#written.add(entry)
    this.#bytes += bytes
  }

  /** The piece's bytes are all written. */
  stored(piece: number): void {
    this.#stored.add(piece)
    if (this.#bytes >= FLUSH_BYTES || this.#files >= FLUSH_FILES) void this.flush().catch(() => undefined)
  }

  withdraw(piece: number): void {
    this.#stored.delete(piece)
    this.#claiming.delete(piece)
    if (this.#claimed.delete(piece)) this.#withdrawn = true
  }

  /** Makes everything stored so far durable and claims it. @throws ShareError DISK_FULL, IO; again and again after the first */
  flush(): Promise<void> {
    this.#bytes = 0
    this.#files = 0
    this.#flushes = this.#flushes.then(() => this.#flush())
    return this.#flushes
  }

  async #flush(): Promise<void> {
    if (this.#stored.size === 0 && this.#written.size === 0 && !this.#withdrawn) return
    const written = this.#written
    this.#claiming = this.#stored
    this.#stored = new Set()
    this.#written = new Set()
    this.#withdrawn = false
    try {
      await this.#writer.sync(written)
      for (const piece of this.#claiming) this.#claimed.add(piece)
      await this.#writer.save(this.#claimed)
    } catch (thrown) {
      this.#failure = thrown
      throw thrown
    }
    this.#claiming = new Set()
  }
}

export function encodeClaims(claimed: Bitfield): Uint8Array {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(claimed.length)
  return Buffer.concat([length, claimed.bytes])
}

/** No claims at all from a row that does not add up. */
export function decodeClaims(row: Uint8Array | undefined): Bitfield {
  if (row === undefined || row.length < 4) return new Bitfield(0)
  const length = Buffer.from(row.buffer, row.byteOffset, 4).readUInt32BE()
  return row.length === 4 + Math.ceil(length / 8) ? new Bitfield(length, row.subarray(4)) : new Bitfield(0)
}
