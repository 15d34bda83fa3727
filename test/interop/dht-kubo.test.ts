/**
 * The DHT of a private network of kubo and `share`: who announces is found, and given from, by who never heard of it. All know
 * the first node alone when they start.
 */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { type Home, Homes, until } from '../e2e/homes.ts'
import { RoutingNodes } from '../e2e/routing-nodes.ts'
import { assertSame, writeNoise } from '../e2e/trees.ts'
import { Kubo } from './kubo.ts'

/** Of each kind: kubo's daemons, `share` daemons, and `share` nodes in this process, which cost less. */
const KUBOS = 5
const HOMES = 4
const NODES = 12

class Network {
  readonly kubos: Kubo[] = []
  readonly homes: Home[] = []
  readonly #nodes = new RoutingNodes()

  static async start(homes: Homes): Promise<Network> {
    const network = new Network()
    const first = await Kubo.start(homes, '0', { routing: 'dht' })
    network.kubos.push(first)
    const bootstrap = [await first.address()]
    homes.atEnd(() => network.#nodes.clear())
    await Promise.all(Array.from({ length: NODES }, () => network.#nodes.start({ config: { bootstrap } })))
    for (let at = 1; at < KUBOS; at++)
      network.kubos.push(await Kubo.start(homes, String(at), { routing: 'dht', bootstrap }))
    for (let at = 0; at < HOMES; at++) {
      const home = await homes.add(String(at), { bootstrap: bootstrap.join(' ') })
      await home.share('daemon', 'start')
      network.homes.push(home)
    }
    return network
  }
}

/** Whether that node finds this one as a provider, as it says itself. */
async function finds(kubo: Kubo, cid: string, provider: string): Promise<boolean> {
  // asked too early it ends with an error, and the next time it finds
  const found = await kubo.run('routing', 'findprovs', '-n', '1', '--timeout=10s', cid).catch(() => '')
  return found.split('\n').includes(provider)
}

describe(`a network of ${KUBOS} kubo and ${HOMES + NODES} share nodes`, () => {
  test('who announces is found, both ways, also after restarts', async (t) => {
    const homes = await Homes.open(t)
    const { kubos, homes: shares } = await Network.start(homes)
    const [holder, giver, taker] = kubos
    const [seeder, leecher, other] = shares
    assert.ok(holder && giver && taker && seeder && leecher && other)

    await t.test('kubo finds and fetches what share added', async (t) => {
      await writeNoise(homes.path('ours'), 3_000_000, 1)
      const root = await seeder.share('add', homes.path('ours'))
      await until('the record is confirmed', async () => (await seeder.status(root)).announced)
      const id = await seeder.peerId()
      await Promise.all(kubos.map((kubo) => until('kubo finds it', () => finds(kubo, root, id))))
      await taker.get(root, homes.path('kubo got'))
      await assertSame(homes.path('kubo got'), homes.path('ours'))
      await taker.tell(t)
    })

    await t.test('share finds and fetches what kubo announced', async (t) => {
      await writeNoise(homes.path('theirs'), 3_000_000, 2)
      const root = await giver.add(homes.path('theirs'))
      await giver.run('routing', 'provide', root)
      await leecher.share('get', root, '-o', homes.path('share got'))
      await assertSame(homes.path('share got'), homes.path('theirs'))
      assert.ok((await giver.tell(t)).BlocksSent > 0)
    })

    await t.test('a file of a tree is found by its own CID', async (t) => {
      await mkdir(homes.path('tree'))
      for (let at = 0; at < 30; at++) await writeNoise(homes.path('tree', String(at)), 5_000, 100 + at)
      await other.share('add', homes.path('tree'))
      const file = await taker.run('add', '--only-hash', '-Q', homes.path('tree', '29'))
      await until('kubo finds it', async () => finds(taker, file, await other.peerId()))
      await taker.get(file, homes.path('one'))
      await assertSame(homes.path('one'), homes.path('tree', '29'))
      await taker.tell(t)
    })

    await t.test('records lead to a fetch after a restart of who holds and announced them', async (t) => {
      await writeNoise(homes.path('lasting'), 500_000, 3)
      const root = await seeder.share('add', homes.path('lasting'))
      await until('the record is confirmed', async () => (await seeder.status(root)).announced)
      const id = await seeder.peerId()
      await writeNoise(homes.path('their lasting'), 500_000, 4)
      const theirs = await giver.add(homes.path('their lasting'))
      await giver.run('routing', 'provide', theirs)
      for (const kubo of [holder, giver]) await kubo.stop()
      for (const kubo of [holder, giver]) await kubo.start()
      await other.stop()
      await other.share('daemon', 'start')
      await until('kubo finds it', () => finds(taker, root, id))
      await taker.get(root, homes.path('found again'))
      await assertSame(homes.path('found again'), homes.path('lasting'))
      await other.share('get', theirs, '-o', homes.path('theirs found again'))
      await assertSame(homes.path('theirs found again'), homes.path('their lasting'))
      await seeder.stop()
      await seeder.share('daemon', 'start')
      await until('the record is confirmed anew', async () => (await seeder.status(root)).announced)
      await until('a restarted kubo finds it', () => finds(giver, root, id))
      await giver.get(root, homes.path('found by a restarted one'))
      await assertSame(homes.path('found by a restarted one'), homes.path('lasting'))
      assert.ok((await giver.tell(t)).BlocksSent > 0)
    })
  })
})
