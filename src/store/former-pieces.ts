/** Which pieces a former run left in the partial file: claimed ones by the bitmap's word, others by their hash. */
import { sha256 } from '../content/verify.ts'
import { blockLength, type Layout, type LeafPlace, pieceAt } from './layout.ts'
import type { PartialTree } from './partial.ts'

/** Bytes looked at, at both ends of a piece, before all of it is read. */
const PROBE = 4096

/** `claimed`: the bitmap says so, rightly. `unclaimed`: it is there all the same. */
export type Former = 'claimed' | 'unclaimed' | 'missing'

/**
 * Looks for one piece. A trusted claim stands where its files have their full size; otherwise the hash
 * decides. Of unclaimed pieces most were never written, which their ends tell without reading all of it.
 */
export async function lookFor(
  layout: Layout,
  tree: PartialTree,
  piece: number,
  trusted: boolean,
  claimed: boolean,
): Promise<Former> {
  const places = layout.manifest.pieces.places(piece)
  if (trusted && places.every((place) => tree.intact(place.entry))) return 'claimed'
  for (const place of places) {
    const leaf = pieceAt(layout, piece, place)
    if (leaf === undefined || leaf.offset + leaf.size > tree.formerSize(leaf.entry)) return 'missing'
    if (!claimed && !(await looksWritten(tree, leaf))) return 'missing'
    if ((await readLeaf(tree, leaf)) === undefined) return 'missing'
  }
  return claimed ? 'claimed' : 'unclaimed'
}

/** A block from the partial tree; undefined when its bytes are not there. */
export async function readLeaf(tree: PartialTree, leaf: LeafPlace): Promise<Uint8Array | undefined> {
  const block = Buffer.allocUnsafe(blockLength(leaf))
  block.set(leaf.prefix)
  block.set(leaf.suffix, leaf.prefix.length + leaf.size)
  const payload = block.subarray(leaf.prefix.length, leaf.prefix.length + leaf.size)
  if ((await tree.read(leaf.entry, leaf.offset, payload)) < leaf.size) return undefined
  return Buffer.compare(sha256(block), leaf.digest) === 0 ? block : undefined
}

async function looksWritten(tree: PartialTree, leaf: LeafPlace): Promise<boolean> {
  const length = Math.min(PROBE, leaf.size)
  const probe = Buffer.alloc(length)
  // the end first: a write that was cut short leaves its end unwritten
  for (const offset of [leaf.offset + leaf.size - length, leaf.offset]) {
    await tree.read(leaf.entry, offset, probe)
    if (probe.some((byte) => byte !== 0)) return true
  }
  return false
}
