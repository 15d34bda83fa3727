/** `share get` from unmodified BitTorrent clients that seed: by .torrent and by magnet, in the versions that they know. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import type { ShareInfo } from '../../src/node/types.ts'
import type { TorrentVersion } from '../../src/torrent/info.ts'
import { formatMagnet } from '../../src/torrent/magnet.ts'
import { readMetainfo } from '../../src/torrent/metainfo.ts'
import { type Home, Homes, until } from '../e2e/homes.ts'
import { assertSame, writeNoise } from '../e2e/trees.ts'
import { aria2Seed } from './aria2.ts'
import type { Given, Seeder } from './client.ts'
import { libtorrentMake, libtorrentSeed } from './libtorrent.ts'
import { qbittorrentSeed } from './qbittorrent.ts'
import { record } from './table.ts'
import { transmissionSeed } from './transmission.ts'

const PIECE_BYTES = 256 << 10

/** What the files of the tree have together. */
const BYTES = 9_000_000 + 1_048_576 + 70_000 + 3

interface Work {
  readonly homes: Homes
  readonly home: Home
}

/** Files of many pieces, of one, of a few bytes, of none. */
async function workFor(t: TestContext): Promise<Work> {
  const homes = await Homes.open(t)
  await mkdir(homes.path('tree', 'deep', 'er'), { recursive: true })
  await writeNoise(homes.path('tree', 'big'), 9_000_000, 1)
  await writeNoise(homes.path('tree', 'deep', 'er', 'one'), 1_048_576, 2)
  await writeNoise(homes.path('tree', 'deep', 'small'), 70_000, 3)
  await writeFile(homes.path('tree', 'tiny'), 'hi\n')
  await writeFile(homes.path('tree', 'void'), '')
  return { homes, home: await homes.add('leecher') }
}

/** A torrent of the tree that this project has no part in. */
async function torrentOf({ homes }: Work, version: TorrentVersion): Promise<Given> {
  const torrent = homes.path(`${version}.torrent`)
  await writeFile(torrent, await libtorrentMake(homes.path('tree'), PIECE_BYTES, version))
  return { torrent, directory: homes.work }
}

/** Downloads it by file and by magnet, and compares; each time all bytes have to come from the seeder. */
async function getFrom(t: TestContext, work: Work, version: TorrentVersion, seeder: Seeder, given: Given) {
  const { homes, home } = work
  const { hashes } = readMetainfo(await readFile(given.torrent)).info
  const magnets = {
    v1: { 'v1 magnet (btih)': formatMagnet({ v1: hashes.v1 }) },
    v2: { 'v2 magnet (btmh)': formatMagnet({ v2: hashes.v2 }) },
    hybrid: {
      'hybrid magnet (btih)': formatMagnet({ v1: hashes.v1 }),
      'hybrid magnet (btmh)': formatMagnet({ v2: hashes.v2 }),
    },
  }
  const ways = { [`${version} .torrent`]: given.torrent, ...magnets[version] }
  let before = 0
  for (const [what, torrent] of Object.entries(ways)) {
    const directory = homes.path(what.replaceAll(/\W/g, ''))
    await mkdir(directory)
    const peer = ['--peer', `127.0.0.1:${seeder.port}`, '--timeout', '90s']
    const { cid } = await home.json<ShareInfo>('get', torrent, '-o', directory, ...peer)
    await assertSame(`${directory}/tree`, homes.path('tree'))
    // what is here would not be fetched again
    await home.share('rm', cid)
    const all = await until('it counts what it sent', async () => {
      const sent = await seeder.sent()
      return sent >= before + BYTES ? sent : undefined
    })
    await record(t, { program: seeder.client, what: `gives to \`share\` by ${what}`, bytes: all - before })
    before = all
  }
}

test('aria2 gives v1, by .torrent and by magnet', async (t) => {
  const work = await workFor(t)
  const given = await torrentOf(work, 'v1')
  await getFrom(t, work, 'v1', await aria2Seed(t, given), given)
})

test('Transmission gives v1, by .torrent and by magnet', async (t) => {
  const work = await workFor(t)
  const given = await torrentOf(work, 'v1')
  const seeder = await transmissionSeed(t, given, work.homes.path('transmission'))
  await getFrom(t, work, 'v1', seeder, given)
})

for (const version of ['v1', 'v2', 'hybrid'] as const) {
  test(`libtorrent gives ${version}, by .torrent and by magnet`, async (t) => {
    const work = await workFor(t)
    const given = await torrentOf(work, version)
    await getFrom(t, work, version, await libtorrentSeed(t, given), given)
  })

  test(`qBittorrent gives ${version}, by .torrent and by magnet`, async (t) => {
    const work = await workFor(t)
    const given = await torrentOf(work, version)
    const seeder = await qbittorrentSeed(t, given, work.homes.path('qbittorrent'))
    await getFrom(t, work, version, seeder, given)
  })
}
