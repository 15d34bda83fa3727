/**
 * Pieces that were wrong when they came of several peers. Nobody can be blamed then; once such a piece is here and right, whoever
 * sent other bytes than those lied. Kept are digests, not bytes.
 */
import { hash } from 'node:crypto'
import type { PeerKey, RootKey } from '../core/types.ts'
import type { Written } from './piece-writers.ts'

/** Bytes with a digest of their own: few enough to have one sender, mostly. */
const BLOCK_BYTES = 16 << 10

/** Pieces at once; liars that are not named by one are by the next. */
const MOST_PIECES = 64

interface Block extends Written {
  readonly digest: string
}

export class Suspects {
  readonly #roots = new Map<RootKey, Map<number, Block[]>>()

  /** This piece is wrong, and these sent it. */
  suspect(root: RootKey, piece: number, bytes: Uint8Array, written: readonly Written[]): void {
    const pieces = this.#roots.get(root) ?? new Map<number, Block[]>()
    this.#roots.set(root, pieces)
    if (pieces.size >= MOST_PIECES) return
    const blocks = pieces.get(piece) ?? []
    for (const each of written.flatMap(blocksOf)) blocks.push({ ...each, digest: digestOf(bytes, each) })
    pieces.set(piece, blocks)
  }

  /** This piece is right: who sent others for it. */
  liars(root: RootKey, piece: number, bytes: Uint8Array): PeerKey[] {
    const blocks = this.#roots.get(root)?.get(piece) ?? []
    this.#roots.get(root)?.delete(piece)
    const wrong = blocks.filter((block) => digestOf(bytes, block) !== block.digest)
    return [...new Set(wrong.map(({ peer }) => peer))]
  }

  close(root: RootKey): void {
    this.#roots.delete(root)
  }
}

function blocksOf({ peer, begin, end }: Written): Written[] {
  const blocks: Written[] = []
  for (let at = begin; at < end; at += BLOCK_BYTES)
    blocks.push({ peer, begin: at, end: Math.min(end, at + BLOCK_BYTES) })
  return blocks
}

const digestOf = (bytes: Uint8Array, { begin, end }: Written): string =>
  hash('sha256', bytes.subarray(begin, end), 'base64')
