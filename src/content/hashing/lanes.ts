/** Four chunks of equal size hashed at once, where they lie in the memory of a WebAssembly instance. */
import { LANES, ROUNDS, sha256Code } from './sha256-code.ts'

/** As much of the API as is used here; the types for Node leave it to those for browsers. */
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
  Module: new (code: Uint8Array<ArrayBuffer>) => object
  Instance: new (module: object, imports: object) => { readonly exports: { readonly run: Run } }
}

export { LANES }

export const DIGEST_BYTES = 32
const BLOCK_BYTES = 64
const PAGE_BYTES = 65_536

/** Where things lie in the memory; the chunks begin with the second page. */
const CONSTANTS_AT = 0
const STATE_AT = CONSTANTS_AT + ROUNDS * 16
const PADDING_AT = STATE_AT + 8 * 16

type Run = (constants: number, state: number, ...messagesAndBlocks: number[]) => void

export class Lanes {
  /** Room for four chunks, one after the other. Views of it stay valid. */
  readonly chunks: Uint8Array<ArrayBuffer>
  readonly #chunkBytes: number
  readonly #words: Uint32Array
  readonly #run: Run

  /** @throws RangeError unless a chunk is of whole blocks of 64 bytes */
  constructor(chunkBytes: number) {
    if (chunkBytes <= 0 || chunkBytes % BLOCK_BYTES !== 0)
      throw new RangeError(`chunks of ${chunkBytes} bytes`)
    this.#chunkBytes = chunkBytes
    const pages = 1 + Math.ceil((LANES * chunkBytes) / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const module = new WebAssembly.Module(sha256Code())
    this.#run = new WebAssembly.Instance(module, { host: { memory } }).exports.run
    this.#words = new Uint32Array(memory.buffer, 0, PAGE_BYTES / 4)
    this.chunks = new Uint8Array(memory.buffer, PAGE_BYTES, LANES * chunkBytes)
    for (let round = 0; round < ROUNDS; round++)
      this.#setAll(CONSTANTS_AT + round * 16, CUBE_ROOTS[round] ?? 0)
    this.#pad(new DataView(memory.buffer, PADDING_AT, BLOCK_BYTES))
  }

  /** The SHA-256 digests of the four chunks, one after the other. */
  digests(): Buffer {
    for (const [at, word] of SQUARE_ROOTS.entries()) this.#setAll(STATE_AT + at * 16, word)
    const starts = Array.from({ length: LANES }, (_, lane) => PAGE_BYTES + lane * this.#chunkBytes)
    this.#run(CONSTANTS_AT, STATE_AT, ...starts, this.#chunkBytes / BLOCK_BYTES)
    this.#run(CONSTANTS_AT, STATE_AT, PADDING_AT, PADDING_AT, PADDING_AT, PADDING_AT, 1)
    const digests = Buffer.alloc(LANES * DIGEST_BYTES)
    for (let lane = 0; lane < LANES; lane++)
      for (let at = 0; at < 8; at++)
        digests.writeUInt32BE(this.#words[STATE_AT / 4 + at * 4 + lane] ?? 0, lane * DIGEST_BYTES + at * 4)
    return digests
  }

  #setAll(byte: number, word: number): void {
    this.#words.fill(word, byte / 4, byte / 4 + LANES)
  }

  /** What follows a message of whole blocks: a bit, zeros, and its length in bits. */
  #pad(block: DataView): void {
    block.setUint8(0, 0x80)
    block.setBigUint64(BLOCK_BYTES - 8, 8n * BigInt(this.#chunkBytes))
  }
}

/** The first 32 bits of the fractional parts of roots of the first primes (FIPS 180-4, sections 4.2.2 and 5.3.3). */
const CUBE_ROOTS = primes(ROUNDS).map((prime) => fraction(Math.cbrt(prime)))
const SQUARE_ROOTS = primes(8).map((prime) => fraction(Math.sqrt(prime)))

function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) >>> 0
}

function primes(count: number): number[] {
  const found: number[] = []
  for (let one = 2; found.length < count; one++)
    if (found.every((prime) => one % prime !== 0)) found.push(one)
  return found
}
