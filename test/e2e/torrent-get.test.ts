/** Torrents that this project did not make, fetched from web seeds: every kind, chosen files, crashes, data that is there. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import type { ShareInfo } from '../../src/node/types.ts'
import { Homes, until } from './homes.ts'
import { makeTorrent } from './torrents.ts'
import { MIB, noise } from './trees.ts'
import { serveFiles } from './web-server.ts'

/** A tree whose files do not end where pieces do, one of them empty, and one with a name that URLs have to encode. */
const FILES: ReadonlyMap<string, Uint8Array> = new Map<string, Uint8Array>([
  ['a.bin', noise(100_000, 1)],
  ['docs/b &?#.txt', noise(50_000, 2)],
  ['docs/empty', new Uint8Array(0)],
  ['docs/sub/c.bin', noise(70_001, 3)],
  ['z.bin', noise(300_000, 4)],
])

const below = (name: string, files = FILES): ReadonlyMap<string, Uint8Array> =>
  new Map([...files].map(([path, bytes]) => [path === '' ? name : `${name}/${path}`, bytes]))

/** What lies below a directory, with its bytes. */
async function treeAt(top: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>()
  for (const entry of await readdir(top, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found.set(path.slice(top.length + 1), await readFile(path))
  }
  return found
}

function assertTree(found: ReadonlyMap<string, Uint8Array>, expected: ReadonlyMap<string, Uint8Array>): void {
  assert.deepEqual([...found.keys()].sort(), [...expected.keys()].sort())
  for (const [path, bytes] of expected)
    assert.equal(Buffer.compare(found.get(path) ?? Buffer.from('nothing'), bytes), 0, path)
}

// most of the time is waiting
describe('torrents without a CID', { concurrency: 3 }, () => {
  for (const version of ['v1', 'v2', 'hybrid'] as const)
    test(`a ${version} torrent of several files comes from a web seed, and has the CID of its files`, async (t) => {
      const homes = await Homes.open(t)
      const a = await homes.add('a')
      const server = await serveFiles(t, below('tree'))
      const { bytes, info } = makeTorrent('tree', FILES, { version, webSeeds: [server.url] })
      await writeFile(homes.path('tree.torrent'), bytes)
      await mkdir(homes.path('out'))
      const share = await a.json<ShareInfo>('get', 'tree.torrent', '-o', 'out')
      assertTree(await treeAt(homes.path('out', 'tree')), FILES)
      assert.equal(share.path, homes.path('out', 'tree'))
      assert.equal(share.state, 'seeding')
      const v1 = info.hashes.v1 && Buffer.from(info.hashes.v1).toString('hex')
      assert.equal(share.infoHashes.v1, v1)
      const b = await homes.add('b')
      assert.equal(await b.share('add', homes.path('out', 'tree')), share.cid)
      // by its CID it goes on to others
      const c = await homes.add('c')
      await mkdir(homes.path('other'))
      await c.share('get', share.cid, '-o', 'other/tree', '--peer', await a.address())
      assertTree(await treeAt(homes.path('other', 'tree')), FILES)
    })

  test('a torrent of one file, by the URL of its torrent, with redirects on the way', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const content = noise(1_000_003, 5)
    const files = new Map<string, Uint8Array>([['there/one.bin', content]])
    const server = await serveFiles(t, files, (reply, { path }) => {
      if (!path.startsWith('here/')) return false
      reply.writeHead(302, { location: `/${path.replace('here', 'there')}` }).end()
      return true
    })
    const webSeeds = [`${server.url}here/one.bin`]
    const { bytes } = makeTorrent('one.bin', new Map([['', content]]), { pieceLength: 1 << 18, webSeeds })
    files.set('one.torrent', bytes)
    assert.equal(await a.share('get', `${server.url}one.torrent`), homes.path('one.bin'))
    assert.equal(Buffer.compare(await readFile(homes.path('one.bin')), content), 0)
  })

  test('chosen files come alone, and go on after a kill; later the others come', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    let stalls = true
    const server = await serveFiles(t, below('tree'), (_, { path }) => stalls && path.endsWith('c.bin'))
    const { bytes } = makeTorrent('tree', FILES, { webSeeds: [server.url] })
    await writeFile(homes.path('tree.torrent'), bytes)
    await mkdir(homes.path('out'))
    const get = a.start('get', 'tree.torrent', '-o', 'out', '--only', 'docs/*.txt', '--only', 'c.bin')
    const begun = await until('some of it is here', async () => {
      const [share] = await a.shares()
      return share !== undefined && share.have > 0 && share
    })
    assert.equal(begun.size, 50_000 + 70_001)
    await a.crash()
    assert.notEqual((await get.ended).code, 0)
    stalls = false
    const before = server.asked.length
    const share = await a.json<ShareInfo>(
      'get',
      'tree.torrent',
      '-o',
      'out',
      '--only',
      'c.bin',
      '--only',
      'docs/*.txt',
    )
    assertTree(
      await treeAt(homes.path('out', 'tree')),
      new Map([...FILES].filter(([path]) => /txt|c\.bin/.test(path))),
    )
    assert.deepEqual([...share.only].sort(), ['c.bin', 'docs/*.txt'])
    assert.ok(server.asked.length > before)
    assert.deepEqual(await readdir(join(a.path, 'borders')), [])
    await a.fails(
      ['get', 'tree.torrent', '-o', 'out', '--only', '*.mp4'],
      2,
      'USAGE',
      /no file in tree matches/,
    )
    // what is there is not fetched again
    await a.share('rm', share.cid)
    await a.share('get', 'tree.torrent', '-o', 'out')
    assertTree(await treeAt(homes.path('out', 'tree')), FILES)
  })

  test('long files have the CID of their files, also after a kill on the way', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const files = new Map([
      ['a.bin', noise(21_000_003, 6)],
      ['b.txt', noise(100_000, 7)],
      ['c.bin', noise(14_000_001, 8)],
    ])
    let answers = 40
    const server = await serveFiles(t, below('long', files), () => answers-- <= 0)
    const { bytes } = makeTorrent('long', files, { pieceLength: 1 << 18, webSeeds: [server.url] })
    await writeFile(homes.path('long.torrent'), bytes)
    await mkdir(homes.path('out'))
    const get = a.start('get', 'long.torrent', '-o', 'out')
    await until('some of it is here', async () => {
      const [share] = await a.shares()
      return share !== undefined && share.have > 4 * MIB
    })
    await a.crash()
    assert.notEqual((await get.ended).code, 0)
    answers = Number.POSITIVE_INFINITY
    const { cid } = await a.json<ShareInfo>('get', 'long.torrent', '-o', 'out')
    assertTree(await treeAt(homes.path('out', 'long')), files)
    const b = await homes.add('b')
    assert.equal(await b.share('add', homes.path('out', 'long')), cid)
    // what was hashed on the way is served, and added again as it is
    await b.share('rm', cid)
    await b.share('get', cid, '-o', 'copy', '--peer', await a.address())
    assertTree(await treeAt(homes.path('copy')), files)
    assert.equal(await a.share('add', homes.path('out', 'long')), cid)
  })

  test('data that is there is held against its torrent, and mended', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const server = await serveFiles(t, below('tree'))
    const { bytes } = makeTorrent('tree', FILES, { webSeeds: [server.url] })
    await writeFile(homes.path('tree.torrent'), bytes)
    for (const [path, content] of FILES) {
      await mkdir(dirname(homes.path('tree', path)), { recursive: true })
      await writeFile(homes.path('tree', path), content)
    }
    const spoilt = Buffer.from(FILES.get('z.bin') ?? [])
    spoilt[200_000] = (spoilt[200_000] ?? 0) ^ 1
    await writeFile(homes.path('tree', 'z.bin'), spoilt)
    const add = ['add', 'tree', '--torrent', 'tree.torrent']
    await a.fails(
      add,
      4,
      'VERIFICATION_FAILED',
      /1 of 32 pieces of the torrent are missing or wrong \(25\), in z\.bin/,
    )
    const share = await a.json<ShareInfo>('get', 'tree.torrent')
    assertTree(await treeAt(homes.path('tree')), FILES)
    assert.ok(server.asked.every(({ path, last, first }) => path === 'tree/z.bin' && last - first < 16 << 10))
    const added = await a.json<ShareInfo>(...add)
    assert.equal(added.cid, share.cid)
    await writeFile(homes.path('tree', 'mine'), 'not of the torrent')
    await a.fails(add, 1, 'CONFLICT', /there is more than the torrent has: mine/)
    await writeFile(homes.path('z.bin'), 'something of mine')
    const { bytes: other } = makeTorrent('z.bin', new Map([['', noise(40_000, 9)]]))
    await writeFile(homes.path('z.torrent'), other)
    await a.fails(['get', 'z.torrent'], 1, 'TARGET_EXISTS', /z\.bin exists already, and no piece/)
    assert.equal(await readFile(homes.path('z.bin'), 'utf8'), 'something of mine')
  })

  test('bad web seeds are survived and named', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const content = noise(2_000_000, 6)
    const files = new Map([['one.bin', content]])
    const good = await serveFiles(t, files)
    const wrongBytes = await serveFiles(t, new Map([['one.bin', noise(2_000_000, 7)]]))
    const shorter = await serveFiles(t, new Map([['one.bin', content.subarray(0, 1000)]]))
    const missing = await serveFiles(t, new Map())
    const noRanges = await serveFiles(t, files, (reply, _, bytes) => {
      reply.writeHead(200, { 'content-length': bytes.length }).end(bytes)
      return true
    })
    const cutsOff = await serveFiles(t, files, (reply, { first, last }, bytes) => {
      const size = last - first + 1
      reply.writeHead(206, {
        'content-range': `bytes ${first}-${last}/${bytes.length}`,
        'content-length': size,
      })
      reply.write(bytes.subarray(first, first + size / 2), () => reply.destroy())
      return true
    })
    const webSeeds = [wrongBytes, shorter, missing, cutsOff, noRanges, good].map(({ url }) => url)
    const { bytes } = makeTorrent('one.bin', new Map([['', content]]), {
      version: 'v2',
      pieceLength: 1 << 16,
      webSeeds,
    })
    await writeFile(homes.path('one.torrent'), bytes)
    await a.share('get', 'one.torrent')
    assert.equal(Buffer.compare(await readFile(homes.path('one.bin')), content), 0)
    const log = await a.share('daemon', 'logs')
    assert.ok(log.includes(`banned ${wrongBytes.url}`), log)
    assert.match(log, new RegExp(`web seed ${shorter.url} has a file`))
    assert.match(log, new RegExp(`web seed ${missing.url} answers 404`))
    assert.match(log, new RegExp(`web seed ${cutsOff.url} `))
    assert.match(log, new RegExp(`web seed ${noRanges.url} gives no ranges`))
  })

  test('a torrent can be paused, resumed and removed by its info hash', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    let stalls = true
    const server = await serveFiles(t, below('tree'), () => stalls)
    const { bytes, info } = makeTorrent('tree', FILES, { webSeeds: [server.url] })
    await writeFile(homes.path('tree.torrent'), bytes)
    const hash = Buffer.from(info.hashes.v1 ?? []).toString('hex')
    const get = a.start('get', 'tree.torrent')
    await until('the web seed is asked', () => server.asked.length > 0)
    const [share] = await a.shares()
    assert.deepEqual(
      share?.peers.map(({ id, wire }) => [id, wire]),
      [[server.url, 'http']],
    )
    await a.share('pause', hash)
    assert.equal((await get.ended).code, 130)
    assert.equal((await a.shares())[0]?.state, 'paused')
    stalls = false
    await a.share('resume', hash)
    await until('it is complete', async () => (await a.shares())[0]?.state === 'seeding')
    assertTree(await treeAt(homes.path('tree')), FILES)
    await a.share('rm', hash)
    assert.deepEqual(await a.shares(), [])
  })

  test('torrents that are not right are refused, and write nothing', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const { bytes } = makeTorrent('tree', FILES)
    const text = Buffer.from(bytes).toString('latin1')
    const cases: [name: string, torrent: string, message: RegExp][] = [
      ['escapes', text.replace('5:a.bin', '5:../..'), /name/],
      ['twice', text.replace('5:z.bin', '5:a.bin'), /a\.bin/],
      ['pieces', text.replace('lengthi300000e', 'lengthi900000e'), /pieces/],
      ['overflow', text.replace('lengthi300000e', 'lengthi9007199254740991e'), /declares more/],
      ['behind', `${text}x`, /./],
      ['nothing', 'no torrent at all', /./],
    ]
    for (const [name, torrent, message] of cases) {
      await writeFile(homes.path(`${name}.torrent`), Buffer.from(torrent, 'latin1'))
      await a.fails(['get', `${name}.torrent`], 4, 'BAD_CONTENT', message)
    }
    await a.fails(['get', 'missing.torrent'], 1, 'NOT_FOUND', /missing\.torrent/)
    assert.deepEqual(
      (await readdir(homes.work)).filter((name) => !/torrent$|^home-/.test(name)),
      [],
    )
    assert.deepEqual(await a.shares(), [])
  })

  test('a file that is here under another share is not fetched', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const content = noise(3_000_000, 8)
    await writeFile(homes.path('mine.bin'), content)
    const cid = await a.share('add', 'mine.bin')
    await a.share('link', cid)
    const { bytes } = makeTorrent('theirs.bin', new Map([['', content]]), {
      version: 'v2',
      pieceLength: 1 << 16,
    })
    await writeFile(homes.path('theirs.torrent'), bytes)
    const share = await a.json<ShareInfo>('get', 'theirs.torrent')
    assert.equal(share.cid, cid)
    assert.equal(Buffer.compare(await readFile(homes.path('theirs.bin')), content), 0)
  })
})
