/** Whatever the files and the choice: every wanted byte has one place, and nothing lies in two. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.ts'
import { foreignSpace } from '../../src/torrent/foreign-space.ts'
import type { TorrentInfo } from '../../src/torrent/info.ts'
import { TorrentSpace } from '../../src/torrent/torrent-space.ts'
import fc from './seeded.ts'

const torrents = fc
  .record({
    pieceLength: fc.integer({ min: 1, max: 40 }),
    files: fc.array(
      fc.record({
        size: fc.integer({ min: 0, max: 100 }),
        pad: fc.integer({ min: 0, max: 12 }),
        wanted: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    ),
  })
  .map(({ pieceLength, files }) => {
    let length = 0
    const listed = files.map(({ size, pad }, at) => {
      const file = {
        path: `f${at}`,
        size,
        start: length,
        root: undefined,
        symlink: undefined,
        executable: false,
      }
      length += size + pad
      return file
    })
    const info: TorrentInfo = {
      name: 'top',
      version: 'v1',
      pieceLength,
      pieces: Math.ceil(length / pieceLength),
      length,
      isPrivate: false,
      files: listed,
      sha1s: undefined,
      hashes: { v1: undefined, v2: undefined },
    }
    return { info, wanted: files.map((file) => file.wanted) }
  })

describe('the space of a torrent', () => {
  it('holds every byte of the wanted files once, and every other one at most once', () => {
    fc.assert(
      fc.property(torrents, ({ info, wanted }) => {
        const space = new TorrentSpace(info, wanted)
        const seen = new Set<string>()
        const borders = new Set<number>()
        let bytes = 0
        for (let piece = 0; piece < space.length; piece++) {
          let length = 0
          for (const run of space.runs(piece)) {
            length += run.length
            if (run.kind === 'zeros') continue
            for (let at = run.offset; at < run.offset + run.length; at++) {
              const key = run.kind === 'border' ? `border ${at}` : `${run.entry} ${at}`
              assert.ok(!seen.has(key), `${key} has two places`)
              seen.add(key)
              if (run.kind === 'border') borders.add(at)
              else bytes++
            }
          }
          assert.equal(length, space.blockSize(piece))
          assert.ok(space.wantedBytes(piece) > 0)
        }
        assert.equal(bytes, space.bytes)
        assert.equal(
          bytes,
          info.files.reduce((sum, { size }, at) => sum + (wanted[at] ? size : 0), 0),
        )
        assert.equal(borders.size, space.borderBytes)
        assert.ok([...borders].every((at) => at < space.borderBytes))
      }),
    )
  })

  it('gives the same bytes in parts as in whole, by files too', () => {
    fc.assert(
      fc.property(torrents, fc.nat(), fc.nat(), ({ info, wanted }, first, second) => {
        const space = new TorrentSpace(info, wanted)
        for (let piece = 0; piece < space.length; piece++) {
          const size = space.blockSize(piece)
          const [begin = 0, end = 0] = [first % (size + 1), second % (size + 1)].sort((a, b) => a - b)
          const parts = [...space.runs(piece, begin, end - begin)]
          const files = [...space.fileRuns(piece, begin, end - begin)]
          assert.equal(sum(parts), end - begin)
          assert.deepEqual(
            parts.map(({ length }) => length),
            files.map(({ length }) => length),
          )
        }
      }),
    )
  })

  it('is a space of the wire in which what is not fetched is never here', () => {
    fc.assert(
      fc.property(torrents, ({ info, wanted }) => {
        const space = new TorrentSpace(info, wanted)
        const wire = foreignSpace(space)
        const all = Bitfield.full(info.pieces)
        const have = Bitfield.full(space.length)
        for (let index = 0; index < info.pieces; index++) {
          const here = [...wire.piecesOf(index)].every((piece) => have.has(piece))
          assert.equal(here, space.toSwarm(index) !== undefined)
          const length = Math.min(info.pieceLength, info.length - index * info.pieceLength)
          if (here) assert.equal(sum([...wire.inSwarm(index, 0, length)]), length)
        }
        for (let piece = 0; piece < space.length; piece++) {
          const [part] = wire.onWire(piece, 0, space.blockSize(piece), all) ?? []
          assert.ok(part?.kind === 'wire' && part.index === space.toTorrent(piece))
        }
      }),
    )
  })
})

const sum = (parts: readonly { readonly length: number }[]): number =>
  parts.reduce((total, { length }) => total + length, 0)
