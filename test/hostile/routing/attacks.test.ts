/**
 * Attacks on finding: liars in the DHT that are closest to a key, that name only each other, that name providers which are
 * none. Who knows another way in gets there all the same, and nobody is led to call strangers without an end.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { CID } from 'multiformats/cid'
import { RAW } from '../../../src/core/cid.ts'
import { type Home, Homes, until } from '../../e2e/homes.ts'
import { type RoutingNode, RoutingNodes } from '../../e2e/routing-nodes.ts'
import { assertSame, MIB, writeNoise } from '../../e2e/trees.ts'
import { cidOf } from '../../unit/store-fixture.ts'
import { assertCalm } from '../log.ts'
import { tally } from '../tally.ts'
import { type KadLiar, keysClosest, type Lies, type Named, startLiar } from './kad-liar.ts'

/** As many as hold a record. */
const K = 20

const HONEST = 12

/** Liars that each honest node meets first. */
const MET = 3

const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

/** Providers named that are none, half of them at an address that counts its calls. */
const NOBODIES = 2_000

/** kad-dht calls whom it hears of, to see whether they belong in its table, and each of the two DHTs has one. */
const MOST_CALLS = 2 * (NOBODIES / 2)

/** A look that finds nobody ends after this long, in ms. */
const LOOK_MS = 10_000
const ANNOUNCE_MS = 60_000

test('an attacker with the K closest ids of a key hides it from the DHT, and from nobody who has another way', async (t) => {
  const { homes, seeder, cid, source } = await seeded(t)
  const nodes = await honest(t)
  const key = CID.parse(cid)
  const ids = [...nodes.map(({ libp2p }) => libp2p.peerId.toMultihash().bytes), ...(await idsOf([seeder]))]
  const liars = await band(t, await keysClosest(key, ids, K), (all) => ({
    closer: () => all,
    providers: () => [],
  }))
  await joinAll(nodes, liars)
  const [asker, announcer] = nodes
  assert.ok(asker !== undefined && announcer !== undefined)
  await announcer.routing.announce(key, { signal: AbortSignal.timeout(ANNOUNCE_MS) })
  // it would answer for itself, which in a large network nobody comes by to ask
  await announcer.stop()
  assert.deepEqual(await found(asker, key), [], 'the attack works')
  assert.ok(liars.some((liar) => liar.asked() > 0))

  const bootstrap = liars.slice(0, 3).map(addressOf).join(' ')
  const [byLink, bySwarm] = [await homes.add('link', { bootstrap }), await homes.add('swarm', { bootstrap })]
  await byLink.share('get', await seeder.share('link', cid), '-o', homes.path('by-link'))
  await assertSame(homes.path('by-link'), source)
  await seeder.share('pause', cid)
  await bySwarm.share('get', cid, '--peer', await byLink.address(), '-o', homes.path('by-swarm'))
  await assertSame(homes.path('by-swarm'), source)
  tally('a key whose K closest ids are an attacker’s', 1, 'found by the link, and by one peer of the swarm')
})

test('liars that name only each other do not hide what honest nodes hold', async (t) => {
  const nodes = await honest(t)
  const keys = await Promise.all(Array.from({ length: HONEST }, () => generateKeyPair('Ed25519')))
  const liars = await band(t, keys, (all) => ({ closer: () => all, providers: () => [] }))
  await joinAll(nodes, liars)
  const [announcer, ...askers] = nodes
  assert.ok(announcer !== undefined)
  for (let at = 0; at < 5; at++) {
    const cid = cidOf(RAW, Buffer.from(`content ${at}`))
    await announcer.routing.announce(cid, { signal: AbortSignal.timeout(ANNOUNCE_MS) })
    const asker = askers[at]
    assert.ok(asker !== undefined)
    const wanted = announcer.libp2p.peerId.toString()
    await until('the provider is found', async () => (await found(asker, cid)).includes(wanted))
  }
  assert.ok(liars.some((liar) => liar.asked() > 0))
  tally('keys looked for among as many liars as honest nodes', 5, 'the provider was found')
})

