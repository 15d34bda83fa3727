import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { nameProblem } from '../../src/content/safe-names.ts'
import { type Bencodable, encodeBencode } from '../../src/core/bencode.ts'
import { ShareError } from '../../src/core/errors.ts'
import { type Listed, layOut } from '../../src/torrent/layout.ts'
import { formatMagnet, parseMagnet } from '../../src/torrent/magnet.ts'
import {
  BLOCK_BYTES,
  countOf,
  hashAt,
  layersAbove,
  proofOf,
  rootByProof,
  subtreeRoot,
} from '../../src/torrent/merkle.ts'
import { readMetainfo, writeMetainfo } from '../../src/torrent/metainfo.ts'
import { readInfo } from '../../src/torrent/read-info.ts'
import { writeInfo } from '../../src/torrent/write-info.ts'
import fc from './seeded.ts'

/** What libtorrent made. */
const FIXTURES = new URL('../../fixtures/torrent/', import.meta.url)

const name = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
    fc.constantFrom('a', 'b', 'a-', 'a.b', '.pad', '10', '9'),
  )
  .filter((text) => nameProblem(text) === undefined)
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
const size = fc.oneof(fc.constantFrom(0, 1, BLOCK_BYTES, 4 * BLOCK_BYTES), fc.nat({ max: 20 * BLOCK_BYTES }))

/** Files no one of which lies below another. */
const listed: fc.Arbitrary<Listed[]> = fc
  .array(fc.record({ path, size, symlink: fc.option(path, { nil: undefined, freq: 5 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((files) => {
    const kept: Listed[] = []
    for (const file of files) {
      const clashes = kept.some(
        (each) => `${each.path}/`.startsWith(`${file.path}/`) || `${file.path}/`.startsWith(`${each.path}/`),
      )
      if (!clashes) kept.push(file.symlink === undefined ? file : { ...file, size: 0 })
    }
    return kept
  })
  .filter((files) => files.some((file) => file.size > 0))

const hashes = (count: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: 32 * count }, (_, at) => (at * 31 + seed + (at >> 5)) & 0xff)

const version = fc.constantFrom('v1' as const, 'v2' as const, 'hybrid' as const)

describe('a torrent', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(
        listed,
        name,
        version,
        fc.constantFrom(BLOCK_BYTES, 4 * BLOCK_BYTES),
        fc.nat(),
        (files, called, kind, pieceLength, seed) => {
          const layout = layOut(files, pieceLength, kind !== 'v1')
          const digests = { sha1s: new Uint8Array(20 * layout.pieces), hashes: hashes(layout.pieces, seed) }
          const written = writeInfo({ name: called, version: kind, layout, digests })
          const { info } = readMetainfo(writeMetainfo(written))
          const bare = kind === 'v2' && files.length === 1 && files[0]?.path === called
          assert.deepEqual(
            info.files.map(({ path, size, start, symlink }) => ({ path, size, start, symlink })),
            layout.files.map((file) => (bare ? { ...file, path: '' } : file)),
          )
          assert.deepEqual([info.name, info.version, info.pieces], [called, kind, layout.pieces])
          if (kind !== 'v2') assert.equal(info.length, layout.length)
        },
      ),
    )
  })

  it('is refused with one error, or read, whatever it says', () => {
    const scalar: fc.Arbitrary<Bencodable> = fc.oneof(
      fc.integer(),
      fc.maxSafeInteger(),
      fc.constantFrom('', 'n', 'a', '..', 'p', 'l', 'x'),
      fc.constantFrom(new Uint8Array(20), new Uint8Array(32), Uint8Array.of(0xff)),
    )
    const KEYS = [
      'name',
      'piece length',
      'pieces',
      'length',
      'files',
      'file tree',
      'meta version',
      'private',
      'path',
      'attr',
      'symlink path',
      'pieces root',
      '',
      'a',
      'b',
    ]
    const { value } = fc.letrec<{ value: Bencodable }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 6, withCrossShrink: true },
        scalar,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom(...KEYS), tie('value'), { maxKeys: 6, noNullPrototype: true }),
      ),
    }))
    const likely = fc.record(
      {
        name: fc.oneof(fc.constant('n'), value),
        'piece length': fc.oneof(fc.constantFrom(16_384, 1 << 20), value),
        pieces: fc.oneof(fc.constantFrom(new Uint8Array(20), new Uint8Array(40)), value),
        length: fc.oneof(fc.constantFrom(1, 20_000), value),
        files: value,
        'file tree': value,
        'meta version': fc.oneof(fc.constant(2), value),
      },
      { requiredKeys: ['name', 'piece length'] },
    )
    fc.assert(
      fc.property(
        fc.oneof(likely, value),
        fc.dictionary(fc.constantFrom('announce', 'announce-list', 'url-list', 'piece layers'), value),
        (info, beside) => {
          refusedOrRead(() => readInfo(encodeBencode(info)))
          refusedOrRead(() => readMetainfo(encodeBencode({ ...beside, info })))
        },
      ),
      { numRuns: 1000 },
    )
  })

  it('of libtorrent is refused with one error, or read, wherever it is cut, changed or spliced', () => {
    const seeds = readdirSync(FIXTURES).map((file) => readFileSync(new URL(file, FIXTURES)))
    const edit = fc.record({
      at: fc.nat({ max: 1500 }),
      what: fc.constantFrom('byte', 'cut', 'drop', 'insert'),
      byte: fc.nat({ max: 255 }),
      length: fc.nat({ max: 20 }),
    })
    const piece = fc.constantFrom(
      'e',
      'd',
      'l',
      'i-1e',
      '0:',
      '1:a',
      '2:..',
      'i9007199254740991e',
      '4:pathl2:..e',
      '4:attr1:l',
      '4:attr1:p',
      '6:lengthi0e',
    )
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(edit, piece), { minLength: 1, maxLength: 4 }),
        (seed, edits) => {
          let bytes = Buffer.from(seed)
          for (const [{ at, what, byte, length }, text] of edits) {
            const place = at % (bytes.length + 1)
            const behind = bytes.subarray(place + (what === 'drop' ? length : 0))
            if (what === 'byte') bytes[place] = byte
            else if (what === 'cut') bytes = bytes.subarray(0, place)
            else
              bytes = Buffer.concat([
                bytes.subarray(0, place),
                Buffer.from(what === 'insert' ? text : ''),
                behind,
              ])
          }
          refusedOrRead(() => readMetainfo(bytes))
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('is refused with one error where it is cut or changed anywhere', () => {
    const layout = layOut(
      [
        { path: 'a', size: 70_000, symlink: undefined },
        { path: 'b/c', size: 5, symlink: undefined },
      ],
      BLOCK_BYTES,
      true,
    )
    const digests = { sha1s: new Uint8Array(20 * layout.pieces), hashes: hashes(layout.pieces, 1) }
    const good = writeMetainfo(writeInfo({ name: 'n', version: 'hybrid', layout, digests }))
    fc.assert(
      fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), fc.boolean(), (at, byte, cut) => {
        const bad = Buffer.from(cut ? good.subarray(0, at) : good)
        if (!cut) bad[at] = byte
        refusedOrRead(() => readMetainfo(bad))
      }),
      { numRuns: 1000 },
    )
  })
})

