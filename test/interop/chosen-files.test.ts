/** Some files of a torrent that libtorrent made: how the share shows, what libtorrent gets of it, and how it becomes all of the torrent. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { ShareInfo } from '../../src/node/types.ts'
import { Homes } from '../e2e/homes.ts'
import { assertSame, writeNoise } from '../e2e/trees.ts'
import { libtorrentGet, libtorrentMake, libtorrentSeed } from './libtorrent.ts'

const PIECE_BYTES = 256 << 10

const CHOSEN = { 'a/one.bin': 3_000_000, 'a/two.bin': 2_000_003 }
const OTHERS = { 'b/three.bin': 4_000_001, readme: 5 }

const sum = (sizes: Record<string, number>): number =>
  Object.values(sizes).reduce((all, size) => all + size, 0)

for (const version of ['v1', 'v2', 'hybrid'] as const) {
  test(`${version}: some files, given to libtorrent, and then all of them`, async (t) => {
    const homes = await Homes.open(t)
    await mkdir(homes.path('tree', 'a'), { recursive: true })
    await mkdir(homes.path('tree', 'b'))
    for (const [at, [path, size]] of Object.entries({ ...CHOSEN, ...OTHERS }).entries())
      await writeNoise(homes.path('tree', path), size, at)
    const torrent = homes.path('tree.torrent')
    await writeFile(torrent, await libtorrentMake(homes.path('tree'), PIECE_BYTES, version))
    const seeder = await libtorrentSeed(t, { torrent, directory: homes.work })
    const home = await homes.add('home', { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' })
    await mkdir(homes.path('out'))
    const peer = ['--peer', `127.0.0.1:${seeder.port}`, '--timeout', '60s']

    const some = await home.json<ShareInfo>('get', torrent, '-o', 'out', '--only', 'a', ...peer)
    await assertSame(homes.path('out', 'tree', 'a'), homes.path('tree', 'a'))
    assert.deepEqual([some.state, some.have, some.size], ['seeding', sum(CHOSEN), sum(CHOSEN)])
    assert.deepEqual([some.only, some.pieces.have], [['a'], some.pieces.total])
    const listed = await home.share('ls', `${some.cid}/a`)
    assert.ok(listed.includes('one.bin') && listed.includes('two.bin'), listed)

    // the other one is slow: what is here comes from here
    const slow = await libtorrentSeed(t, { torrent, directory: homes.work, up: 1_000_000 })
    const { torrentPort } = await home.daemon()
    const ports = [torrentPort ?? 0, slow.port]
    await libtorrentGet({ torrent, directory: homes.path('libtorrent'), ports })
    await assertSame(homes.path('libtorrent', 'tree'), homes.path('tree'))
    const { uploaded } = await home.status(some.cid)
    t.diagnostic(`of ${sum(CHOSEN)} bytes it gave ${uploaded}, of ${sum(OTHERS)} others none`)
    assert.ok(uploaded > 0.5 * sum(CHOSEN) && uploaded <= 1.1 * sum(CHOSEN), `${uploaded}`)

    const before = await seeder.sent()
    const all = await home.json<ShareInfo>('get', torrent, '-o', 'out', ...peer)
    await assertSame(homes.path('out', 'tree'), homes.path('tree'))
    const more = (await seeder.sent()) - before
    assert.ok(more <= sum(OTHERS) + 3 * PIECE_BYTES, `${more} bytes more: no more than is missing`)
    assert.deepEqual([all.only, all.size], [[], sum(CHOSEN) + sum(OTHERS)])
    assert.deepEqual(
      (await home.shares()).map(({ cid }) => cid),
      [all.cid],
      'one share, which has taken over the other one',
    )
  })
}
