/**
 * Needs root and Linux: nodes behind routers of several kinds, on a small internet in namespaces. The whole matrix is
 * measured by `npm run reach`; here are the pairs that differ in kind, and what has to survive.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kind, keepApart, pull, reboot } from './internet/internet.ts'
import { eventually, meet, Place, settled } from './internet/meeting.ts'
import type { Node } from './internet/node.ts'

const MIB = 1 << 20

/** Long enough to see what happens on the way: a quarter of a minute on a home's link. */
const LARGE = 100 * MIB

/** Within this a transfer goes on by itself, in ms. */
const RESUMES_WITHIN = 30_000

test('homes meet: directly where a router or an address lets them, else at the relay', async (t) => {
  const place = await open(t)
  const pairs: [Kind, Kind, 'direct' | 'relayed'][] = [
    ['port-restricted', 'port-restricted', 'direct'],
    ['symmetric', 'symmetric', 'relayed'],
    ['full cone', 'symmetric', 'direct'],
    ['ipv6 only', 'websocket only', 'relayed'],
  ]
  for (const [from, to, way] of pairs) {
    const [seeder, leecher] = [await place.add(from), await place.add(to)]
    await settled(seeder)
    const meeting = await meet(seeder, leecher)
    t.diagnostic(`${from} -> ${to}: ${meeting.way}, first file after ${meeting.firstSeconds.toFixed(1)} s`)
    assert.equal(meeting.way, way, `${from} -> ${to}`)
    await seeder.stop()
    await leecher.stop()
  }
})

for (const kind of ['upnp', 'nat-pmp'] as const)
  test(`a router forwards a port when it is asked to (${kind}), and everybody can come in by it`, async (t) => {
    const place = await open(t)
    const [seeder, leecher] = [await place.add(kind), await place.add('symmetric')]
    await settled(seeder)
    assert.equal((await meet(seeder, leecher)).way, 'direct')
    await assertDoctorSees(seeder)
  })

/** No name server answers here, and that is heard of while the last check waits for a router that lets nobody in from behind. */
async function assertDoctorSees(node: Node): Promise<void> {
  const verdicts = new Map<string, string>()
  await node.client.doctor({ onCheck: ({ name, verdict }) => void verdicts.set(name, verdict) })
  const expected = { 'port mapping': 'ok', router: 'ok', DHT: 'ok', relays: 'ok', reachable: 'ok' }
  for (const [name, verdict] of Object.entries(expected)) assert.equal(verdicts.get(name), verdict, name)
  assert.match(verdicts.get('loop transfer') ?? 'none', /^(ok|warning)$/)
}

test('a transfer that begins on a relay ends on a direct path, and status says so', async (t) => {
  const place = await open(t)
  const [seeder, leecher] = [await place.add('port-restricted'), await place.add('port-restricted')]
  await settled(seeder)
  // a direct way is mostly found before anybody can look
  const letMeet = once(await keepApart(seeder.host, leecher.host.outside))
  const { done, cid, equal } = await begin(seeder, leecher)
  const ways: string[] = []
  while (!done()) {
    for (const way of await waysIn(leecher, cid)) if (ways.at(-1) !== way) ways.push(way)
    if (ways[0] === 'relayed' && (await have(leecher, cid)) > MIB) await letMeet()
    await sleep(100)
  }
  await equal()
  t.diagnostic(`the ways, as status told them: ${ways.join(', ')}`)
  assert.deepEqual(ways, ['relayed', 'direct'])
})

test('a transfer goes on by itself after the router of the seeder rebooted, the leecher had lost its network, and the address changed', async (t) => {
  const place = await open(t)
  const [seeder, leecher] = [await place.add('port-restricted'), await place.add('port-restricted')]
  await settled(seeder)
  const { getting, cid, equal } = await begin(seeder, leecher)
  await grows(leecher, cid)
  await reboot(seeder.host, 5_000)
  t.diagnostic(`went on ${await goesOn(leecher, cid)} s after the router was back`)
  await pull(leecher.host, 5_000)
  t.diagnostic(`went on ${await goesOn(leecher, cid)} s after the leecher had its cable again`)
  await place.internet.move(seeder.host)
  t.diagnostic(`went on ${await goesOn(leecher, cid)} s after the address changed`)
  await getting
  await equal()
})

test('two machines on one network without internet find each other and transfer directly', async (t) => {
  const place = await open(t)
  const [seeder, leecher] = await place.addLan(2)
  assert.ok(seeder !== undefined && leecher !== undefined)
  const { peerId } = await seeder.client.id()
  const started = performance.now()
  await eventually(
    'they have found each other',
    5_000,
    async () => (await leecher.wayTo(peerId)) === 'direct',
  )
  t.diagnostic(`found each other after ${((performance.now() - started) / 1000).toFixed(1)} s`)
  const path = seeder.path('file')
  await writeFile(path, randomBytes(MIB))
  const { cid } = await seeder.client.add({ path }, {})
  const signal = AbortSignal.timeout(30_000)
  await leecher.client.get({ target: cid, output: leecher.path('file') }, { signal })
  assert.ok((await readFile(leecher.path('file'))).equals(await readFile(path)))
  assert.equal((await seeder.client.id()).reachable, 'local only')
})

async function open(t: { after(work: () => Promise<void>): void }): Promise<Place> {
  const place = await Place.open()
  t.after(() => place.close())
  return place
}

/** Begins a large transfer by a link. */
async function begin(seeder: Node, leecher: Node) {
  const [source, target] = [seeder.path('large'), leecher.path('large')]
  await writeFile(source, randomBytes(LARGE))
  const { cid } = await seeder.client.add({ path: source }, {})
  const { link } = await seeder.client.link({ cid, torrent: false })
  const getting = leecher.client.get(
    { target: link, output: target },
    { signal: AbortSignal.timeout(150_000) },
  )
  let ended = false
  getting
    .catch(() => undefined)
    .finally(() => {
      ended = true
    })
  const equal = async (): Promise<void> => {
    await getting
    assert.ok((await readFile(target)).equals(await readFile(source)), 'other bytes came than were sent')
  }
  return { getting, done: () => ended, cid, equal }
}

/** By which ways the peers of a download are reached, as `share status` shows them. */
async function waysIn(node: Node, cid: string): Promise<string[]> {
  const { shares } = await node.client.status()
  const peers = shares.find((share) => share.cid === cid && share.state === 'downloading')?.peers ?? []
  return peers.flatMap(({ via }) => via ?? [])
}

async function have(node: Node, cid: string): Promise<number> {
  const { shares } = await node.client.status()
  return shares.find((share) => share.cid === cid)?.have ?? 0
}

async function grows(node: Node, cid: string): Promise<void> {
  const before = await have(node, cid)
  await eventually('more has come', RESUMES_WITHIN, async () => (await have(node, cid)) > before + 2 * MIB)
}

/** Seconds until a few more pieces have come; what was on its way already does not count. */
async function goesOn(node: Node, cid: string): Promise<string> {
  const started = performance.now()
  await grows(node, cid)
  return ((performance.now() - started) / 1000).toFixed(1)
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
