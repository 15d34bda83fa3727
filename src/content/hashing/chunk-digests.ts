/** SHA-256 of chunks that lie in memory: four full ones at once while there are so many, the rest one by one. */
import { hash } from 'node:crypto'
import { CHUNK_BYTES } from './files.ts'
import { LANES, Lanes, WORTH_LANES } from './lanes.ts'

export class ChunkDigests {
  readonly #lanes = new Lanes()

  /** The digest of each, in order. */
  of(chunks: readonly Uint8Array[]): Uint8Array[] {
    const digests: Uint8Array[] = []
    for (let done = 0; done < chunks.length; done += LANES) {
      const some = chunks.slice(done, done + LANES)
      const sideBySide = some.length >= WORTH_LANES && some.every(({ length }) => length === CHUNK_BYTES)
      digests.push(
        ...(sideBySide ? this.#lanes.digestsOf(some) : some.map((chunk) => hash('sha256', chunk, 'buffer'))),
      )
    }
    return digests
  }
}
