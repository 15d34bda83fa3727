/** Several leechers at once: each gives what it has while it is still getting the rest, by whatever wire others speak. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PeerInfo } from '../../src/node/types.ts'
import { type Home, Homes, until } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const SIZE = 32 * MIB

/** So slow that leechers have time to meet. */
const UPLINK = '6MB'

const SHARE_OFF = { 'wire.share': 'off' }

test('three leechers that know only the seeder download from each other too', async (t) => {
  const homes = await Homes.open(t)
  const leechers = [await homes.add('one'), await homes.add('two'), await homes.add('three')]
  const { cid, seeder } = await crowd(homes, leechers)
  for (const leecher of leechers) {
    const { uploaded, downloaded, peers } = await leecher.status(cid)
    t.diagnostic(`${uploaded / MIB} MiB up, ${downloaded / MIB} MiB down`)
    assert.ok(uploaded > 0 && downloaded >= SIZE)
    assert.equal(peers.length, 3, 'everybody has met everybody')
    for (const { wire, pieces, choked } of peers)
      assert.deepEqual([wire, pieces, choked], ['share', 32, true])
  }
  const { uploaded } = await seeder.status(cid)
  t.diagnostic(`seeder: ${uploaded / MIB} MiB up of ${SIZE / MIB} MiB`)
  assert.ok(uploaded < leechers.length * SIZE, 'the seeder sent everything itself')
})

test('a leecher that speaks Bitswap alone takes part in the same swarm', async (t) => {
  const homes = await Homes.open(t)
  const [one, two, other] = [
    await homes.add('one'),
    await homes.add('two'),
    await homes.add('other', SHARE_OFF),
  ]
  const { cid, seeder } = await crowd(homes, [one, two, other])
  const outsider = await other.peerId()
  for (const home of [seeder, one, two]) {
    for (const { id, wire } of (await home.status(cid)).peers)
      assert.equal(wire, id === outsider ? 'bitswap' : 'share', `${home.path} by ${wire}`)
  }
  const { peers, uploaded, downloaded } = await other.status(cid)
  t.diagnostic(`${uploaded / MIB} MiB up, ${downloaded / MIB} MiB down by Bitswap`)
  assert.ok(peers.length > 0 && peers.every(({ wire }) => wire === 'bitswap'))
  assert.ok(downloaded >= SIZE)
})

test('status tells how each peer stands while pieces move', async (t) => {
  const homes = await Homes.open(t)
  const [seeder, leecher] = [await homes.add('seeder', { 'limits.up': '1MB' }), await homes.add('leecher')]
  const source = homes.path('source')
  await writeNoise(source, SIZE, 1)
  const cid = await seeder.share('add', '-q', source)
  await leecher.connect(seeder)
  const getting = leecher.start('get', cid, '-o', homes.path('target'))
  const peerOf = async (home: Home): Promise<PeerInfo | undefined> =>
    (await home.shares()).find((share) => share.cid === cid)?.peers[0]
  const source1 = await until('pieces come', async () => {
    const peer = await peerOf(leecher)
    return peer !== undefined && peer.rates.down > 0 && peer
  })
  assert.deepEqual(
    [source1.wire, source1.pieces, source1.interested, source1.wanted, source1.snubbed],
    ['share', 32, true, false, false],
  )
  const taker = await until('they leave', async () => {
    const peer = await peerOf(seeder)
    return peer !== undefined && peer.rates.up > 0 && peer.pieces > 0 && peer
  })
  assert.deepEqual([taker.wire, taker.interested, taker.wanted, taker.choking], ['share', false, true, false])
  assert.match(await leecher.share('status'), /share {5}\S+ {2}32 of 32 pieces .* we are interested/)
  await leecher.kill()
  await getting.ended
})

/** A seeder, and leechers that know only the seeder; returns when all have everything. */
async function crowd(homes: Homes, leechers: readonly Home[]): Promise<{ cid: string; seeder: Home }> {
  const seeder = await homes.add('seeder', { 'limits.up': UPLINK })
  const source = homes.path('source')
  await writeNoise(source, SIZE, 1)
  const cid = await seeder.share('add', '-q', source)
  for (const leecher of leechers) await leecher.connect(seeder)
  const targets = leechers.map((_, at) => homes.path(`target-${at}`))
  await Promise.all(leechers.map((leecher, at) => leecher.share('get', cid, '-o', targets[at] ?? '')))
  for (const target of targets) await assertSame(target, source)
  for (const leecher of leechers) assert.equal((await leecher.status(cid)).state, 'seeding')
  return { cid, seeder }
}
