/** Messages other than data that wait to leave, in order. They go before data, all at once. */
import { type ExtensionMessage, type ExtensionName, encodeExtension } from './extensions.ts'
import { encodeMessage, type KnownMessage } from './messages.ts'

/** What is to be written next, as one or more whole messages. */
export interface Outgoing {
  readonly parts: readonly Uint8Array[]
  readonly bytes: number
  /** The piece bytes in it; undefined for messages without data. */
  readonly data: DataPart | undefined
}

/** Data in one message. */
export interface DataPart {
  readonly index: number
  /** Where the request that it answers begins, and where the data does. */
  readonly request: number
  readonly begin: number
  readonly length: number
  /** The request is answered with it. */
  readonly last: boolean
}

/**
 * What is asked, offered and answered leaves now. What is expected may go with another message that leaves soon; what
 * we have is old news to most, and can wait longer.
 */
const HASTES = ['late', 'soon', 'now'] as const
export type Haste = (typeof HASTES)[number]

/** Small messages are gathered in buffers of this size: a peer that does not read leaves very many of them. */
const GATHER_BYTES = 4 << 10

export class Outbox {
  #parts: Uint8Array[] = []
  #bytes = 0
  #haste: Haste = 'late'
  /** What comes after the parts, and how far it is filled. */
  #gathering: Buffer | undefined
  #filled = 0
  /** The ids by which the peer wants to be sent our extensions; those missing are not sent. */
  readonly #ids = new Map<string, number>()

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** How soon what waits is worth a write of its own. */
  get haste(): Haste {
    return this.#haste
  }

  send(message: KnownMessage, haste: Haste = message.type === 'have' ? 'late' : 'now'): void {
    if (HASTES.indexOf(haste) > HASTES.indexOf(this.#haste)) this.#haste = haste
    for (const part of encodeMessage(message)) this.#add(part)
  }

  /** False when the peer does not know this extension. */
  extend(message: ExtensionMessage): boolean {
    const id = this.#ids.get(message.name)
    if (id === undefined) return false
    const haste = message.name === 'share_expect' ? 'soon' : 'now'
    this.send({ type: 'extended', id, payload: encodeExtension(message) }, haste)
    return true
  }

  speaks(name: ExtensionName): boolean {
    return this.#ids.has(name)
  }

  /** The peer said by which id it wants to be sent an extension; 0 takes it back. */
  learn(name: ExtensionName, id: number): void {
    if (id === 0) this.#ids.delete(name)
    else this.#ids.set(name, id)
  }

  take(): Outgoing | undefined {
    if (this.#bytes === 0) return undefined
    this.#endGathering()
    const outgoing = { parts: this.#parts, bytes: this.#bytes, data: undefined }
    this.#parts = []
    this.#bytes = 0
    this.#haste = 'late'
    return outgoing
  }

  #add(part: Uint8Array): void {
    this.#bytes += part.length
    if (part.length > GATHER_BYTES - this.#filled) this.#endGathering()
    if (part.length > GATHER_BYTES) this.#parts.push(part)
    else {
      this.#gathering ??= Buffer.allocUnsafe(GATHER_BYTES)
      this.#gathering.set(part, this.#filled)
      this.#filled += part.length
    }
  }

  #endGathering(): void {
    if (this.#gathering !== undefined) this.#parts.push(this.#gathering.subarray(0, this.#filled))
    this.#gathering = undefined
    this.#filled = 0
  }
}
