/** The bytes of a torrent piece that is here, wherever they lie. */
import type { RootKey } from '../../core/types.ts'
import type { TorrentHost } from './host.ts'
import type { PieceSpace } from './piece-space.ts'

/** Undefined where they cannot be read. They stay as they are as long as somebody holds them. */
export async function readTorrent(
  host: Pick<TorrentHost, 'read' | 'readNode'>,
  { root, space }: { readonly root: RootKey; readonly space: PieceSpace },
  { index, begin, length }: { readonly index: number; readonly begin: number; readonly length: number },
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let missing = length
  for (const part of space.inSwarm(index, begin, length)) {
    const chunk =
      part.kind === 'zeros'
        ? new Uint8Array(part.length)
        : part.kind === 'piece'
          ? await host.read(root, part.piece, part.begin, part.length)
          : await host.readNode(root, part.entry, part.begin, part.length)
    if (chunk?.length !== part.length) return undefined
    chunks.push(chunk)
    missing -= chunk.length
  }
  // behind the end of all files there are zeros for those who ask for whole blocks
  if (missing > 0) chunks.push(new Uint8Array(missing))
  const [first] = chunks
  return chunks.length === 1 ? first : Buffer.concat(chunks)
}
