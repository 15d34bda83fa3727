/**
 * Where a share's blocks lie in its files: the manifest, and what rebuilds a block from file bytes. A
 * record is one such block: a piece, or, numbered after the pieces, an inline node.
 */
import type { Manifest, Place } from '../content/manifest.ts'
import { DAG_PB } from '../core/cid.ts'
import type { InlinePlace } from './types.ts'
import { NO_WRAPPING, type Wrapping, type Wrappings } from './wrapping.ts'

/** An inline node; without a wrapping it cannot be rebuilt and stays in blockstore-fs. */
export interface KeptInline extends InlinePlace {
  readonly wrapping: Wrapping | undefined
}

export interface Layout {
  readonly manifest: Manifest
  readonly wrappings: Wrappings
  readonly inlines: KeptInline[]
}

/** A block's bytes: `prefix`, then `size` bytes of the file at `offset`, then `suffix`; together they hash to `digest`. */
export interface LeafPlace extends Place, Wrapping {
  readonly digest: Uint8Array
  readonly size: number
}

/** A piece's block by its first place, or by another one. Undefined when there is no such piece. */
export function pieceAt(layout: Layout, piece: number, place?: Place): LeafPlace | undefined {
  const { pieces } = layout.manifest
  if (piece < 0 || piece >= pieces.length) return undefined
  const where = place ?? pieces.places(piece)[0]
  if (where === undefined) return undefined
  const size = pieces.size(piece)
  const wrapping = pieces.codec(piece) === DAG_PB ? layout.wrappings.of(piece, size) : NO_WRAPPING
  return { ...where, size, digest: pieces.digest(piece), prefix: wrapping.prefix, suffix: wrapping.suffix }
}

/** An inline node's block, when its file and its wrapping rebuild it. */
export function inlineAt(layout: Layout, inline: number): LeafPlace | undefined {
  const kept = layout.inlines[inline]
  if (kept?.wrapping === undefined) return undefined
  const { entry, offset, size, cid, wrapping } = kept
  return {
    entry,
    offset,
    size,
    digest: cid.multihash.digest,
    prefix: wrapping.prefix,
    suffix: wrapping.suffix,
  }
}

export function blockLength(leaf: LeafPlace): number {
  return leaf.prefix.length + leaf.size + leaf.suffix.length
}

/** Memory that a layout takes, counted in pieces (an entry with its path and CID weighs about as much as eight). */
export function weightOf(layout: Layout): number {
  return layout.manifest.pieces.length + 8 * (layout.manifest.entries.length + layout.inlines.length)
}
