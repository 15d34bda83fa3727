/** `limits.down` while libtorrents seed as fast as they can: what they sent over ten seconds, by their own count. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Homes } from '../e2e/homes.ts'
import { writeNoise } from '../e2e/trees.ts'
import { libtorrentMake, libtorrentSeed } from './libtorrent.ts'

const SECONDS = 10

/** How far from the limit it may be. */
const WITHIN = 0.05

/** Before the seconds that are counted: a node finds its peers, and has its first quarter of a second's worth at once. */
const WARM_SECONDS = 3

for (const [rate, pieceBytes] of [
  [100_000, 256 << 10],
  [1_000_000, 1 << 20],
  [10_000_000, 4 << 20],
] as const) {
  test(`${rate} bytes a second of two libtorrents`, async (t) => {
    const homes = await Homes.open(t)
    await writeNoise(homes.path('file'), rate * (SECONDS + 4 * WARM_SECONDS), 1)
    const torrent = homes.path('file.torrent')
    await writeFile(torrent, await libtorrentMake(homes.path('file'), pieceBytes, 'v1'))
    const given = { torrent, directory: homes.work }
    const seeders = [await libtorrentSeed(t, given), await libtorrentSeed(t, given)]
    const sent = async (): Promise<number> =>
      (await Promise.all(seeders.map((each) => each.sent()))).reduce((sum, each) => sum + each, 0)
    const home = await homes.add('home', { 'limits.down': String(rate) })
    await home.share('daemon', 'start')
    await mkdir(homes.path('out'))
    const peers = seeders.flatMap(({ port }) => ['--peer', `127.0.0.1:${port}`])
    const get = home.start('get', torrent, '-o', 'out', ...peers)
    while ((await sent()) === 0) await sleep(50)
    await sleep(WARM_SECONDS * 1000)
    const [before, since] = [await sent(), performance.now()]
    await sleep(SECONDS * 1000)
    const [after, until] = [await sent(), performance.now()]
    get.process.kill('SIGINT')
    await get.ended
    const part = ((after - before) * 1000) / (rate * (until - since))
    t.diagnostic(`${(100 * part).toFixed(1)} % of the limit`)
    assert.ok(Math.abs(part - 1) <= WITHIN, `${(100 * part).toFixed(1)} %`)
  })
}
