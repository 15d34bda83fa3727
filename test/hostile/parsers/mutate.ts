/** Bytes that are nearly right: those of an example, with a few changes of the kinds that break parsers. */
import type { Prng } from '../../../src/core/prng.ts'

/** Where numbers turn over. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff] as const
const MOST_CHANGES = 6
const MOST_BYTES = 64 << 10

type Change = (bytes: Buffer, at: number, prng: Prng, examples: readonly Uint8Array[]) => Buffer

const CHANGES: readonly Change[] = [
  (bytes, at, prng) => withByte(bytes, at, (bytes[at] ?? 0) ^ (1 << prng.below(8))),
  (bytes, at, prng) => withByte(bytes, at, EDGES[prng.below(EDGES.length)] ?? 0),
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, prng) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + prng.below(8))]),
  (bytes, at, prng) =>
    Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + 1 + prng.below(64)), bytes.subarray(at)]),
  (bytes, at, prng) =>
    Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + prng.below(9), 0xff), bytes.subarray(at)]),
  // digits, which lengths are made of
  (bytes, at, prng) =>
    Buffer.concat([bytes.subarray(0, at), Buffer.from(String(prng.below(2 ** 31))), bytes.subarray(at)]),
  (bytes, at, prng, examples) => {
    const other = Buffer.from(examples[prng.below(examples.length)] ?? bytes)
    return Buffer.concat([bytes.subarray(0, at), other.subarray(prng.below(other.length + 1))])
  },
]

export function mutated(examples: readonly Uint8Array[], prng: Prng): Buffer {
  let bytes = Buffer.from(examples[prng.below(examples.length)] ?? [])
  for (let left = 1 + prng.below(MOST_CHANGES); left > 0; left--) {
    const change = CHANGES[prng.below(CHANGES.length)]
    bytes = Buffer.from(change?.(bytes, prng.below(bytes.length + 1), prng, examples) ?? bytes)
  }
  return bytes.subarray(0, MOST_BYTES)
}

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  if (at < bytes.length) bytes[at] = value
  return bytes
}