test('providers that are none cost some dials, and the download completes', async (t) => {
  const { homes, seeder, cid, source } = await seeded(t)
  const calls = await canary(t)
  const nobody = await Promise.all(
    Array.from({ length: NOBODIES }, async (_, at): Promise<Named> => {
      const id = peerIdFromPrivateKey(await generateKeyPair('Ed25519')).toMultihash().bytes
      return { id, addresses: [`/ip4/127.0.0.1/tcp/${at % 2 === 0 ? calls.port : 9}`] }
    }),
  )
  const lies = { closer: () => [], providers: () => nobody }
  const liars = await band(t, [await generateKeyPair('Ed25519')], () => lies)
  const bootstrap = liars.map(addressOf).join(' ')
  const leecher = await homes.add('leecher', { bootstrap })
  const getting = leecher.start('get', cid, '-o', homes.path('copy'))
  await until('it was led astray', () => calls.count() > 0)
  await seeder.connect(leecher)
  assert.equal((await getting.ended).code, 0)
  await assertSame(homes.path('copy'), source)
  assert.ok(calls.count() <= MOST_CALLS, `${calls.count()} calls`)
  await assertCalm(leecher)
  tally('providers named that are none', nobody.length, 'at most two calls to each, the download completed')
})

async function seeded(t: TestContext): Promise<{ homes: Homes; seeder: Home; cid: string; source: string }> {
  const homes = await Homes.open(t)
  const seeder = await homes.add('seeder')
  const source = homes.path('source')
  await writeNoise(source, 3 * MIB, 7)
  return { homes, seeder, cid: await seeder.share('add', '-q', source), source }
}

async function idsOf(homes: readonly Home[]): Promise<Uint8Array[]> {
  return Promise.all(homes.map(async (home) => peerIdFromString(await home.peerId()).toMultihash().bytes))
}

async function honest(t: TestContext): Promise<RoutingNode[]> {
  const network = new RoutingNodes()
  t.after(() => network.clear())
  return Promise.all(Array.from({ length: HONEST }, () => network.start({ config: { dht: 'server' } })))
}

async function band(
  t: TestContext,
  keys: readonly PrivateKey[],
  lies: (all: readonly Named[]) => Lies,
): Promise<KadLiar[]> {
  const all: Named[] = []
  const liars = await Promise.all(keys.map((key) => startLiar(key, LOOPBACK, lies(all))))
  all.push(...liars.map(({ named }) => named))
  t.after(() => Promise.all(liars.map((liar) => liar.stop())))
  return liars
}

/** Every honest node knows its neighbour and some liars, as chance has it; the lookups do the rest. */
async function joinAll(nodes: readonly RoutingNode[], liars: readonly KadLiar[]): Promise<void> {
  for (const [at, node] of nodes.entries()) {
    const next = nodes[(at + 1) % nodes.length]
    const met = Array.from({ length: MET }, (_, count) => liars[(at + count) % liars.length])
    for (const { libp2p } of [next, ...met].filter((each) => each !== undefined))
      await until('they have met', () =>
        node.libp2p.dial(libp2p.getMultiaddrs()).then(
          () => true,
          () => false,
        ),
      )
  }
}

const addressOf = ({ libp2p }: KadLiar): string => String(libp2p.getMultiaddrs()[0])

async function found(node: RoutingNode, cid: CID): Promise<string[]> {
  const ids: string[] = []
  const signal = AbortSignal.timeout(LOOK_MS)
  for await (const { id } of node.routing.findProviders(cid, { signal })) ids.push(id.toString())
  return ids
}

/** Somewhere to be called at by those who believe liars. */
async function canary(t: TestContext): Promise<{ port: number; count: () => number }> {
  let count = 0
  const server = createServer((socket) => {
    count++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return { port: address.port, count: () => count }
}
