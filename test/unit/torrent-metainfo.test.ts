/** Torrents: the same as libtorrent's, read back, and what is refused of a stranger's. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { type Bencodable, encodeBencode } from '../../src/core/bencode.ts'
import { guardBencode } from '../../src/core/bencode-guard.ts'
import { ShareError } from '../../src/core/errors.ts'
import { digestPieces } from '../../src/torrent/digesting.ts'
import type { TorrentVersion } from '../../src/torrent/info.ts'
import { layOut } from '../../src/torrent/layout.ts'
import { readMetainfo, writeMetainfo } from '../../src/torrent/metainfo.ts'
import { readInfo } from '../../src/torrent/read-info.ts'
import { writeInfo } from '../../src/torrent/write-info.ts'
import { listedOf, type TorrentTree, TREES, VERSIONS } from './torrent-trees.ts'

const fixture = (name: string): Promise<Buffer> =>
  readFile(new URL(`../../fixtures/torrent/${name}.torrent`, import.meta.url))

async function madeOf(name: string, tree: TorrentTree, pieceLength: number, version: TorrentVersion) {
  const trees = version !== 'v1'
  const layout = layOut(listedOf(tree), pieceLength, trees)
  const none = new Uint8Array(0)
  const digests = await digestPieces({
    layout,
    trees,
    known: { sha1s: none, hashes: none },
    async *read({ path }, offset) {
      const content = tree[path]
      if (content instanceof Uint8Array) yield content.subarray(offset)
    },
    keep: async () => {},
  })
  return writeInfo({ name, version, layout, digests })
}

describe('a torrent that we make', () => {
  for (const [name, { tree, pieceLength }] of Object.entries(TREES)) {
    for (const version of VERSIONS) {
      it(`of ${name}, ${version}, is libtorrent's`, async () => {
        const made = writeMetainfo(await madeOf(name, tree, pieceLength, version))
        assert.deepEqual(Buffer.from(made), await fixture(`${name}.${version}`))
      })
    }
  }

  it('carries trackers and web seeds outside of what is hashed', async () => {
    const info = await madeOf('a', { '': Buffer.from('a') }, 16_384, 'hybrid')
    const trackers = [['http://a.example/announce', 'udp://b.example:1'], ['https://c.example/x']]
    const webSeeds = ['http://d.example/']
    const read = readMetainfo(writeMetainfo(info, { trackers, webSeeds }))
    assert.deepEqual([read.trackers, read.webSeeds], [trackers, webSeeds])
    assert.deepEqual(read.info.hashes, readMetainfo(writeMetainfo(info)).info.hashes)
  })
})

describe('a torrent that we read', () => {
  for (const [name, { tree, pieceLength }] of Object.entries(TREES)) {
    for (const version of VERSIONS) {
      it(`of ${name}, ${version}, has the tree's files and pieces`, async () => {
        const file = await fixture(`${name}.${version}`)
        const { info, layers, infoBytes } = readMetainfo(file)
        const layout = layOut(listedOf(tree), pieceLength, version !== 'v1')
        // a torrent of v2 alone leaves open whether one file of its own name lies in a directory
        const bare = version === 'v2' && name === 'same-name'
        assert.deepEqual(
          info.files.map(({ path, size, start, symlink }) => ({ path, size, start, symlink })),
          layout.files.map(({ path, size, start, symlink }) => ({
            path: bare ? '' : path,
            size,
            start,
            symlink,
          })),
        )
        assert.deepEqual(
          [info.name, info.version, info.pieceLength, info.pieces, info.isPrivate],
          [name, version, pieceLength, layout.pieces, false],
        )
        const raw = guardBencode(file, { maxBytes: file.length }).raw('info')
        assert.deepEqual(Buffer.from(infoBytes), Buffer.from(raw ?? ''))
        const digest = (algorithm: string) => createHash(algorithm).update(infoBytes).digest()
        assert.deepEqual(info.hashes.v1, version === 'v2' ? undefined : digest('sha1'))
        assert.deepEqual(info.hashes.v2, version === 'v1' ? undefined : digest('sha256'))
        assert.equal(info.sha1s?.length, version === 'v2' ? undefined : info.pieces * 20)
        for (const { root, size } of info.files)
          assert.equal(
            layers.has(Buffer.from(root ?? '').toString('hex')),
            root !== undefined && size > pieceLength,
          )
      })
    }
  }

  it('is named by the bytes as they came, also where keys are out of order', () => {
    const bytes = Buffer.from(`d12:piece lengthi16384e6:lengthi1e4:name1:a6:pieces20:${'x'.repeat(20)}e`)
    assert.equal(
      Buffer.from(readInfo(bytes).hashes.v1 ?? '').toString('hex'),
      createHash('sha1').update(bytes).digest('hex'),
    )
  })

  it('may have names in an old encoding, with UTF-8 beside them', () => {
    const info = {
      name: Uint8Array.of(0xff),
      'name.utf-8': 'ä',
      'piece length': 16_384,
      pieces: new Uint8Array(20),
      files: [{ length: 1, path: [Uint8Array.of(0xfe)], 'path.utf-8': ['ö'] }],
    }
    const { name, files } = readInfo(encodeBencode(info))
    assert.deepEqual([name, files[0]?.path], ['ä', 'ö'])
  })

  it('may be private, and have pads anywhere', () => {
    const info = {
      name: 'n',
      private: 1,
      'piece length': 16_384,
      pieces: new Uint8Array(20),
      files: [
        { length: 5, path: ['a'] },
        { attr: 'p', length: 7, path: ['.pad', '7'] },
        { attr: 'p', length: 7, path: ['.pad', '7'] },
        { attr: 'x', length: 3, path: ['b'] },
      ],
    }
    const { isPrivate, files, length } = readInfo(encodeBencode(info))
    assert.equal(isPrivate, true)
    assert.equal(length, 22)
    assert.deepEqual(
      files.map(({ path, start, executable }) => [path, start, executable]),
      [
        ['a', 0, false],
        ['b', 19, true],
      ],
    )
  })
})

/** The simplest of each version; the cases below change one thing of it. */
const V1 = { name: 'n', 'piece length': 16_384, pieces: new Uint8Array(20), length: 5 }
const ROOT = new Uint8Array(32).fill(1)
const V2 = {
  name: 'n',
  'piece length': 16_384,
  'meta version': 2,
  'file tree': { n: { '': { length: 5, 'pieces root': ROOT } } },
}
const MANY = { ...V1, length: undefined }
const files = (...list: Bencodable[]): Bencodable => ({ ...MANY, files: list })
const tree = (branch: Bencodable): Bencodable => ({ ...V2, 'file tree': branch })
const leaf = (facts: Bencodable = { length: 5, 'pieces root': ROOT }): Bencodable => ({ '': facts })

