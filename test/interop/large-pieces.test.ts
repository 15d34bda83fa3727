/** Pieces longer than any block of IPFS, of several libtorrents that seed: they send one together, and one of them may lie. */
import assert from 'node:assert/strict'
import { cp, mkdir, open, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { DaemonClient } from '../../src/daemon/client.ts'
import type { TorrentVersion } from '../../src/torrent/info.ts'
import { Homes } from '../e2e/homes.ts'
import { assertSame, MIB, noise, writeNoise } from '../e2e/trees.ts'
import { watch } from '../e2e/watch.ts'
import type { Seeder } from './client.ts'
import { libtorrentMake, libtorrentSeed } from './libtorrent.ts'

const PIECE_BYTES = 16 * MIB

/** Slow enough that there is something to divide, in bytes a second. */
const UP = 4 * MIB

async function torrentOf(homes: Homes, version: TorrentVersion, bytes: number): Promise<string> {
  await writeNoise(homes.path('file'), bytes, 1)
  const torrent = homes.path('file.torrent')
  await writeFile(torrent, await libtorrentMake(homes.path('file'), PIECE_BYTES, version))
  return torrent
}

/** A seeder with files of its own. */
async function seeder(t: TestContext, homes: Homes, name: string): Promise<Seeder & { file: string }> {
  const directory = homes.path(name)
  await mkdir(directory)
  await cp(homes.path('file'), `${directory}/file`)
  const seeding = await libtorrentSeed(t, { torrent: homes.path('file.torrent'), directory, up: UP })
  return { ...seeding, file: `${directory}/file` }
}

const peersAt = (...seeders: Seeder[]): string[] => [
  ...seeders.flatMap(({ port }) => ['--peer', `127.0.0.1:${port}`]),
  '--timeout',
  '90s',
]

for (const version of ['v1', 'v2'] as const) {
  test(`${version}: two seeders send one piece of 16 MiB, and hardly anything twice`, async (t) => {
    const homes = await Homes.open(t)
    const torrent = await torrentOf(homes, version, PIECE_BYTES)
    const seeders = [await seeder(t, homes, 'one'), await seeder(t, homes, 'two')]
    const home = await homes.add('home')
    await mkdir(homes.path('out'))
    await home.share('get', torrent, '-o', 'out', ...peersAt(...seeders))
    await assertSame(homes.path('out', 'file'), homes.path('file'))
    const sent = await Promise.all(seeders.map((each) => each.sent()))
    t.diagnostic(`they sent ${sent.join(' and ')} of ${PIECE_BYTES} bytes`)
    assert.ok(Math.min(...sent) > PIECE_BYTES / 4, `${sent}`)
    assert.ok(sent[0] !== undefined && sent[1] !== undefined && sent[0] + sent[1] < 1.1 * PIECE_BYTES)
  })

  test(`${version}: of two that send a piece together one lies: it is banned, the other is not`, async (t) => {
    const homes = await Homes.open(t)
    const torrent = await torrentOf(homes, version, 2 * PIECE_BYTES)
    const honest = await seeder(t, homes, 'honest')
    const liar = await seeder(t, homes, 'liar')
    // it has checked its file, and does not do so again
    const file = await open(liar.file, 'r+')
    await file.write(noise(2 * PIECE_BYTES, 2), 0, 2 * PIECE_BYTES, 0)
    await file.close()
    const home = await homes.add('home')
    await mkdir(homes.path('out'))
    await home.share('daemon', 'start')
    const api = new DaemonClient(home.path)
    const bans = new Map<string, string>()
    // they are told with the download, and the share that it becomes is another one
    const watching = watch(async () => {
      for (const { banned } of (await api.status()).shares)
        for (const { id, reason } of banned) bans.set(id, reason)
    })
    await home.share('get', torrent, '-o', 'out', ...peersAt(honest, liar))
    await watching.stop()
    await assertSame(homes.path('out', 'file'), homes.path('file'))
    t.diagnostic([...bans.values()].join(', '))
    assert.deepEqual([...bans.keys()], [`127.0.0.1:${liar.port}`])
  })
}
