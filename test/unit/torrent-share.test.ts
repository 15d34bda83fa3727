/** A share as a torrent: the length of its pieces, its files, and digests that are made once. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { type Entry, type Manifest, PieceTable } from '../../src/content/manifest.ts'
import { DAG_PB, RAW } from '../../src/core/cid.ts'
import { decodeDigests, encodeDigests } from '../../src/torrent/digest-row.ts'
import { type DigestingOptions, digestPieces } from '../../src/torrent/digesting.ts'
import { layOut } from '../../src/torrent/layout.ts'
import { pieceLengthOf, shareLayout } from '../../src/torrent/share-torrent.ts'
import type { PieceDigests } from '../../src/torrent/write-info.ts'
import { noise } from './torrent-trees.ts'

const SOME_CID = CID.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')
const KIB = 1024
const MIB = 1024 * KIB

/** A manifest of files by name, each with the sizes of its leaves. */
function manifestOf(files: Record<string, number[]>, codec = RAW): Manifest {
  const manifest: Manifest = { root: SOME_CID, entries: [], pieces: new PieceTable(), size: 0 }
  for (const [path, leaves] of Object.entries(files)) {
    const size = leaves.reduce((sum, leaf) => sum + leaf, 0)
    const entry = manifest.entries.push({ kind: 'file', path, cid: SOME_CID, size }) - 1
    let offset = 0
    for (const leaf of leaves) {
      const digest = new Uint8Array(32).fill(manifest.pieces.length)
      manifest.pieces.push({ digest, codec, size: leaf, blockSize: leaf, place: { entry, offset } })
      offset += leaf
    }
    manifest.size += size
  }
  return manifest
}

describe('the length of pieces', () => {
  const TABLE: readonly [string, Record<string, number[]>, number][] = [
    ['is that of the leaves', { a: [MIB, MIB, 5] }, MIB],
    ['of the older profile is a quarter', { a: [256 * KIB, 256 * KIB], b: [10] }, 256 * KIB],
    ['holds each file that is one leaf', { a: [10], b: [40_000] }, 65_536],
    ['is a block at least', { a: [10] }, 16_384],
    ['of leaves of a MiB, one each, is a MiB', { a: [MIB], b: [MIB] }, MIB],
    ['is no longer than a MiB for one longer leaf', { a: [2 * MIB] }, MIB],
    ['is the usual where leaves differ', { a: [MIB, MIB], b: [300, 300] }, MIB],
    ['is the usual where leaves are no power of two', { a: [1_000_000, 1_000_000, 3] }, MIB],
    ['is the usual where leaves are too small', { a: [1024, 1024] }, MIB],
  ]
  for (const [name, files, length] of TABLE)
    it(name, () => {
      assert.equal(pieceLengthOf(manifestOf(files)), length)
      assert.equal(pieceLengthOf(manifestOf(files, DAG_PB)), length)
    })
})

describe('the layout of a share', () => {
  it('has each file begin a piece, in the order of the tree, unless it is for v1', () => {
    const manifest = manifestOf({ 'sub-dash': [10], 'sub/b': [20], 'sub/a': [16_384], z: [] })
    const places = (version: 'v1' | 'hybrid') =>
      shareLayout(manifest, version).files.map(({ path, start }) => [path, start])
    assert.deepEqual(places('hybrid'), [
      ['sub/a', 0],
      ['sub/b', 16_384],
      ['sub-dash', 32_768],
      ['z', 49_152],
    ])
    assert.deepEqual(places('v1'), [
      ['sub/a', 0],
      ['sub/b', 16_384],
      ['sub-dash', 16_404],
      ['z', 16_414],
    ])
  })

  it('has symlinks with their targets from the top, and no directories', () => {
    const links: Entry[] = [
      { kind: 'directory', path: 'd' },
      { kind: 'symlink', path: 'd/e/up', target: '../../a' },
      { kind: 'symlink', path: 'd/beside', target: './e//up' },
      { kind: 'symlink', path: 'd/top', target: '..' },
      { kind: 'symlink', path: 'self', target: '.' },
    ]
    const manifest = manifestOf({ a: [5] })
    manifest.entries.push(...links)
    assert.deepEqual(
      shareLayout(manifest, 'v2').files.map(({ path, symlink }) => [path, symlink]),
      [
        ['a', undefined],
        ['d/beside', 'd/e/up'],
        ['d/e/up', 'a'],
      ],
    )
  })

  it('is none where no client would read it', () => {
    const tooMany = manifestOf(
      Object.fromEntries(Array.from({ length: 100_001 }, (_, at) => [`f${at}`, [1]])),
    )
    assert.throws(() => shareLayout(tooMany, 'hybrid'), {
      code: 'UNSUPPORTED',
      message: /more than 100000 files/,
    })
    const long = manifestOf(
      Object.fromEntries(Array.from({ length: 90_000 }, (_, at) => [`${'x'.repeat(200)}${at}`, [1]])),
    )
    assert.throws(() => shareLayout(long, 'hybrid'), { code: 'UNSUPPORTED', message: /info dictionary/ })
    const large = manifestOf({ a: [MIB, 5] })
    const [file] = large.entries
    if (file?.kind === 'file') large.entries[0] = { ...file, size: 1_700_000 * MIB }
    assert.throws(() => shareLayout(large, 'hybrid'), { code: 'UNSUPPORTED', message: /info dictionary/ })
    assert.equal(shareLayout(large, 'v2').pieces, 1_700_000)
  })

  it('is none where there is nothing in it', () => {
    for (const files of [{}, { a: [] }])
      assert.throws(() => shareLayout(manifestOf(files), 'hybrid'), {
        code: 'UNSUPPORTED',
        message: /no bytes/,
      })
  })
})

