/** Torrents and links of what is shared, by the command line. */
import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TorrentSummary } from '../../src/node/types.ts'
import { parseMagnet } from '../../src/torrent/magnet.ts'
import { readMetainfo } from '../../src/torrent/metainfo.ts'
import { noise, TREES, VERSIONS } from '../unit/torrent-trees.ts'
import { Homes } from './homes.ts'

const FIXTURES = fileURLToPath(new URL('../../fixtures/torrent', import.meta.url))
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? '').toString('hex')

test('a share gives the torrents that libtorrent makes of it, under either profile and from either store', async (t) => {
  const homes = await Homes.open(t)
  const home = await homes.add('a')
  for (const name of ['several-pieces', 'symlinks', 'one-small-file']) {
    const source = homes.path(name)
    for (const [path, content] of Object.entries(TREES[name]?.tree ?? {})) {
      const at = join(source, path)
      await mkdir(dirname(at), { recursive: true })
      if (typeof content === 'string') await symlink(content, at)
      else await writeFile(at, content)
    }
    for (const how of [[], ['--copy']]) {
      const cid = await home.share('add', '-q', ...how, source)
      for (const version of VERSIONS) {
        const made = await home.bytes('torrent', cid, `--${version}`, '-o', '-')
        assert.deepEqual(
          made,
          await readFile(join(FIXTURES, `${name}.${version}.torrent`)),
          `${name} ${version}`,
        )
      }
    }
  }
  // small files of the older profile lie in DAG nodes, not in leaves
  const cid = await home.share('add', '-q', '--profile', 'unixfs-v0-2015', homes.path('symlinks'))
  const made = await home.bytes('torrent', cid, '-o', '-')
  assert.deepEqual(made, await readFile(join(FIXTURES, 'symlinks.hybrid.torrent')))
})

test('a link carries the CID and both info hashes, and get takes it', async (t) => {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a'), await homes.add('b', { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' })]
  const content = noise(1_500_000, 1)
  await writeFile(homes.path('file'), content)
  const cid = await a.share('add', '-q', homes.path('file'))

  const plain = await a.share('link', cid, '--no-torrent')
  assert.match(plain, new RegExp(`^magnet:\\?xt=urn:ipfs:${cid}&dn=file&x\\.ma=`))

  const { code, stdout, stderr } = await a.run('link', cid, '--json')
  assert.equal(code, 0)
  assert.match(stderr, /"progress":\{"done":\d+,"total":1500000/)
  const { link } = JSON.parse(stdout)
  const summary = await a.json<TorrentSummary & { path: string }>('torrent', cid, '-o', homes.work)
  assert.equal(summary.path, homes.path('file.torrent'))
  const { info } = readMetainfo(await readFile(summary.path))
  const magnet = parseMagnet(link)
  assert.deepEqual([hex(magnet.v1), hex(magnet.v2)], [hex(info.hashes.v1), hex(info.hashes.v2)])
  assert.deepEqual(summary.infoHashes, { v1: hex(info.hashes.v1), v2: hex(info.hashes.v2) })
  assert.deepEqual([magnet.content, magnet.name, magnet.multiaddrs], [cid, 'file', [await a.address()]])

  // hashed once: now the file may even be gone, and a restart forgets nothing
  await a.stop()
  await truncate(homes.path('file'), 5)
  assert.equal(await a.share('link', cid), link)
  await writeFile(homes.path('file'), content)
  await a.share('verify')
  assert.equal(await b.share('get', link, '-o', homes.path('got')), homes.path('got'))
  assert.deepEqual(await readFile(homes.path('got')), Buffer.from(content))

  // wherever it lies here, it is the same torrent to everybody
  const [mine, theirs] = [parseMagnet(await b.share('link', cid)), parseMagnet(link)]
  assert.deepEqual([mine.name, mine.v1, mine.v2], ['file', theirs.v1, theirs.v2])
  assert.doesNotMatch(await b.share('daemon', 'logs'), /info hashes/)
})

test('what has no torrent says why, and its link is the CID alone', async (t) => {
  const homes = await Homes.open(t)
  const home = await homes.add('a')
  await writeFile(homes.path('empty'), '')
  await writeFile(homes.path('file'), noise(100_000, 1))
  const [empty = '', file = ''] = (
    await home.share('add', '-q', homes.path('empty'), homes.path('file'))
  ).split('\n')

  await home.fails(['torrent', empty], 1, 'UNSUPPORTED', /holds no bytes/)
  const { code, stdout, stderr } = await home.run('link', empty)
  assert.deepEqual(
    [code, parseMagnet(stdout.trim()).content, parseMagnet(stdout.trim()).v1],
    [0, empty, undefined],
  )
  assert.match(stderr, /^without info hashes: .*no bytes\nnext: ./)

  await writeFile(homes.path('file'), noise(100_000, 2))
  await home.fails(['torrent', file], 4, 'VERIFICATION_FAILED', /not what it was/)
  assert.match((await home.run('link', file)).stderr, /not what it was/)

  await home.fails(['torrent', 'nonsense'], 2, 'BAD_CID', /nonsense/)
  await home.fails(['torrent', empty, '--v1', '--v2'], 2, 'USAGE', /cannot be used with/)
})

test('a torrent replaces no file', async (t) => {
  const homes = await Homes.open(t)
  const home = await homes.add('a')
  await writeFile(homes.path('file'), 'hello')
  const cid = await home.share('add', '-q', homes.path('file'))
  const target = homes.path('t.torrent')
  assert.equal(await home.share('torrent', cid, '-o', target), target)
  const bytes = await readFile(target)
  // the same again is fine
  assert.equal(await home.share('torrent', cid, '-o', target), target)
  await home.fails(['torrent', cid, '--v1', '-o', target], 1, 'TARGET_EXISTS', /other content/)
  assert.deepEqual(await readFile(target), bytes)
})