const REFUSED: readonly [string, Bencodable, RegExp][] = [
  ['no dictionary', [], /no dictionary/],
  ['no content', { name: 'n', 'piece length': 16_384 }, /neither piece hashes nor a file tree/],
  ['version 3', { ...V1, 'meta version': 3 }, /version 3/],
  ['no name', { ...V1, name: undefined }, /no name/],
  ['a name that leaves', { ...V1, name: '..' }, /leave its directory/],
  ['a name with a slash', { ...V1, name: 'a/b' }, /leave its directory/],
  ['a name that is no UTF-8', { ...V1, name: Uint8Array.of(0xff) }, /not valid Unicode/],
  ['an empty name', { ...V1, name: '' }, /is empty/],
  ['no piece length', { ...V1, 'piece length': undefined }, /no piece length/],
  ['pieces of nothing', { ...V1, 'piece length': 0 }, /0 bytes/],
  ['pieces of less than nothing', { ...V1, 'piece length': -16_384 }, /-16384 bytes/],
  ['pieces of a GiB', { ...V1, 'piece length': 2 ** 30 }, /possible are/],
  ['v2 pieces below a block', { ...V2, 'piece length': 8192 }, /possible are/],
  ['v2 pieces of no power of two', { ...V2, 'piece length': 16_384 * 3 }, /power of two/],
  ['no length', { ...V1, length: undefined }, /no length/],
  ['a negative length', { ...V1, length: -1 }, /no length/],
  ['a length that is text', { ...V1, length: '5' }, /no length/],
  ['a length beyond all', { ...V1, length: 2 ** 52 }, /pieces|declares more/],
  ['nothing in it', { ...V1, length: 0, pieces: '' }, /no bytes/],
  ['a hash too few', { ...V1, length: 16_385 }, /2 pieces, and 20 bytes/],
  ['a hash too many', { ...V1, pieces: new Uint8Array(40) }, /1 pieces, and 40 bytes/],
  ['a part of a hash', { ...V1, pieces: new Uint8Array(21) }, /21 bytes/],
  [
    'sizes that overflow',
    files({ length: 2 ** 53 - 1, path: ['a'] }, { length: 2 ** 53 - 1, path: ['b'] }),
    /declares more/,
  ],
  ['no files', files(), /no bytes/],
  ['a file that is a number', files(5), /no dictionary/],
  ['a file without a path', files({ length: 5 }), /no name/],
  ['a path of nothing', files({ length: 5, path: [] }), /no name/],
  ['a path of numbers', files({ length: 5, path: [5] }), /no text/],
  ['a path that climbs', files({ length: 5, path: ['a', '..', '..', 'b'] }), /leave its directory/],
  ['an absolute path', files({ length: 5, path: ['', 'etc'] }), /is empty/],
  ['a slash in a path', files({ length: 5, path: ['/etc/passwd'] }), /leave its directory/],
  ['a path with a NUL', files({ length: 5, path: ['a\0b'] }), /control characters/],
  ['a path twice', files({ length: 2, path: ['a'] }, { length: 3, path: ['a'] }), /twice/],
  ['a file below a file', files({ length: 2, path: ['a'] }, { length: 3, path: ['a', 'b'] }), /twice/],
  ['a file above a file', files({ length: 2, path: ['a', 'b'] }, { length: 3, path: ['a'] }), /twice/],
  [
    'a path too long',
    files({ length: 5, path: Array.from({ length: 30 }, () => 'x'.repeat(200)) }),
    /too long/,
  ],
  [
    'a symlink that leaves',
    files({ length: 5, path: ['a'] }, { attr: 'l', length: 0, path: ['b'], 'symlink path': ['..', 'c'] }),
    /leave its directory/,
  ],
  [
    'a symlink to nowhere',
    files({ length: 5, path: ['a'] }, { attr: 'l', length: 0, path: ['b'] }),
    /no name/,
  ],
  [
    'a file below a symlink',
    files({ length: 5, path: ['b', 'c'] }, { attr: 'l', length: 0, path: ['b'], 'symlink path': ['d'] }),
    /twice/,
  ],
  ['an empty tree', tree({}), /no bytes/],
  ['a tree of a number', tree({ n: 5 }), /no dictionary/],
  ['no root', tree({ n: leaf({ length: 5 }) }), /no root/],
  ['a root of zeros', tree({ n: leaf({ length: 5, 'pieces root': new Uint8Array(32) }) }), /no root/],
  ['a pad in the tree', tree({ n: leaf({ attr: 'p', length: 5, 'pieces root': ROOT }) }), /is a pad/],
  ['a short root', tree({ n: leaf({ length: 5, 'pieces root': new Uint8Array(20) }) }), /no root/],
  [
    'a file and a directory in one',
    tree({ n: { '': { length: 5, 'pieces root': ROOT }, b: leaf() } }),
    /both a file and a directory/,
  ],
  ['a tree that climbs', tree({ '..': leaf() }), /leave its directory/],
  ['a name that is hex when decoded', tree(new Map([[Uint8Array.of(0xff), leaf()]])), /not UTF-8/],
  ['too many pieces', tree({ n: leaf({ length: 2 ** 40, 'pieces root': ROOT }) }), /more than 2097152/],
  ['a hybrid of two sizes', { ...V2, ...V1, length: 6 }, /different files/],
  ['a hybrid of two names', { ...V2, ...MANY, files: [{ length: 5, path: ['other'] }] }, /different files/],
  [
    'a hybrid without pads',
    {
      ...V1,
      ...(tree({ a: leaf(), b: leaf() }) as object),
      length: undefined,
      files: [
        { length: 5, path: ['a'] },
        { length: 5, path: ['b'] },
      ],
    },
    /does not begin where a piece does/,
  ],
]

