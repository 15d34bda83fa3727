/**
 * The bytes of packed rows: varints (little-endian groups of 7 bits, up to 2^53 - 1), lengths before
 * content. Reading checks every bound before it allocates or looks.
 */

export class MalformedRow extends Error {
  constructor(reason: string) {
    super(`malformed row: ${reason}`)
    this.name = 'MalformedRow'
  }
}

const FIRST_CAPACITY = 1024

/** The weight of the eighth and last group of a varint. */
const LAST_SCALE = 2 ** 49

export class PackedWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY)
  #at = 0
  readonly #text = new TextEncoder()

  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a varint: ${value}`)
    this.#room(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at++] = rest
    return this
  }

  /** A number of either sign, small ones short. */
  signed(value: number): this {
    return this.varint(value < 0 ? -value * 2 - 1 : value * 2)
  }

  /** Bytes whose length the reader knows. */
  bytes(content: Uint8Array): this {
    this.#room(content.length)
    this.#bytes.set(content, this.#at)
    this.#at += content.length
    return this
  }

  /** Bytes after their length. */
  sized(content: Uint8Array): this {
    return this.varint(content.length).bytes(content)
  }

  text(content: string): this {
    return this.sized(this.#text.encode(content))
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return
    const wider = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + more))
    wider.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = wider
  }
}

export class PackedReader {
  readonly #bytes: Uint8Array
  #at = 0
  readonly #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  varint(limit: number = Number.MAX_SAFE_INTEGER): number {
    let value = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new MalformedRow('it ends inside a number')
      if (scale > LAST_SCALE) throw new MalformedRow('a number is too long')
      value += (byte & 0x7f) * scale
      if (value > limit) throw new MalformedRow(`a number exceeds ${limit}`)
      if (byte < 0x80) return value
    }
  }

  signed(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** How many items follow, each of which takes at least `least` bytes: no list is longer than the row. */
  count(least: number): number {
    return this.varint(Math.floor(this.left / least))
  }

  /** A view, not a copy. */
  bytes(length: number): Uint8Array {
    if (length > this.left) throw new MalformedRow('it ends inside bytes')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  sized(): Uint8Array {
    return this.bytes(this.varint(this.left))
  }

  text(): string {
    const content = this.sized()
    try {
      return this.#text.decode(content)
    } catch {
      throw new MalformedRow('text is not UTF-8')
    }
  }

  end(): void {
    if (this.left > 0) throw new MalformedRow(`${this.left} bytes too many`)
  }
}
