import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { type Manifest, PieceTable } from '../../src/content/manifest.ts'
import { Bitfield } from '../../src/core/bitfield.ts'
import { RAW } from '../../src/core/cid.ts'
import { pieceSize } from '../../src/torrent/info.ts'
import { layOut } from '../../src/torrent/layout.ts'
import { PieceMap } from '../../src/torrent/piece-map.ts'
import fc from './seeded.ts'

const CID_OF_ALL = CID.parse('bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku')

/** Sizes of the leaves there are, and files as lists of leaves by index; a negative number is so many bytes in a DAG node. */
interface Drawn {
  readonly leaves: readonly number[]
  readonly files: readonly (readonly number[])[]
  readonly pieceLength: number
  readonly padded: boolean
}

const drawn: fc.Arbitrary<Drawn> = fc.integer({ min: 1, max: 6 }).chain((count) =>
  fc.record({
    leaves: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: count, maxLength: count }),
    files: fc.array(
      fc.array(
        fc.oneof(fc.nat({ max: count - 1 }), { weight: 1, arbitrary: fc.integer({ min: -4, max: -1 }) }),
        { maxLength: 6 },
      ),
      {
        minLength: 1,
        maxLength: 5,
      },
    ),
    pieceLength: fc.constantFrom(1, 4, 8, 16),
    padded: fc.boolean(),
  }),
)

/** Cut as a share is: all leaves of one size but the last of each file. */
const regular: fc.Arbitrary<Drawn> = fc
  .array(fc.record({ whole: fc.nat({ max: 3 }), rest: fc.nat({ max: 7 }) }), { minLength: 1, maxLength: 5 })
  .map((shapes) => {
    const leaves: number[] = []
    const files = shapes.map(({ whole, rest }) => {
      const sizes = [...Array.from({ length: whole }, () => 8), ...(rest > 0 ? [rest] : [])]
      return sizes.map((size) => leaves.push(size) - 1)
    })
    return { leaves, files, pieceLength: 8, padded: true }
  })

/** What a byte is: of which leaf or node, and where in it. Zeros are the empty text. */
function made({ leaves, files, pieceLength, padded }: Drawn) {
  const manifest: Manifest = { root: CID_OF_ALL, entries: [], pieces: new PieceTable(), size: 0 }
  const indexOf = new Map<number, number>()
  const bytes = new Map<string, string[]>()
  for (const [number, parts] of files.entries()) {
    const path = `f${number}`
    const entry = manifest.entries.push({ kind: 'file', path, cid: CID_OF_ALL, size: 0 }) - 1
    const content: string[] = []
    for (const part of parts) {
      const offset = content.length
      const size = part < 0 ? -part : (leaves[part] ?? 0)
      const known = indexOf.get(part)
      if (part >= 0 && known !== undefined) manifest.pieces.addPlace(known, { entry, offset })
      else if (part >= 0)
        indexOf.set(
          part,
          manifest.pieces.push({
            digest: new Uint8Array(32),
            codec: RAW,
            size,
            blockSize: size,
            place: { entry, offset },
          }),
        )
      for (let at = 0; at < size; at++)
        content.push(part < 0 ? `node ${entry} ${offset + at}` : `leaf ${indexOf.get(part)} ${at}`)
    }
    manifest.entries[entry] = { kind: 'file', path, cid: CID_OF_ALL, size: content.length }
    bytes.set(path, content)
  }
  const listed = manifest.entries.map(({ path }) => ({
    path,
    size: bytes.get(path)?.length ?? 0,
    symlink: undefined,
  }))
  const layout = layOut(listed, pieceLength, padded)
  const space = Array.from({ length: layout.length }, () => '')
  for (const { path, start } of layout.files)
    for (const [at, byte] of (bytes.get(path) ?? []).entries()) space[start + at] = byte
  return { manifest, layout, space, map: new PieceMap(layout, manifest) }
}

/** The bytes that the runs stand for. */
function spelled(
  runs: Iterable<ReturnType<PieceMap['runs']> extends Generator<infer R> ? R : never>,
): string[] {
  return [...runs].flatMap((run) =>
    Array.from({ length: run.length }, (_, at) => {
      if (run.kind === 'zeros') return ''
      return run.kind === 'leaf'
        ? `leaf ${run.leaf} ${run.offset + at}`
        : `node ${run.entry} ${run.offset + at}`
    }),
  )
}

describe('the pieces of a torrent and the leaves of its share', () => {
  it('spell the same bytes, for any range', () => {
    fc.assert(
      fc.property(drawn, fc.nat(), fc.nat(), fc.nat({ max: 20 }), (shape, pick, begin, length) => {
        const { layout, space, map } = made(shape)
        if (layout.pieces === 0) return
        const piece = pick % layout.pieces
        const start = piece * layout.pieceLength
        const size = pieceSize(layout, piece)
        assert.deepEqual(spelled(map.runs(piece)), space.slice(start, start + size))
        const from = begin % size
        assert.deepEqual(
          spelled(map.runs(piece, from, length)),
          space.slice(start + from, start + Math.min(size, from + length)),
        )
      }),
    )
  })

  it('lead to each other', () => {
    fc.assert(
      fc.property(drawn, (shape) => {
        const { manifest, layout, map } = made(shape)
        const touched = Array.from({ length: layout.pieces }, () => new Set<number>())
        for (let leaf = 0; leaf < manifest.pieces.length; leaf++)
          for (const { first, last } of map.piecesOf(leaf))
            for (let piece = first; piece <= last; piece++) touched[piece]?.add(leaf)
        for (let piece = 0; piece < layout.pieces; piece++) {
          const leaves = [...map.runs(piece)].flatMap((run) => (run.kind === 'leaf' ? [run.leaf] : []))
          assert.deepEqual([...new Set(leaves)].sort(), [...(touched[piece] ?? [])].sort())
        }
      }),
    )
  })

  it('are here together: whoever has all of one kind has all of the other, and no more is claimed than is there', () => {
    fc.assert(
      fc.property(drawn, fc.uint8Array({ minLength: 20, maxLength: 20 }), (shape, bits) => {
        const { manifest, layout, space, map } = made(shape)
        const count = manifest.pieces.length
        assert.equal(map.torrentHave(Bitfield.full(count)).complete, true)
        assert.equal(map.leafHave(Bitfield.full(layout.pieces)).complete, true)
        const leaves = new Bitfield(count, bits)
        for (const piece of map.torrentHave(leaves)) {
          const start = piece * layout.pieceLength
          for (const byte of space.slice(start, start + layout.pieceLength)) {
            const [kind, leaf] = byte.split(' ')
            if (kind === 'leaf') assert.ok(leaves.has(Number(leaf)))
          }
        }
        const pieces = new Bitfield(layout.pieces, bits)
        const here = new Set(space.filter((_, at) => pieces.has(Math.floor(at / layout.pieceLength))))
        for (const leaf of map.leafHave(pieces))
          for (let at = 0; at < manifest.pieces.size(leaf); at++) assert.ok(here.has(`leaf ${leaf} ${at}`))
      }),
    )
  })

  it('are one space where a share is cut as shares are', () => {
    fc.assert(
      fc.property(regular, (shape) => {
        const { manifest, layout, map } = made(shape)
        assert.equal(map.aligned, true)
        const leaves = Array.from({ length: layout.pieces }, (_, piece) => map.leafOf(piece))
        assert.deepEqual([...leaves].sort(), [...Array(manifest.pieces.length).keys()].sort())
      }),
    )
  })
})
