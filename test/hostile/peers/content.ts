/** What a hostile peer has, or says that it has: a file's blocks, and the table of its pieces. */

import type { CID } from 'multiformats/cid'
import { importPath } from '../../../src/content/import.ts'
import type { PieceTable } from '../../../src/content/manifest.ts'
import { walkManifest } from '../../../src/content/walk.ts'
import { blockKey } from '../../../src/core/cid.ts'

export interface Content {
  readonly root: CID
  readonly pieces: PieceTable
  /** Of its torrent: a magnet link with the CID, and the info dictionary. */
  readonly link: string
  readonly info: Uint8Array
  block(cid: CID): Uint8Array | undefined
  isLeaf(cid: CID): boolean
  /** A leaf that is not this one. */
  other(cid: CID): Uint8Array
}

export async function contentOf(path: string, torrent: Pick<Content, 'link' | 'info'>): Promise<Content> {
  const nodes = new Map<string, Uint8Array>()
  const leaves = new Map<string, Uint8Array>()
  const { root } = await importPath(path, {
    sink: {
      putNode: async (cid, block) => void nodes.set(blockKey(cid), block.slice()),
      putLeaf: async (cid, block) => void leaves.set(blockKey(cid), block.slice()),
    },
  })
  const block = (cid: CID) => nodes.get(blockKey(cid)) ?? leaves.get(blockKey(cid))
  const { manifest, events } = walkManifest(root, {
    fetchNode: async (cid) => block(cid) ?? new Uint8Array(0),
  })
  for await (const _ of events);
  const other = (cid: CID): Uint8Array => {
    const found = [...leaves].find(([key]) => key !== blockKey(cid))
    return found?.[1] ?? new Uint8Array(0)
  }
  return {
    ...torrent,
    root,
    pieces: manifest.pieces,
    block,
    isLeaf: (cid) => leaves.has(blockKey(cid)),
    other,
  }
}

/** The same bytes but for the first. */
export function wrong(block: Uint8Array): Uint8Array {
  const bytes = block.slice()
  bytes[0] = (bytes[0] ?? 0) ^ 1
  return bytes
}
