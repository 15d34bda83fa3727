import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { type Entry, PieceTable } from '../../src/content/manifest.ts'
import { DAG_PB, RAW, SHA2_256 } from '../../src/core/cid.ts'
import type { KeptInline, Layout } from '../../src/store/layout.ts'
import { decodeLayout, encodeLayout } from '../../src/store/manifest-row.ts'
import { MalformedRow, PackedReader, PackedWriter } from '../../src/store/packed.ts'
import { Wrappings } from '../../src/store/wrapping.ts'
import fc from './seeded.ts'

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
const cid = fc
  .tuple(fc.constantFrom(RAW, DAG_PB), digest)
  .map(([codec, bytes]) => CID.createV1(codec, Digest.create(SHA2_256, bytes)))
const MAX_FILE = 2 ** 45

const entry: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ kind: fc.constant('directory' as const), path: fc.string({ unit: 'binary' }) }),
  fc.record({ kind: fc.constant('symlink' as const), path: fc.string(), target: fc.string() }),
  fc.record({ kind: fc.constant('file' as const), path: fc.string(), cid, size: fc.nat({ max: MAX_FILE }) }),
)
const place = fc.record({ entry: fc.nat({ max: 9 }), at: fc.double({ min: 0, max: 1, noNaN: true }) })
const piece = fc.record({
  digest,
  wrapping: fc.option(fc.integer({ min: 0, max: 40 })),
  size: fc.nat({ max: 2 ** 21 }),
  places: fc.array(place, { minLength: 1, maxLength: 4 }),
})
const inline = fc.record({
  cid,
  place,
  size: fc.nat({ max: 1000 }),
  wrapping: fc.option(fc.record({ prefix: fc.uint8Array(), suffix: fc.uint8Array() }), { nil: undefined }),
})

const layout: fc.Arbitrary<Layout> = fc
  .tuple(
    cid,
    fc.array(entry, { maxLength: 9 }),
    cid,
    fc.array(piece, { maxLength: 30 }),
    fc.array(inline, { maxLength: 5 }),
  )
  .map(([root, some, fileCid, pieces, inlines]) => {
    // one file at least is large enough for any piece
    const entries: Entry[] = [...some, { kind: 'file', path: 'last', cid: fileCid, size: MAX_FILE }]
    const table = new PieceTable()
    for (const { digest: hash, wrapping, size, places } of pieces) {
      const [first, ...more] = places.map((wish) => placeIn(entries, wish, size))
      if (first === undefined) continue
      const codec = wrapping === null ? RAW : DAG_PB
      const index = table.push({ digest: hash, codec, size, blockSize: size + (wrapping ?? 0), place: first })
      for (const other of more) table.addPlace(index, other)
    }
    const kept = inlines.map(
      ({ place: wish, ...rest }): KeptInline => ({ ...rest, ...placeIn(entries, wish, rest.size) }),
    )
    const manifest = { root, entries, pieces: table, size: 1234 }
    return { manifest, wrappings: new Wrappings(), inlines: kept }
  })

function placeIn(entries: readonly Entry[], wish: { entry: number; at: number }, size: number) {
  const found = entries[wish.entry]
  const fits = found?.kind === 'file' && found.size >= size
  const room = fits ? found.size - size : MAX_FILE - size
  return { entry: fits ? wish.entry : entries.length - 1, offset: Math.floor(wish.at * room) }
}

function plain({ manifest, inlines }: Layout) {
  const { root, entries, pieces, size } = manifest
  return {
    root: root.toString(),
    size,
    entries: entries.map((found) => ({ ...found, cid: found.kind === 'file' ? found.cid.toString() : '' })),
    pieces: Array.from({ length: pieces.length }, (_, at) => ({
      cid: pieces.cid(at).toString(),
      size: pieces.size(at),
      blockSize: pieces.blockSize(at),
      places: pieces.places(at),
    })),
    inlines: inlines.map((found) => ({ ...found, cid: found.cid.toString(), wrapping: hex(found.wrapping) })),
  }
}

const hex = (wrapping: KeptInline['wrapping']) =>
  wrapping && [Buffer.from(wrapping.prefix).toString('hex'), Buffer.from(wrapping.suffix).toString('hex')]

describe('a manifest row', () => {
  it('gives back what was packed', () => {
    fc.assert(
      fc.property(layout, (before) => {
        assert.deepEqual(plain(decodeLayout(encodeLayout(before))), plain(before))
      }),
      { numRuns: 200 },
    )
  })

  it('cut short or lengthened is malformed, never something else', () => {
    fc.assert(
      fc.property(layout, fc.double({ min: 0, max: 0.9999, noNaN: true }), (before, part) => {
        const row = encodeLayout(before)
        assert.throws(() => decodeLayout(row.slice(0, Math.floor(row.length * part))), MalformedRow)
        assert.throws(() => decodeLayout(Uint8Array.of(...row, 0)), MalformedRow)
      }),
      { numRuns: 100 },
    )
  })

  it('with bytes changed is malformed or keeps every place inside its file', () => {
    fc.assert(
      fc.property(
        layout,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1 }),
        (before, changes) => {
          const row = encodeLayout(before).slice()
          for (const [at, value] of changes) row[at % row.length] = value
          let after: Layout
          try {
            after = decodeLayout(row)
          } catch (thrown) {
            assert.ok(thrown instanceof MalformedRow, String(thrown))
            return
          }
          const { entries, pieces } = after.manifest
          for (let at = 0; at < pieces.length; at++) {
            for (const { entry: index, offset } of pieces.places(at)) {
              const found = entries[index]
              assert.ok(found?.kind === 'file' && offset >= 0 && offset + pieces.size(at) <= found.size)
            }
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('takes about 40 bytes a piece', () => {
    const pieces = new PieceTable()
    const count = 20_000
    const size = 2 ** 20
    for (let at = 0; at < count; at++) {
      const hash = new Uint8Array(32).fill(at)
      pieces.push({ digest: hash, codec: RAW, size, blockSize: size, place: { entry: 0, offset: at * size } })
    }
    const root = CID.createV1(RAW, Digest.create(SHA2_256, new Uint8Array(32)))
    const entries: Entry[] = [{ kind: 'file', path: '', cid: root, size: count * size }]
    const manifest = { root, entries, pieces, size: count * size }
    const row = encodeLayout({ manifest, wrappings: new Wrappings(), inlines: [] })
    assert.equal(Math.floor(row.length / count), 39)
  })
})

describe('packed numbers', () => {
  it('come back, of either sign', () => {
    const unsigned = fc.nat({ max: Number.MAX_SAFE_INTEGER })
    const signed = fc.integer({ min: -(2 ** 51), max: 2 ** 51 })
    fc.assert(
      fc.property(fc.array(fc.tuple(unsigned, signed)), (numbers) => {
        const writer = new PackedWriter()
        for (const [one, other] of numbers) writer.varint(one).signed(other)
        const reader = new PackedReader(writer.finish())
        for (const [one, other] of numbers) assert.deepEqual([reader.varint(), reader.signed()], [one, other])
        reader.end()
      }),
    )
  })

  for (const [what, row] of [
    ['nothing', []],
    ['no end', [0x80, 0x80]],
    ['too many groups of zeros', [...new Array(20).fill(0x80), 0]],
    ['more than 2^53', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ] as [string, number[]][]) {
    it(`reject ${what}`, () => {
      assert.throws(() => new PackedReader(Uint8Array.from(row)).varint(), MalformedRow)
    })
  }
})
