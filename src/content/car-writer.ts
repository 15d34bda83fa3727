/** Writes CAR files of version 1, as kubo does: a header with the roots, then the blocks. */
import { encode } from '@ipld/dag-cbor'
import { varint } from 'multiformats'
import type { CID } from 'multiformats/cid'
import type { CarBlock } from './car-reader.ts'

/** The file in chunks, as its blocks come; nothing before the first one is there. */
export async function* writeCar(
  roots: readonly CID[],
  blocks: AsyncIterable<CarBlock>,
): AsyncGenerator<Uint8Array> {
  let head: Uint8Array = headerOf(roots)
  for await (const { cid, block } of blocks) {
    yield Buffer.concat([head, prefix(cid.bytes.length + block.length), cid.bytes])
    if (block.length > 0) yield block
    head = NOTHING
  }
  if (head.length > 0) yield head
}

const NOTHING = new Uint8Array(0)

function headerOf(roots: readonly CID[]): Uint8Array {
  const header = encode({ roots, version: 1 })
  return Buffer.concat([prefix(header.length), header])
}

function prefix(length: number): Uint8Array {
  return varint.encodeTo(length, new Uint8Array(varint.encodingLength(length)))
}
