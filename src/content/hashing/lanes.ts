/**
 * Four messages of equal length hashed at once, in the memory of a WebAssembly instance: a stretch of each at a time, which
 * stays in the processor's cache.
 */
import { LANES } from './lane-code.ts'
import { SHA256 } from './sha256-code.ts'

/** As much of the API as is used here; the types for Node leave it to those for browsers. */
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer }
  Module: new (code: Uint8Array<ArrayBuffer>) => object
  Instance: new (module: object, imports: object) => { readonly exports: { readonly run: Run } }
}

export { LANES }

/** A hash of blocks of 64 bytes, whose digest is its state. */
export interface LaneHash {
  /** At most 64. */
  readonly constants: readonly number[]
  /** What it begins with, at most 8 words. */
  readonly state: readonly number[]
  readonly code: () => Uint8Array<ArrayBuffer>
}

/** Of SHA-256. */
export const DIGEST_BYTES = 32

/** Four lanes take as long as two and a half messages one after the other, however many of them are in use. */
export const WORTH_LANES = 3

/** Messages that are hashed side by side are of whole blocks. */
export const BLOCK_BYTES = 64
const PAGE_BYTES = 65_536

/** Bytes of a message that are hashed at a time. */
const STRETCH_BYTES = PAGE_BYTES

/** Where things lie in the memory; stretches begin with the second page. */
const CONSTANTS_AT = 0
const STATE_AT = CONSTANTS_AT + 64 * 16
const PADDING_AT = STATE_AT + 8 * 16

const NOTHING = new Uint8Array(0)

type Run = (constants: number, state: number, ...messagesAndBlocks: number[]) => void

export class Lanes {
  /** Room for a stretch of each message, one after the other. */
  readonly #stretches: Uint8Array<ArrayBuffer>
  readonly #state: readonly number[]
  readonly #words: Uint32Array
  readonly #padding: DataView
  readonly #run: Run

  constructor({ constants, state, code }: LaneHash = SHA256) {
    this.#state = state
    const pages = 1 + Math.ceil((LANES * STRETCH_BYTES) / PAGE_BYTES)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const module = new WebAssembly.Module(code())
    this.#run = new WebAssembly.Instance(module, { host: { memory } }).exports.run
    this.#words = new Uint32Array(memory.buffer, 0, PAGE_BYTES / 4)
    this.#stretches = new Uint8Array(memory.buffer, PAGE_BYTES, LANES * STRETCH_BYTES)
    for (const [at, word] of constants.entries()) this.#setAll(CONSTANTS_AT + at * 16, word)
    this.#padding = new DataView(memory.buffer, PADDING_AT, BLOCK_BYTES)
  }

  /**
   * The digests of four messages of so many bytes, one after the other.
   * @param fill puts the bytes of one of them, from `at` on, where they are hashed; false where there are none
   * @returns undefined where there were none
   * @throws RangeError unless the messages are of whole blocks of 64 bytes
   */
  digests(
    length: number,
    fill: (lane: number, at: number, into: Uint8Array<ArrayBuffer>) => boolean,
  ): Buffer | undefined {
    if (length % BLOCK_BYTES !== 0) throw new RangeError(`messages of ${length} bytes`)
    for (const [at, word] of this.#state.entries()) this.#setAll(STATE_AT + at * 16, word)
    const starts = Array.from({ length: LANES }, (_, lane) => lane * STRETCH_BYTES)
    const addresses = starts.map((start) => PAGE_BYTES + start)
    for (let at = 0; at < length; at += STRETCH_BYTES) {
      const bytes = Math.min(STRETCH_BYTES, length - at)
      for (const [lane, start] of starts.entries())
        if (!fill(lane, at, this.#stretches.subarray(start, start + bytes))) return undefined
      this.#run(CONSTANTS_AT, STATE_AT, ...addresses, bytes / BLOCK_BYTES)
    }
    this.#pad(length)
    this.#run(CONSTANTS_AT, STATE_AT, PADDING_AT, PADDING_AT, PADDING_AT, PADDING_AT, 1)
    const words = this.#state.length
    const digests = Buffer.alloc(LANES * words * 4)
    for (let lane = 0; lane < LANES; lane++)
      for (let at = 0; at < words; at++)
        digests.writeUInt32BE(this.#words[STATE_AT / 4 + at * 4 + lane] ?? 0, (lane * words + at) * 4)
    return digests
  }

  /** The digest of each of up to four messages of one length. */
  digestsOf(messages: readonly Uint8Array[]): Uint8Array[] {
    const digests = this.digests(messages[0]?.length ?? 0, (lane, at, into) => {
      const message = messages[lane]
      // a lane that nobody needs hashes what lies in it
      if (message !== undefined) into.set(message.subarray(at, at + into.length))
      return true
    })
    const bytes = this.#state.length * 4
    return messages.map((_, lane) => digests?.subarray(lane * bytes, (lane + 1) * bytes) ?? NOTHING)
  }

  #setAll(byte: number, word: number): void {
    this.#words.fill(word, byte / 4, byte / 4 + LANES)
  }

  /** What follows a message of whole blocks: a bit, zeros, and its length in bits. */
  #pad(length: number): void {
    this.#padding.setUint8(0, 0x80)
    this.#padding.setBigUint64(BLOCK_BYTES - 8, 8n * BigInt(length))
  }
}
