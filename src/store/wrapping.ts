/**
 * What surrounds the file bytes inside a dag-pb leaf. A leaf's block is prefix + payload + suffix, so
 * keeping both ends lets the block be rebuilt from the user's file. Nearly all leaves have one of two
 * standard forms that follow from the payload's size; any other is kept byte by byte.
 */
import { leafWrapping, unwrapLeaf } from '../content/verify.ts'
import { DAG_PB } from '../core/cid.ts'
import { PackedReader, PackedWriter } from './packed.ts'

export interface Wrapping {
  readonly prefix: Uint8Array
  readonly suffix: Uint8Array
}

/** UnixFS types of the two standard forms: kubo's balanced v0 leaves, and its trickle leaves. */
export const FILE_FORM = 2
export const RAW_FORM = 0
export type Form = typeof FILE_FORM | typeof RAW_FORM

export const NO_WRAPPING: Wrapping = { prefix: new Uint8Array(0), suffix: new Uint8Array(0) }

/** Longest wrapping of an inline node that is worth keeping in the row, in bytes; longer ones stay blocks. */
const MAX_KEPT_WRAPPING = 256

/** A dag-pb node with nothing but UnixFS {type, data, filesize}, around a payload of `size` bytes. */
export function standardWrapping(form: Form, size: number): Wrapping {
  const length = varint(size)
  const suffix = Uint8Array.of(0x18, ...length)
  const unixfs = [0x08, form, 0x12, ...length]
  const prefix = Uint8Array.of(0x0a, ...varint(unixfs.length + size + suffix.length), ...unixfs)
  return { prefix, suffix }
}

/** What surrounds the payload, a view of the block, in it. */
export function around(block: Uint8Array, payload: Uint8Array): Wrapping {
  const { prefix, suffix } = leafWrapping(block, payload)
  return { prefix: block.slice(0, prefix), suffix: block.slice(block.length - suffix) }
}

/** The wrapping of an inline node, when it is small enough to keep in the row. */
export function splitInline(block: Uint8Array, size: number): Wrapping | undefined {
  const payload = block.length - size > MAX_KEPT_WRAPPING ? undefined : unwrapLeaf(DAG_PB, block, size)
  return payload && around(block, payload)
}

function sameWrapping(one: Wrapping, other: Wrapping): boolean {
  return Buffer.compare(one.prefix, other.prefix) === 0 && Buffer.compare(one.suffix, other.suffix) === 0
}

/**
 * The wrappings of a share's dag-pb pieces. A piece has the file form unless something else was learnt;
 * other wrappings are kept once each, and per piece a number that tells which.
 */
export class Wrappings {
  readonly #kinds: Wrapping[] = []
  #which = new Uint32Array(0)

  /** Nothing but the default was learnt: there is no row to keep. */
  get plain(): boolean {
    return this.#which.length === 0
  }

  of(piece: number, size: number): Wrapping {
    const which = this.#which[piece] ?? 0
    if (which === 0) return standardWrapping(FILE_FORM, size)
    if (which === 1) return standardWrapping(RAW_FORM, size)
    return this.#kinds[which - 2] ?? NO_WRAPPING
  }

  /** Remembers a piece's wrapping; true when this changed what is kept. */
  learn(piece: number, size: number, wrapping: Wrapping): boolean {
    if (sameWrapping(this.of(piece, size), wrapping)) return false
    this.#set(piece, this.#number(size, wrapping))
    return true
  }

  encode(): Uint8Array {
    const writer = new PackedWriter().varint(this.#kinds.length)
    for (const kind of this.#kinds) writer.sized(kind.prefix).sized(kind.suffix)
    writer.varint(this.#which.length)
    for (const which of this.#which) writer.varint(which)
    return writer.finish()
  }

  /** @throws MalformedRow */
  static decode(bytes: Uint8Array): Wrappings {
    const reader = new PackedReader(bytes)
    const wrappings = new Wrappings()
    for (let left = reader.count(2); left > 0; left--) {
      wrappings.#kinds.push({ prefix: reader.sized().slice(), suffix: reader.sized().slice() })
    }
    wrappings.#which = new Uint32Array(reader.count(1))
    const last = wrappings.#kinds.length + 1
    for (let at = 0; at < wrappings.#which.length; at++) wrappings.#which[at] = reader.varint(last)
    reader.end()
    return wrappings
  }

  #number(size: number, wrapping: Wrapping): number {
    if (sameWrapping(wrapping, standardWrapping(FILE_FORM, size))) return 0
    if (sameWrapping(wrapping, standardWrapping(RAW_FORM, size))) return 1
    // leaves of one DAG share a wrapping but for the last: the newest are the likely ones
    const known = this.#kinds.findLastIndex((kind) => sameWrapping(kind, wrapping))
    return (known < 0 ? this.#kinds.push(wrapping) - 1 : known) + 2
  }

  #set(piece: number, which: number): void {
    if (piece >= this.#which.length) {
      const wider = new Uint32Array(Math.max(64, piece + 1, this.#which.length * 2))
      wider.set(this.#which)
      this.#which = wider
    }
    this.#which[piece] = which
  }
}

function varint(value: number): number[] {
  return [...new PackedWriter().varint(value).finish()]
}
