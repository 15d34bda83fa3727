/** Unmodified BitTorrent clients download what `share` gives: by .torrent and by both kinds of magnets, in v1, v2 and hybrid. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import type { DaemonInfo } from '../../src/daemon/api.ts'
import type { TorrentSummary } from '../../src/node/types.ts'
import { formatMagnet } from '../../src/torrent/magnet.ts'
import { type Home, Homes } from '../e2e/homes.ts'
import { noise } from '../unit/torrent-trees.ts'
import { aria2Get } from './aria2.ts'
import type { Downloaded } from './client.ts'
import { libtorrentGet } from './libtorrent.ts'
import { qbittorrentGet } from './qbittorrent.ts'
import { record } from './table.ts'
import { trackerOf } from './tracker.ts'
import { transmissionGet } from './transmission.ts'

/** Files of several pieces, of one, of a few bytes, of none. */
const FILES = new Map([
  ['big', noise(9_000_000, 1)],
  ['deep/er/one', noise(1 << 20, 2)],
  ['deep/small', noise(70_000, 3)],
  ['tiny', Buffer.from('hi\n')],
  ['void', Buffer.alloc(0)],
])

type Version = TorrentSummary['version']

interface Seeding {
  readonly homes: Homes
  readonly home: Home
  readonly cid: string
  readonly port: number
  readonly torrents: Readonly<Record<Version, { readonly file: string; readonly summary: TorrentSummary }>>
}

async function seeding(t: TestContext): Promise<Seeding> {
  const homes = await Homes.open(t)
  const home = await homes.add('seeder', { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' })
  for (const [path, bytes] of FILES) {
    await mkdir(homes.path('tree', path, '..'), { recursive: true })
    await writeFile(homes.path('tree', path), bytes)
  }
  const cid = await home.share('add', '-q', homes.path('tree'))
  const make = async (version: Version) => {
    const file = homes.path(`${version}.torrent`)
    return { file, summary: await home.json<TorrentSummary>('torrent', cid, `--${version}`, '-o', file) }
  }
  const torrents = { hybrid: await make('hybrid'), v1: await make('v1'), v2: await make('v2') }
  // a restart forgets nothing
  await home.stop()
  const { torrentPort } = await home.json<DaemonInfo>('daemon', 'start')
  assert.ok(torrentPort)
  return { homes, home, cid, port: torrentPort, torrents }
}

function magnetOf({ infoHashes }: TorrentSummary, which: ('v1' | 'v2')[]): string {
  const hash = (version: 'v1' | 'v2'): Uint8Array | undefined => {
    const hex = which.includes(version) ? infoHashes[version] : undefined
    return hex === undefined ? undefined : Buffer.from(hex, 'hex')
  }
  return formatMagnet({ v1: hash('v1'), v2: hash('v2') })
}

async function compare(directory: string): Promise<void> {
  for (const [path, bytes] of FILES) {
    if (bytes.length === 0) continue
    assert.deepEqual(await readFile(`${directory}/tree/${path}`), Buffer.from(bytes), path)
  }
}

function report(t: TestContext, what: string, { client, bytes }: Downloaded): Promise<void> {
  return record(t, { program: client, what: `downloads from \`share\` by ${what}`, bytes })
}

test('libtorrent downloads v1, v2 and hybrid, by .torrent and by magnets', async (t) => {
  const { homes, port, torrents } = await seeding(t)
  const ways: [string, string][] = [
    ...(['v1', 'v2', 'hybrid'] as const).map((version): [string, string] => [
      `${version} .torrent`,
      torrents[version].file,
    ]),
    ['v1 magnet (btih)', magnetOf(torrents.v1.summary, ['v1'])],
    ['v2 magnet (btmh)', magnetOf(torrents.v2.summary, ['v2'])],
    ['hybrid magnet (btih)', magnetOf(torrents.hybrid.summary, ['v1'])],
    ['hybrid magnet (btmh)', magnetOf(torrents.hybrid.summary, ['v2'])],
    ['hybrid magnet (both)', magnetOf(torrents.hybrid.summary, ['v1', 'v2'])],
  ]
  for (const [at, [what, torrent]] of ways.entries()) {
    const directory = homes.path(`got-${at}`)
    await report(t, what, await libtorrentGet({ torrent, directory, ports: [port] }))
    await compare(directory)
  }
})

test('aria2 downloads v1, by .torrent and by magnet', async (t) => {
  const { homes, port, torrents } = await seeding(t)
  const tracker = await trackerOf(t, port)
  const ways = { 'v1 .torrent': torrents.v1.file, 'v1 magnet (btih)': magnetOf(torrents.v1.summary, ['v1']) }
  for (const [what, torrent] of Object.entries(ways)) {
    const directory = homes.path(what.replaceAll(/\W/g, ''))
    await report(t, what, await aria2Get(t, { torrent, directory, tracker }))
    await compare(directory)
  }
})

test('Transmission downloads v1, by .torrent and by magnet', async (t) => {
  const { homes, home, cid, torrents } = await seeding(t)
  const ways = { 'v1 .torrent': torrents.v1.file, 'v1 magnet (btih)': magnetOf(torrents.v1.summary, ['v1']) }
  for (const [what, torrent] of Object.entries(ways)) {
    const directory = homes.path(what.replaceAll(/\W/g, ''))
    const v1 = Buffer.from(torrents.v1.summary.infoHashes.v1 ?? '', 'hex')
    // it calls nobody on loopback, so it is called
    const call = (port: number): Promise<string> =>
      home.share(
        'get',
        formatMagnet({ content: cid, v1, peers: [`127.0.0.1:${port}`] }),
        '-o',
        homes.path('tree'),
      )
    await report(t, what, await transmissionGet(t, { torrent, directory }, call))
    await compare(directory)
  }
})

test('qBittorrent downloads hybrid and v2, by .torrent and by magnet', async (t) => {
  const { homes, port, torrents } = await seeding(t)
  const ways = {
    'hybrid .torrent': torrents.hybrid.file,
    'v2 .torrent': torrents.v2.file,
    'hybrid magnet (both)': magnetOf(torrents.hybrid.summary, ['v1', 'v2']),
    'v2 magnet (btmh)': magnetOf(torrents.v2.summary, ['v2']),
  }
  for (const [what, torrent] of Object.entries(ways)) {
    const directory = homes.path(what.replaceAll(/\W/g, ''))
    await report(t, what, await qbittorrentGet(t, { torrent, directory, port }))
    await compare(directory)
  }
})
