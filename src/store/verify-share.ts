/** Reading and hashing all of a share, to say which of its files are not what was recorded. */
import { stat } from 'node:fs/promises'
import { sha256 } from '../content/verify.ts'
import { type FileBlocks, fileOf, type Reading, reasonOf, type Source } from './file-blocks.ts'
import { inlineBlock, inlinePayload } from './inline-node.ts'
import { inlineAt, type KeptInline, type LeafPlace, pieceAt } from './layout.ts'
import type { NodeStore } from './node-store.ts'
import { NO_WRAPPING } from './wrapping.ts'

export interface Damage {
  readonly file: string
  readonly reason: string
}

export interface VerifyOptions {
  readonly signal?: AbortSignal
  /** Bytes of content read so far. */
  readonly onProgress?: (bytes: number) => void
}

/** Every place of every block of a share in place. One line a file. @throws the signal's reason when aborted */
export async function verifyFiles(
  source: Source,
  files: FileBlocks,
  nodes: NodeStore,
  options: VerifyOptions,
): Promise<Damage[]> {
  const damaged = await missingFiles(source)
  let bytes = 0
  for await (const leaf of leavesOf(source, nodes)) {
    options.signal?.throwIfAborted()
    const file = fileOf(source, leaf.entry)
    if (!damaged.has(file)) note(damaged, await files.check(source, leaf))
    bytes += leaf.size
    options.onProgress?.(bytes)
  }
  return [...damaged].map(([file, reason]) => ({ file, reason }))
}

/** Every piece of a share whose blocks are in blockstore-fs. */
export async function verifyCopied(
  source: Source,
  nodes: NodeStore,
  options: VerifyOptions,
): Promise<Damage[]> {
  const { pieces } = source.layout.manifest
  const damaged = new Map<string, string>()
  let bytes = 0
  for (let piece = 0; piece < pieces.length; piece++) {
    options.signal?.throwIfAborted()
    const entry = pieces.places(piece)[0]?.entry ?? 0
    if ((await nodes.get(pieces.cid(piece))) === undefined) damaged.set(fileOf(source, entry), LOST_BLOCK)
    bytes += pieces.size(piece)
    options.onProgress?.(bytes)
  }
  return [...damaged].map(([file, reason]) => ({ file, reason }))
}

export const LOST_BLOCK = 'one of its blocks is missing from the store'

/** Files that are gone or have another size, the empty ones included. */
async function missingFiles(source: Source): Promise<Map<string, string>> {
  const damaged = new Map<string, string>()
  for (const [at, entry] of source.layout.manifest.entries.entries()) {
    if (entry.kind !== 'file') continue
    const file = fileOf(source, at)
    try {
      const { size } = await stat(file)
      if (size !== entry.size) damaged.set(file, `its size changed from ${entry.size} to ${size} bytes`)
    } catch (thrown) {
      damaged.set(file, reasonOf(thrown))
    }
  }
  return damaged
}

async function* leavesOf({ layout }: Source, nodes: NodeStore): AsyncGenerator<LeafPlace> {
  const { pieces } = layout.manifest
  for (let piece = 0; piece < pieces.length; piece++) {
    for (const place of pieces.places(piece)) {
      const leaf = pieceAt(layout, piece, place)
      if (leaf !== undefined) yield leaf
    }
  }
  for (const [at, inline] of layout.inlines.entries()) {
    const leaf = inlineAt(layout, at) ?? (await bareInline(inline, nodes))
    if (leaf !== undefined) yield leaf
  }
}

/** An inline node that its file cannot rebuild: the file bytes alone are compared with the node's. */
async function bareInline(
  { cid, entry, offset, size }: KeptInline,
  nodes: NodeStore,
): Promise<LeafPlace | undefined> {
  const block = await inlineBlock(nodes, cid)
  const payload = block && inlinePayload(cid, block)
  return payload && { entry, offset, size, digest: sha256(payload), ...NO_WRAPPING }
}

function note(damaged: Map<string, string>, reading: Reading): void {
  if (reading.state === 'damaged') damaged.set(reading.file, reading.reason)
}
