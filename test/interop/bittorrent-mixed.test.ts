/** One swarm over several wires: a link with a CID and info hashes draws on all of them, and one seeder serves all at once. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { DaemonInfo } from '../../src/daemon/api.ts'
import { DaemonClient } from '../../src/daemon/client.ts'
import type { PeerInfo, TorrentSummary } from '../../src/node/types.ts'
import { formatMagnet, parseMagnet } from '../../src/torrent/magnet.ts'
import { Homes } from '../e2e/homes.ts'
import { watch } from '../e2e/watch.ts'
import { noise } from '../unit/torrent-trees.ts'
import { aria2Get } from './aria2.ts'
import { Kubo } from './kubo.ts'
import { libtorrentSeed } from './libtorrent.ts'
import { record } from './table.ts'
import { trackerOf } from './tracker.ts'

/** As much as test content has without repeating itself. */
const SIZE = 16_000_000

const GIVES = 'gives most of a link with CID and info hashes to `share`, beside a slow `share` peer'
const BESIDE = 'downloads one file from one `share`, while kubo and another `share` do'

test('share gets from a libtorrent seeder, beside a slow peer that has the manifest', async (t) => {
  const homes = await Homes.open(t)
  const slow = await homes.add('slow', { 'limits.up': '64KB' })
  // seeds leave each other, so it has to last until somebody has looked
  const leecher = await homes.add('leecher', { 'limits.down': '4MB' })
  await leecher.share('daemon', 'start')
  const api = new DaemonClient(leecher.path)
  const content = noise(SIZE, 1)
  await writeFile(homes.path('file'), content)
  const cid = await slow.share('add', '-q', homes.path('file'))
  const link = parseMagnet(await slow.share('link', cid))
  await slow.share('torrent', cid, '-o', homes.path('file.torrent'))
  const seeder = await libtorrentSeed(t, { torrent: homes.path('file.torrent'), directory: homes.work })

  const magnet = formatMagnet({ ...link, peers: [`127.0.0.1:${seeder.port}`] })
  const seen = new Map<string, PeerInfo>()
  const watching = watch(async () => {
    for (const { peers } of (await api.status()).shares) for (const peer of peers) seen.set(peer.id, peer)
  })
  assert.equal((await leecher.run('get', magnet, '-o', homes.path('got'))).code, 0)
  await watching.stop()
  assert.deepEqual(await readFile(homes.path('got')), Buffer.from(content))
  const bytes = await seeder.sent()
  const peer = seen.get(`127.0.0.1:${seeder.port}`)
  assert.deepEqual([peer?.wire, peer?.address], ['bittorrent', `127.0.0.1:${seeder.port}`])
  await record(t, { program: seeder.client, what: GIVES, bytes })
  assert.ok(bytes > SIZE / 2 && bytes < 1.05 * SIZE, `${bytes} bytes: hardly anything twice`)
  assert.ok([...seen.values()].some(({ wire }) => wire === 'share'))
})

test('one seeder, one file: kubo, aria2 and share download it at the same time', async (t) => {
  const homes = await Homes.open(t)
  const seeder = await homes.add('seeder', { 'torrent.listen': '/ip4/127.0.0.1/tcp/0', 'limits.up': '8MB' })
  const leecher = await homes.add('leecher')
  const content = noise(SIZE, 2)
  await writeFile(homes.path('file'), content)
  const cid = await seeder.share('add', '-q', homes.path('file'))
  const { infoHashes } = await seeder.json<TorrentSummary>(
    'torrent',
    cid,
    '--v1',
    '-o',
    homes.path('v1.torrent'),
  )
  const { torrentPort } = await seeder.json<DaemonInfo>('daemon', 'status')
  assert.ok(torrentPort && infoHashes.v1)
  const address = await seeder.address()
  const kubo = await Kubo.start(homes, 'leecher')
  await kubo.connect(seeder)

  const wires = new Set<string>()
  const watching = watch(async () => {
    for (const { wire, uploaded } of (await seeder.status(cid)).peers) if (uploaded > 0) wires.add(wire)
  })
  const [aria2] = await Promise.all([
    aria2Get(t, {
      torrent: homes.path('v1.torrent'),
      directory: homes.path('aria2'),
      tracker: await trackerOf(t, torrentPort),
    }),
    kubo.get(cid, homes.path('kubo')),
    leecher.share('get', cid, '--peer', address, '-o', homes.path('got')),
  ])
  await watching.stop()
  assert.deepEqual(await readFile(homes.path('aria2/file')), Buffer.from(content))
  assert.deepEqual(await readFile(homes.path('got')), Buffer.from(content))
  assert.deepEqual(await readFile(homes.path('kubo')), Buffer.from(content))
  assert.deepEqual([...wires].sort(), ['bitswap', 'bittorrent', 'share'])
  const { downloaded } = await leecher.status(cid)
  await record(t, { program: aria2.client, what: BESIDE, bytes: aria2.bytes })
  t.diagnostic(`share received ${downloaded} bytes`)
  await kubo.tell(t)
})
