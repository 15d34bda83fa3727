/**
 * Hashes pieces on another thread: while that counts, this one moves data. The thread starts with the first piece that
 * is worth it, and ends when none has come for a while.
 */
import { sha256, WORTH_A_THREAD } from '../verify.ts'
import { Calls, threadBeside } from './calls.ts'

const THREAD = threadBeside(import.meta.url, 'piece-thread')

/** Ms without a piece until the thread ends. */
const IDLE_MS = 10_000

/** A piece's bytes, and their SHA-256 digest. */
export interface Hashed {
  readonly piece: Uint8Array<ArrayBuffer>
  readonly digest: Uint8Array
}

export class PieceHasher {
  #thread: Calls<Uint8Array<ArrayBuffer>, Hashed> | undefined
  #idle: NodeJS.Timeout | undefined

  /** The buffer that was given is gone, unless the piece is small; the same bytes come back with the digest. */
  async hash(piece: Uint8Array<ArrayBuffer>): Promise<Hashed> {
    if (piece.length < WORTH_A_THREAD) return { piece, digest: sha256(piece) }
    this.#thread ??= new Calls(THREAD)
    clearTimeout(this.#idle)
    const hashed = await this.#thread.ask(piece, [piece.buffer])
    if (this.#thread?.pending === 0) this.#endLater()
    return hashed
  }

  #endLater(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      void this.#thread?.end()
      this.#thread = undefined
    }, IDLE_MS).unref()
  }
}