describe('a torrent that is refused', () => {
  for (const [name, info, message] of REFUSED) {
    it(`has ${name}`, () => {
      const refused = { name: 'ShareError', code: 'BAD_CONTENT', message }
      assert.throws(() => readInfo(encodeBencode(info)), refused)
      assert.throws(() => readMetainfo(encodeBencode({ info })), refused)
    })
  }

  it('is what the base of these cases is not', () => {
    assert.equal(readInfo(encodeBencode(V1)).version, 'v1')
    assert.equal(readInfo(encodeBencode(V2)).version, 'v2')
    assert.equal(readInfo(encodeBencode({ ...V2, ...V1 })).version, 'hybrid')
  })

  it('is no bencode, or far too long', () => {
    for (const bytes of [
      Buffer.from('l-3:ae'),
      Buffer.from(''),
      Buffer.from('d4:infod'),
      Buffer.alloc(200 << 20),
    ])
      assert.throws(() => readMetainfo(bytes), ShareError)
    assert.throws(() => readInfo(Buffer.alloc((32 << 20) + 1)), /malformed: more than/)
    assert.throws(() => readInfo(Buffer.from(`d1:x${'l'.repeat(70)}`)), /malformed/)
  })

  it('has more values than any list of files needs', () => {
    const bytes = Buffer.concat([Buffer.from('d1:xl'), Buffer.alloc(5_100_000, 'le'), Buffer.from('ee')])
    assert.throws(() => readInfo(bytes), /more than 2500000 values/)
  })

  it('has a piece layer that does not lead to its root', async () => {
    const file = Buffer.from(await fixture('several-pieces.hybrid'))
    const at = file.indexOf('piece layers')
    // in the middle of the first layer
    file.writeUInt8(file.readUInt8(at + 60) ^ 1, at + 60)
    assert.throws(() => readMetainfo(file), /piece layer of [0-9a-f]+ is wrong/)
  })
})
