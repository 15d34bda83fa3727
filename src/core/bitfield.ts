/** A fixed-length set of small integers, one bit each, with its population kept. Most significant bit first, as BEP 3 sends it. */
export class Bitfield {
  readonly length: number
  readonly bytes: Uint8Array
  #count = 0

  constructor(length: number, bytes?: Uint8Array) {
    this.length = length
    this.bytes = new Uint8Array(Math.ceil(length / 8))
    if (bytes === undefined) return
    this.bytes.set(bytes.subarray(0, this.bytes.length))
    const spare = this.bytes.length * 8 - length
    const last = this.bytes.length - 1
    if (spare > 0) this.bytes[last] = (this.bytes[last] ?? 0) & (0xff << spare)
    for (const byte of this.bytes) this.#count += POPULATION[byte] ?? 0
  }

  static full(length: number): Bitfield {
    return new Bitfield(length, new Uint8Array(Math.ceil(length / 8)).fill(0xff))
  }

  /** How many are set. */
  get count(): number {
    return this.#count
  }

  get complete(): boolean {
    return this.#count === this.length
  }

  /** False for indexes out of range. */
  has(index: number): boolean {
    // beyond 2^31 a shift would wrap around
    if (index < 0 || index >= this.length) return false
    return ((this.bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
  }

  /** Sets a bit; true when it was not set before. Out of range is ignored: strangers send such indexes. */
  add(index: number): boolean {
    if (index < 0 || index >= this.length || this.has(index)) return false
    this.bytes[index >> 3] = (this.bytes[index >> 3] ?? 0) | (0x80 >> (index & 7))
    this.#count++
    return true
  }

  /** Clears a bit; true when it was set before. */
  delete(index: number): boolean {
    if (!this.has(index)) return false
    this.bytes[index >> 3] = (this.bytes[index >> 3] ?? 0) & ~(0x80 >> (index & 7))
    this.#count--
    return true
  }

  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.bytes.length; at++) {
      if (this.bytes[at] === 0) continue
      for (let bit = at * 8; bit < at * 8 + 8; bit++) if (this.has(bit)) yield bit
    }
  }

  /** A copy with another length; bits past the new end are dropped. */
  resized(length: number): Bitfield {
    return new Bitfield(length, this.bytes)
  }
}

const POPULATION = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)