describe('digests', () => {
  const tree: Record<string, Uint8Array> = { a: noise(100_000, 1), b: noise(5, 2), c: noise(50_000, 3) }
  const listed = Object.entries(tree).map(([path, { length }]) => ({
    path,
    size: length,
    symlink: undefined,
  }))
  const NONE: PieceDigests = { sha1s: new Uint8Array(0), hashes: new Uint8Array(0) }

  function options(trees: boolean, change: Partial<DigestingOptions> = {}): DigestingOptions {
    return {
      layout: layOut(listed, 16_384, trees),
      trees,
      known: NONE,
      async *read({ path }, offset) {
        const bytes = tree[path]?.subarray(offset) ?? NONE.sha1s
        for (let at = 0; at < bytes.length; at += 7000) yield bytes.subarray(at, at + 7000)
      },
      keep: async () => {},
      ...change,
    }
  }

  for (const trees of [true, false]) {
    it(`go on where they were interrupted, ${trees ? 'with' : 'without'} pads`, async () => {
      const whole = await digestPieces(options(trees))
      const { layout } = options(trees)
      for (const stopAfter of [0, 1, 3, 6, 8, layout.pieces - 1]) {
        const stop = new AbortController()
        let row: Uint8Array | undefined
        const interrupted = digestPieces(
          options(trees, {
            signal: stop.signal,
            onProgress: (pieces) => pieces > stopAfter && stop.abort(new Error('enough')),
            keep: async (digests) => {
              row = encodeDigests(layout, digests)
            },
          }),
        )
        // the last piece may be handed over before
        await interrupted.catch((thrown: Error) => assert.equal(thrown.message, 'enough'))
        const known = decodeDigests(row, layout, trees)
        assert.ok(known.sha1s.length > 0)
        let read = 0
        const resumed = await digestPieces(options(trees, { known, onProgress: () => read++ }))
        assert.deepEqual(resumed, whole)
        assert.equal(read, layout.pieces - known.sha1s.length / 20)
      }
    })
  }

  it('fail where a file has not its bytes', async () => {
    for (const bytes of [noise(99_999, 1), noise(100_001, 1)]) {
      const read: DigestingOptions['read'] = async function* () {
        yield bytes
      }
      await assert.rejects(digestPieces(options(true, { read })), {
        code: 'SOURCE_CHANGED',
        message: /^a changed/,
      })
    }
  })

  it('fail with what reading fails with, and keep what is there', async () => {
    let kept = NONE
    const read: DigestingOptions['read'] = async function* () {
      yield noise(80_000, 1)
      throw new Error('no more')
    }
    const keep = async (digests: PieceDigests) => {
      kept = digests
    }
    await assert.rejects(digestPieces(options(true, { read, keep })), /no more/)
    assert.ok(kept.sha1s.length / 20 <= 4)
    assert.equal(kept.hashes.length / 32, kept.sha1s.length / 20)
  })

  it('of another form than is asked for count as none', () => {
    const layout = { pieceLength: 16_384, pieces: 3 }
    const digests = { sha1s: new Uint8Array(40), hashes: new Uint8Array(64) }
    const row = encodeDigests(layout, digests)
    assert.deepEqual(decodeDigests(row, layout, true), digests)
    for (const [bytes, asked, trees] of [
      [undefined, layout, true],
      [Buffer.from('garbage'), layout, true],
      [row, { ...layout, pieceLength: 32_768 }, true],
      [row, { ...layout, pieces: 1 }, true],
      [row, layout, false],
      [encodeDigests(layout, { ...digests, sha1s: new Uint8Array(41) }), layout, true],
      [encodeDigests(layout, { ...digests, hashes: new Uint8Array(63) }), layout, true],
    ] as const)
      assert.deepEqual(decodeDigests(bytes, asked, trees), NONE)
  })
})
