/** The main job: real files and trees from one home to another, and on to a third when the first is gone. */
import assert from 'node:assert/strict'
import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { DEFAULT_CONFIG } from '../../src/node/config.ts'
import { CHECKOUT, type Home, Homes, until } from './homes.ts'
import { assertSame } from './trees.ts'

const BIG_FILE = join(CHECKOUT, 'node_modules/node/bin/node')
const SMALL_TREE = join(CHECKOUT, 'node_modules/typescript')
const BIG_TREE = join(CHECKOUT, 'node_modules/@libp2p')

/** Gets a CID and compares what came with what was added. */
async function fetched(home: Home, cid: string, source: string, target: string): Promise<void> {
  assert.equal(await home.share('get', cid, '-o', target, '-q'), target)
  await assertSame(target, source)
}

test('files and trees reach a second home, and from there a third one', async (t) => {
  const homes = await Homes.open(t)
  const [a, b, c] = [await homes.add('a'), await homes.add('b'), await homes.add('c')]
  assert.ok((await stat(BIG_FILE)).size >= 100e6)
  const sources = [BIG_FILE, SMALL_TREE, BIG_TREE]
  const cids: string[] = []
  for (const source of sources) cids.push(await a.share('add', '-q', source))
  await b.connect(a)
  await mkdir(homes.path('b'))
  await mkdir(homes.path('c'))
  for (const [at, cid] of cids.entries()) await fetched(b, cid, sources[at] ?? '', homes.path('b', `${at}`))
  for (const cid of cids) {
    const { state, size, have, uploaded, downloaded } = await b.status(cid)
    assert.deepEqual([state, have, uploaded], ['seeding', size, 0])
    assert.equal((await a.status(cid)).uploaded, downloaded)
  }
  await a.stop()
  await c.connect(b)
  for (const [at, cid] of cids.entries()) await fetched(c, cid, sources[at] ?? '', homes.path('c', `${at}`))
})

test('two homes that nobody told a port get one each, and keep it', async (t) => {
  const homes = await Homes.open(t)
  const listen = DEFAULT_CONFIG.listen.join(' ')
  const [a, b] = [await homes.add('a', { listen }), await homes.add('b', { listen })]
  const cid = await a.share('add', '-q', join(SMALL_TREE, 'package.json'))
  const link = await a.share('link', '--no-torrent', cid)
  await fetched(b, link, join(SMALL_TREE, 'package.json'), homes.path('got'))
  const portsOf = async (): Promise<string[]> =>
    Promise.all([a, b].map((home) => home.share('config', 'get', 'listen')))
  const ports = await portsOf()
  assert.notEqual(ports[0], ports[1])
  await a.stop()
  await b.stop()
  await b.share('daemon', 'start')
  await a.share('daemon', 'start')
  assert.deepEqual(await portsOf(), ports)
})

test('two homes that know only a third one find each other by the DHT', async (t) => {
  const { homes, a, b } = await strangers(t)
  const cid = await a.share('add', '-q', SMALL_TREE)
  await until('it is announced', async () => (await a.status(cid)).announced)
  await fetched(b, cid, SMALL_TREE, homes.path('got'))
  assert.deepEqual(
    (await b.status(cid)).peers.map(({ id, wire }) => [id, wire]),
    [[await a.peerId(), 'share']],
  )
})

test('who asks before anybody has it is found by the one who adds it later', async (t) => {
  const { homes, a, b } = await strangers(t)
  const source = join(SMALL_TREE, 'package.json')
  const cid = await homes.add('alone').then((home) => home.share('add', '-q', source))
  const waiting = b.start('get', cid, '-o', homes.path('got'), '--timeout', '60')
  await until('it is searched for', async () => (await b.shares()).length === 1)
  assert.equal(await a.share('add', '-q', source), cid)
  assert.equal((await waiting.ended).code, 0)
  await assertSame(homes.path('got'), source)
})

/** Two homes that are connected to a meeting node and not to each other. */
async function strangers(t: TestContext): Promise<{ homes: Homes; a: Home; b: Home }> {
  const homes = await Homes.open(t)
  const [a, b, meeting] = [await homes.add('a'), await homes.add('b'), await homes.add('meeting')]
  await a.connect(meeting)
  await b.connect(meeting)
  return { homes, a, b }
}
