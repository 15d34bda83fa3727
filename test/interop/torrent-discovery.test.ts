/**
 * share and libtorrent find each other, and one gets from the other what it has: by a tracker over HTTP and over UDP, and by a
 * private net of DHT nodes of both kinds. Each has nothing but these to go by.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import type { ConfigKey } from '../../src/node/config.ts'
import { MainlineDht } from '../../src/torrent/discovery/mainline-dht.ts'
import { Homes, until } from '../e2e/homes.ts'
import { Tracker } from '../e2e/tracker.ts'
import { SYSTEM_CLOCK } from '../unit/torrent-clock.ts'
import { noise } from '../unit/torrent-trees.ts'
import { Finder } from './libtorrent-finder.ts'

type Settings = Partial<Record<ConfigKey, string>>

const TORRENT: Settings = { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' }

/** Nodes of the private net, besides those that are tried. */
const OUR_NODES = 12
const LIBTORRENT_NODES = 10

/** Share gives, libtorrent takes; then the other way round, with another file. */
async function bothWays(
  t: TestContext,
  way: {
    readonly share: Settings
    readonly libtorrent: Readonly<Record<string, unknown>>
    readonly trackers: readonly string[]
    /** What is found of libtorrent, before share looks. */
    readonly announced?: (port: number) => Promise<unknown>
  },
): Promise<void> {
  const homes = await Homes.open(t)
  const trackers = way.trackers.flatMap((url) => ['--tracker', url])
  const giver = await homes.add('giver', { ...TORRENT, ...way.share })

  await writeFile(homes.path('a.bin'), noise(3_000_000, 1))
  const given = await giver.share('add', '-q', homes.path('a.bin'))
  const torrent = await giver.share('torrent', given, '-o', homes.path('a.torrent'), ...trackers)
  await until('it is announced', async () =>
    (await giver.status(given)).discovery.every(
      ({ last, error }) => last !== undefined && error === undefined,
    ),
  )
  await mkdir(homes.path('taken'))
  const taker = await Finder.open(t, way.libtorrent)
  const { peers, payload } = await taker.get(torrent, homes.path('taken'))
  assert.deepEqual(await readFile(homes.path('taken', 'a.bin')), await readFile(homes.path('a.bin')))
  assert.ok(payload >= 3_000_000)
  const { torrentPort } = await giver.daemon()
  assert.ok(peers.includes(`127.0.0.1:${torrentPort}`), `${peers}`)

  // what the CID stands for comes from a node of share that gives little else
  await mkdir(homes.path('seeds'))
  await writeFile(homes.path('seeds', 'b.bin'), noise(3_000_000, 2))
  const maker = await homes.add('maker', { 'limits.up': '20KB' })
  const cid = await maker.share('add', '-q', homes.path('seeds', 'b.bin'))
  const wanted = await maker.share('torrent', cid, '-o', homes.path('b.torrent'), ...trackers)
  const seeder = await Finder.open(t, way.libtorrent)
  const { port } = await seeder.seed(wanted, homes.path('seeds'))
  await way.announced?.(port)
  const getter = await homes.add('getter', { ...TORRENT, 'torrent.trackers.local': 'on', ...way.share })
  await getter.share('get', await maker.share('link', cid), '-o', homes.path('b.bin'))
  assert.deepEqual(await readFile(homes.path('b.bin')), await readFile(homes.path('seeds', 'b.bin')))
  // seeds leave each other, so the peer may be gone; what came from elsewhere is known
  const { downloaded } = await getter.status(cid)
  const { uploaded } = await maker.status(cid)
  assert.ok(downloaded >= 3_000_000 && uploaded < 1_000_000, `${downloaded}, of them ${uploaded} by IPFS`)
}

for (const over of ['http', 'udp'] as const)
  test(`share and libtorrent find each other by a tracker over ${over.toUpperCase()}`, async (t) => {
    const tracker = await Tracker.open(t)
    const url = over === 'http' ? tracker.httpUrl : tracker.udpUrl
    await bothWays(t, {
      share: {},
      libtorrent: {},
      trackers: [url],
      announced: (port) =>
        until('libtorrent is announced', () => tracker.announced.some(({ peer }) => peer.port === port)),
    })
    assert.ok(tracker.announced.every((each) => each.over === over))
    // whoever came away with all of it said so
    const events = tracker.announced
      .filter(({ peerId }) => peerId.startsWith('-SH'))
      .map(({ event }) => event)
    assert.ok(events.includes('completed'), `${events}`)
  })

test('share and libtorrent find each other by a DHT of nodes of both kinds', async (t) => {
  const nodes: MainlineDht[] = []
  for (let count = 0; count < OUR_NODES; count++) {
    const node = await MainlineDht.open({
      host: '127.0.0.1',
      port: 0,
      bootstrap: nodes.slice(0, 1).map(({ port }) => `127.0.0.1:${port}`),
      state: undefined,
      clock: SYSTEM_CLOCK,
      resolve: async (address) => [{ address, family: 4 }],
      log: () => {},
    })
    t.after(() => node.stop())
    nodes.push(node)
  }
  const bootstrap = `127.0.0.1:${nodes[0]?.port}`
  const others = await Finder.open(t, {})
  const { version, ports } = await others.nodes(LIBTORRENT_NODES, bootstrap)
  t.diagnostic(`a DHT of ${nodes.length} nodes of share and ${ports.length} of libtorrent ${version}`)
  await until('ours know theirs', () => nodes.every((node) => node.nodes >= 5))

  await bothWays(t, {
    share: { 'torrent.dht.bootstrap': bootstrap },
    libtorrent: { enable_dht: true, dht_bootstrap_nodes: bootstrap },
    trackers: [],
  })
})
