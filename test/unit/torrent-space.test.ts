/** Which pieces of a torrent are fetched for which files, and where their bytes go. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TorrentFile, TorrentInfo } from '../../src/torrent/info.ts'
import { selectFiles } from '../../src/torrent/selection.ts'
import { parseInfoHash, torrentRoot } from '../../src/torrent/torrent-root.ts'
import { TorrentSpace } from '../../src/torrent/torrent-space.ts'
import { webSeedUrl } from '../../src/torrent/web-seed-url.ts'

const PIECE = 10

/** Files as `path size`, one behind the other; `pad 4` is a pad. */
function infoOf(...lines: string[]): TorrentInfo {
  const files: TorrentFile[] = []
  let length = 0
  for (const line of lines) {
    const [path = '', size = '0'] = line.split(' ')
    const file = {
      path,
      size: Number(size),
      start: length,
      root: undefined,
      symlink: undefined,
      executable: false,
    }
    if (path !== 'pad') files.push(file)
    length += Number(size)
  }
  const pieces = Math.ceil(length / PIECE)
  return {
    name: 'top',
    version: 'v1',
    pieceLength: PIECE,
    pieces,
    length,
    isPrivate: false,
    files,
    sha1s: new Uint8Array(20 * pieces),
    hashes: { v1: new Uint8Array(20), v2: undefined },
  }
}

/** Each piece: its number in the torrent, its bytes, and what they are. */
function pieces(info: TorrentInfo, only: readonly string[] = []): string[] {
  const space = new TorrentSpace(info, selectFiles(info, only))
  return Array.from({ length: space.length }, (_, piece) => {
    const runs = [...space.runs(piece)].map((run) => {
      if (run.kind === 'zeros') return `zeros ${run.length}`
      const where = run.kind === 'border' ? 'border' : (space.entries[run.entry]?.path ?? '')
      return `${where} ${run.offset}+${run.length}`
    })
    return `${space.toTorrent(piece)}: ${space.blockSize(piece)} = ${runs.join(', ')}`
  })
}

describe('the pieces of a torrent', () => {
  it('go across files', () => {
    assert.deepEqual(pieces(infoOf('a 3', 'empty 0', 'd/b 12', 'c 10')), [
      '0: 10 = a 0+3, d/b 0+7',
      '1: 10 = d/b 7+5, c 0+5',
      '2: 5 = c 5+5',
    ])
  })

  it('end where the last file in them does; pads between are zeros', () => {
    assert.deepEqual(pieces(infoOf('a 3', 'pad 7', 'b 12', 'pad 8')), [
      '0: 3 = a 0+3',
      '1: 10 = b 0+10',
      '2: 2 = b 10+2',
    ])
    assert.deepEqual(pieces(infoOf('a 3', 'pad 2', 'b 5')), ['0: 10 = a 0+3, zeros 2, b 0+5'])
  })

  it('of chosen files come with what else lies in them, which is kept apart', () => {
    const info = infoOf('a 23', 'd/b 4', 'c 30', 'e 1')
    assert.deepEqual(pieces(info, ['b']), ['2: 10 = border 0+3, d/b 0+4, border 3+3'])
    assert.deepEqual(pieces(info, ['a', 'e']), [
      '0: 10 = a 0+10',
      '1: 10 = a 10+10',
      '2: 10 = a 20+3, border 0+4, border 4+3',
      '5: 8 = border 7+7, e 0+1',
    ])
    const space = new TorrentSpace(info, selectFiles(info, ['b']))
    assert.deepEqual([space.bytes, space.borderBytes, space.wantedBytes(0)], [4, 6, 4])
    assert.deepEqual(
      space.entries.map(({ path }) => path),
      ['', 'd', 'd/b'],
    )
  })

  it('are read from any byte on', () => {
    const space = new TorrentSpace(infoOf('a 3', 'b 17'), [true, true])
    assert.deepEqual(
      [...space.fileRuns(0, 2, 4)],
      [
        { kind: 'file', file: 0, offset: 2, length: 1 },
        { kind: 'file', file: 1, offset: 0, length: 3 },
      ],
    )
    assert.deepEqual(space.piecesOf(1), [0, 1])
  })
})

describe('files of a torrent', () => {
  const info = infoOf('a.iso 1', 'docs/a.txt 1', 'docs/more/b.txt 1', 'other/docs 1')
  const chosen = (...only: string[]): string[] =>
    info.files.filter((_, at) => selectFiles(info, only)[at]).map(({ path }) => path)

  it('are chosen by names anywhere, by paths, and by directories', () => {
    assert.deepEqual(chosen('*.iso'), ['a.iso'])
    assert.deepEqual(chosen('*.txt'), ['docs/a.txt', 'docs/more/b.txt'])
    assert.deepEqual(chosen('docs/*.txt'), ['docs/a.txt'])
    assert.deepEqual(chosen('docs/**'), ['docs/a.txt', 'docs/more/b.txt'])
    assert.deepEqual(chosen('docs'), ['docs/a.txt', 'docs/more/b.txt', 'other/docs'])
    assert.deepEqual(chosen('/docs/'), ['docs/a.txt', 'docs/more/b.txt'])
    assert.deepEqual(chosen('more', 'a.iso'), ['a.iso', 'docs/more/b.txt'])
    assert.throws(() => chosen('*.mp4'), { code: 'USAGE', message: /no file in top matches \*\.mp4/ })
  })
})

describe('names of torrents', () => {
  it('are info hashes in every form', () => {
    const v1 = 'aabbccddeeff00112233445566778899aabbccdd'
    const v2 = `${'0123456789abcdef'.repeat(4)}`
    const hex = (hash: Uint8Array | undefined): string => Buffer.from(hash ?? []).toString('hex')
    assert.equal(hex(parseInfoHash(v1.toUpperCase())?.v1), v1)
    assert.equal(hex(parseInfoHash('VK54ZXPO74ABCIRTIRKWM54ITGVLXTG5')?.v1), v1)
    assert.equal(hex(parseInfoHash(v2)?.v2), v2)
    assert.equal(hex(parseInfoHash(`1220${v2}`)?.v2), v2)
    for (const hash of [v1, v2]) {
      const hashes = parseInfoHash(hash)
      assert.ok(hashes !== undefined)
      const root = torrentRoot(hashes)
      assert.equal(torrentRoot(parseInfoHash(root) ?? { v1: undefined, v2: undefined }), root)
    }
    for (const other of [
      '',
      v1.slice(1),
      `${v2}0`,
      'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    ])
      assert.equal(parseInfoHash(other), undefined)
  })
})

describe('web seeds', () => {
  it('have files below the name of the torrent, and a file alone by its own URL', () => {
    const tree = infoOf('a b/ü?.txt 1', 'c 1')
    assert.equal(webSeedUrl('http://x/y', tree, 1), 'http://x/y/top/c')
    const encoded = {
      ...tree,
      files: [
        { path: 'a b/ü?.txt', size: 1, start: 0, root: undefined, symlink: undefined, executable: false },
      ],
    }
    assert.equal(webSeedUrl('http://x/y/', encoded, 0), 'http://x/y/top/a%20b/%C3%BC%3F.txt')
    const alone = {
      ...tree,
      files: [
        {
          ...encoded.files[0],
          path: '',
          size: 1,
          start: 0,
          root: undefined,
          symlink: undefined,
          executable: false,
        },
      ],
    }
    assert.equal(webSeedUrl('http://x/y.bin', alone, 0), 'http://x/y.bin')
    assert.equal(webSeedUrl('http://x/', alone, 0), 'http://x/top')
  })
})
