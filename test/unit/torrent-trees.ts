/** Trees of which fixtures/torrent holds what libtorrent makes of them; test/interop/torrent-metainfo.test.ts makes them anew. */
import type { Listed } from '../../src/torrent/layout.ts'

/** Content by path, or where a symlink leads; a tree of one file alone has the path ''. */
export type TorrentTree = Readonly<Record<string, Uint8Array | string>>

/** Bytes that differ with the seed and never repeat by piece or block. */
export function noise(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = state >>> 16
  }
  return bytes
}

const MIB = 1 << 20

export const TREES: Readonly<Record<string, { readonly pieceLength: number; readonly tree: TorrentTree }>> = {
  'one-file': { pieceLength: MIB, tree: { '': noise(2 * MIB + 12_345, 1) } },
  'one-small-file': { pieceLength: 32_768, tree: { '': noise(20_000, 2) } },
  'several-pieces': {
    pieceLength: MIB,
    tree: {
      // exactly one piece; a piece and a byte; the same bytes again
      exact: noise(MIB, 3),
      'sub/over': noise(MIB + 1, 4),
      'sub/again': noise(MIB + 1, 4),
      'sub/empty': noise(0, 0),
      'sub/deep/er/block': noise(16_384, 5),
      'sub2/small': noise(5, 6),
      Z: noise(100_000, 7),
    },
  },
  'small-files': {
    pieceLength: 16_384,
    tree: {
      '.hidden': noise(10, 8),
      10: noise(11, 9),
      9: noise(12, 10),
      'a b/ünïcødé': noise(16_384, 11),
      'a b/\u{1f600}': noise(13, 12),
      'a b/\uff5e': noise(14, 13),
    },
  },
  // where libtorrent pads, and where it does not
  'one-in-a-directory': { pieceLength: 16_384, tree: { only: noise(100, 14) } },
  'same-name': { pieceLength: 16_384, tree: { 'same-name': noise(100, 15) } },
  'last-is-empty': { pieceLength: 16_384, tree: { a: noise(100, 16), b: noise(0, 0), c: noise(0, 0) } },
  'first-is-empty': { pieceLength: 16_384, tree: { a: noise(0, 0), b: noise(100, 17) } },
  'last-fills-its-piece': { pieceLength: 16_384, tree: { a: noise(100, 18), b: noise(16_384, 19) } },
  symlinks: {
    pieceLength: 16_384,
    tree: { 'd/g': noise(100, 20), f: noise(200, 21), 'd/up': '../f', dangling: 'nowhere', directory: 'd' },
  },
}

export const VERSIONS = ['v1', 'v2', 'hybrid'] as const

/** As shareLayout lists them. */
export function listedOf(tree: TorrentTree): Listed[] {
  return Object.entries(tree).map(([path, content]) =>
    typeof content === 'string'
      ? { path, size: 0, symlink: content.replace('../', '') }
      : { path, size: content.length, symlink: undefined },
  )
}
