/** SHA-256 of messages that lie in memory: four of one length at once while there are so many, the rest one by one. */
import { hash } from 'node:crypto'
import { BLOCK_BYTES, LANES, Lanes, WORTH_LANES } from './lanes.ts'

export class Digests {
  readonly #lanes = new Lanes()

  /** The digest of each, in order. */
  of(messages: readonly Uint8Array[]): Uint8Array[] {
    const digests: Uint8Array[] = []
    for (let done = 0; done < messages.length; done += LANES) {
      const some = messages.slice(done, done + LANES)
      digests.push(
        ...(areEven(some)
          ? this.#lanes.digestsOf(some)
          : some.map((message) => hash('sha256', message, 'buffer'))),
      )
    }
    return digests
  }
}

/** Enough of one length, of whole blocks, to be hashed side by side. */
function areEven(messages: readonly Uint8Array[]): boolean {
  const length = messages[0]?.length ?? 0
  return (
    messages.length >= WORTH_LANES &&
    length % BLOCK_BYTES === 0 &&
    messages.every((message) => message.length === length)
  )
}

/** The parts of this length that lie one after the other; the last one may be shorter. */
export function partsOf(bytes: Uint8Array, length: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, at) =>
    bytes.subarray(at * length, (at + 1) * length),
  )
}
