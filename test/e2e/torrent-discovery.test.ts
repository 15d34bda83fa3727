/** How BitTorrent peers are found and told, by the command line: trackers, the DHT, what status says, what is refused. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { DaemonInfo } from '../../src/daemon/api.ts'
import type { DiscoveryInfo } from '../../src/node/types.ts'
import { parseMagnet } from '../../src/torrent/magnet.ts'
import { readMetainfo } from '../../src/torrent/metainfo.ts'
import { noise } from '../unit/torrent-trees.ts'
import { type Home, Homes, until } from './homes.ts'
import { Tracker } from './tracker.ts'

const TORRENT = { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' } as const

const ways = async (home: Home, cid: string): Promise<readonly DiscoveryInfo[]> =>
  (await home.status(cid)).discovery

test('a share is announced to the trackers that its owner names, and they stand in its torrents and links', async (t) => {
  const homes = await Homes.open(t)
  const tracker = await Tracker.open(t)
  const home = await homes.add('a', { ...TORRENT, 'torrent.trackers': tracker.udpUrl })
  await writeFile(homes.path('file'), noise(100_000, 1))
  const cid = await home.share('add', '-q', homes.path('file'))
  // nobody is told of what no torrent was made of
  assert.deepEqual([await ways(home, cid), tracker.announced], [[], []])

  const path = await home.share('torrent', cid, '-o', homes.path('t.torrent'), '--tracker', tracker.httpUrl)
  const { trackers, info } = readMetainfo(await readFile(path))
  assert.deepEqual(trackers, [[tracker.httpUrl], [tracker.udpUrl]])
  const magnet = parseMagnet(await home.share('link', cid))
  assert.deepEqual(magnet.trackers, [tracker.httpUrl, tracker.udpUrl])

  const hashes = [info.hashes.v1, info.hashes.v2?.subarray(0, 20)].map((hash) =>
    Buffer.from(hash ?? '').toString('hex'),
  )
  const told = (event: string) =>
    tracker.announced
      .filter((each) => each.event === event)
      .map(({ over, infoHash }) => `${over} ${infoHash}`)
  await until('both are told under both hashes', () => new Set(told('started')).size === 4)
  const { torrentPort } = await home.daemon()
  for (const { peer, left, peerId } of tracker.announced) {
    assert.deepEqual([peer.port, left], [torrentPort, 0])
    assert.match(peerId, /^-SH0100-/)
  }
  for (const over of ['http', 'udp'])
    for (const hash of hashes) assert.ok(told('started').includes(`${over} ${hash}`), `${over} ${hash}`)
  const known = await until('status tells', async () => {
    const found = await ways(home, cid)
    return found.length === 2 && found.every(({ last }) => last !== undefined) && found
  })
  assert.deepEqual(known.map(({ kind, url, error }) => [kind, url, error]).toSorted(), [
    ['tracker', tracker.httpUrl, undefined],
    ['tracker', tracker.udpUrl, undefined],
  ])
  assert.ok(known.every(({ next }) => Date.parse(next ?? '') > Date.now()))
  assert.match(await home.share('status'), /tracker http:.*0 peers; again in/)

  // after a restart it is told again, and before that the end
  await home.stop()
  assert.equal(new Set(told('stopped')).size, 4)
  tracker.announced.length = 0
  await home.share('daemon', 'start')
  await until('both are told again', () => new Set(told('started')).size === 4)

  await home.share('pause', cid)
  await until('they are told the end', () => new Set(told('stopped')).size === 4)
  await home.share('resume', cid)
  tracker.announced.length = 0
  assert.deepEqual(parseMagnet(await home.share('link', cid, '--no-tracker')).trackers, [tracker.udpUrl])
  await until('one is left alone', () => told('stopped').some((each) => each.startsWith('http')))
})

test('a link sends nobody to services of his own machine, unless he allows it', async (t) => {
  const homes = await Homes.open(t)
  const tracker = await Tracker.open(t)
  const link = `magnet:?xt=urn:btih:${'ab'.repeat(20)}&xt=urn:ipfs:bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku&tr=${encodeURIComponent(tracker.httpUrl)}`
  const cid = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
  const careful = await homes.add('careful', TORRENT)
  careful.start('get', link, '-o', homes.path('x'))
  const [refused] = await until('it is refused', async () => {
    const found = await careful.shares()
    return found[0]?.discovery.some(({ error }) => error !== undefined) && found[0].discovery
  })
  assert.match(refused?.error ?? '', /at an address of this machine or its networks/)
  assert.equal(tracker.announced.length, 0)

  const open = await homes.add('open', { ...TORRENT, 'torrent.trackers.local': 'on' })
  open.start('get', link, '-o', homes.path('y'))
  await until('it is asked', () => tracker.announced.length > 0)
  assert.equal(tracker.announced[0]?.infoHash, 'ab'.repeat(20))
  assert.ok((tracker.announced[0]?.left ?? 0) > 0)
  await open.share('rm', cid)
  await until('it is told that nobody looks any more', () =>
    tracker.announced.some(({ event }) => event === 'stopped'),
  )
})

test('the DHT is joined by the nodes that are named, and by those of the last run', async (t) => {
  const homes = await Homes.open(t)
  const first = await homes.add('first', { ...TORRENT, 'torrent.dht.bootstrap': '127.0.0.1:9' })
  await first.share('daemon', 'start')
  const { torrentDht, torrentPort } = await first.daemon()
  assert.deepEqual(torrentDht, { port: torrentPort, nodes: 0 })
  const second = await homes.add('second', {
    ...TORRENT,
    'torrent.dht.bootstrap': `127.0.0.1:${torrentPort}`,
  })
  await second.share('daemon', 'start')
  const knows = (home: Home) => async (): Promise<boolean> =>
    ((await home.daemon()).torrentDht?.nodes ?? 0) > 0
  await until('they know each other', knows(second))
  await until('both ways', knows(first))
  assert.match(await first.share('daemon', 'status'), /BitTorrent's DHT: 1 nodes? known/)
  await second.stop()
  assert.equal((await stat(join(second.path, 'torrent-dht'))).mode & 0o777, 0o600)
  await second.share('config', 'set', 'torrent.dht.bootstrap', '127.0.0.1:9')
  await second.share('daemon', 'start')
  await until('it comes back', knows(second))

  const without = await homes.add('without', TORRENT)
  await without.share('daemon', 'start')
  const { torrentDht: none } = await without.json<DaemonInfo>('daemon', 'status')
  assert.equal(none, null)
})

test('what is no tracker is refused', async (t) => {
  const homes = await Homes.open(t)
  const home = await homes.add('a')
  await writeFile(homes.path('file'), noise(1000, 1))
  const cid = await home.share('add', '-q', homes.path('file'))
  for (const url of ['ftp://a.example', 'udp://a.example', 'nonsense'])
    await home.fails(['link', cid, '--tracker', url], 2, 'BAD_ADDRESS', /not a tracker's URL/)
  await home.fails(['config', 'set', 'torrent.trackers', 'nonsense'], 2, 'BAD_CONFIG', /torrent.trackers/)
  await home.fails(
    ['config', 'set', 'torrent.dht.bootstrap', 'a b:1'],
    2,
    'BAD_CONFIG',
    /torrent.dht.bootstrap/,
  )
  await home.share('config', 'set', 'torrent.dht.bootstrap', 'public')
  assert.equal(await home.share('config', 'get', 'torrent.dht.bootstrap'), 'public')
})