function refusedOrRead(read: () => unknown): void {
  try {
    read()
  } catch (thrown) {
    assert.ok(thrown instanceof ShareError && thrown.code === 'BAD_CONTENT', String(thrown))
  }
}

describe('a hash tree', () => {
  it('proves each of its nodes, and no other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.nat(),
        fc.nat({ max: 3 }),
        fc.nat(),
        (count, seed, layer, pick) => {
          const nodes = hashes(count, seed)
          const root = subtreeRoot(nodes, layer)
          const at = pick % count
          const proof = proofOf(nodes, layer, at, layersAbove(count))
          assert.equal(Buffer.compare(rootByProof(hashAt(nodes, at), at, proof), root), 0)
          const wrong = Uint8Array.from(hashAt(nodes, at), (byte) => byte ^ 1)
          assert.notEqual(Buffer.compare(rootByProof(wrong, at, proof), root), 0)
          assert.equal(countOf(proof), layersAbove(count))
        },
      ),
    )
  })
})

describe('a magnet link', () => {
  const hash = (length: number) =>
    fc.option(fc.uint8Array({ minLength: length, maxLength: length }), { nil: undefined })
  const magnet = fc.record({
    content: fc.option(fc.constantFrom('bafy/a', 'Qm'), { nil: undefined }),
    v1: hash(20),
    v2: hash(32),
    name: fc.option(
      fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
      { nil: undefined },
    ),
    peers: fc.uniqueArray(fc.constantFrom('192.0.2.1:1', '[::1]:65535', 'a.example:80')),
    multiaddrs: fc.array(fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed())),
    trackers: fc.uniqueArray(fc.constantFrom('udp://a.example:1', 'https://b.example/c?d=e&f#g')),
    webSeeds: fc.uniqueArray(fc.constantFrom('http://a.example/b c', 'https://c.example/?d')),
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(magnet, (written) => {
        const { v1, v2, ...rest } = parseMagnet(formatMagnet(written))
        const plain = (bytes: Uint8Array | undefined) => bytes && [...bytes]
        assert.deepEqual(
          { ...rest, v1: plain(v1), v2: plain(v2) },
          { ...written, v1: plain(written.v1), v2: plain(written.v2) },
        )
      }),
    )
  })

  it('is refused with one error, or read, whatever it says', () => {
    const part = fc.constantFrom(
      'xt=',
      'xt.1=',
      'urn:btih:',
      'urn:btmh:1220',
      'urn:ipfs:',
      'a'.repeat(32),
      '0'.repeat(40),
      'x.pe=',
      'tr=',
      'ws=',
      '&',
      '%',
      '%ff',
      '=',
      ':',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 12 }), (parts) => {
        try {
          parseMagnet(`magnet:?${parts.join('')}`)
        } catch (thrown) {
          assert.ok(thrown instanceof ShareError && thrown.code === 'BAD_LINK')
        }
      }),
    )
  })
})
