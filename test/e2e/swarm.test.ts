/** Several leechers at once: each gives what it has while it is still getting the rest. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Homes } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const SIZE = 48 * MIB

/** So slow that leechers have time to meet. */
const UPLINK = '6MB'

test('three leechers that know only the seeder download from each other too', async (t) => {
  const homes = await Homes.open(t)
  const seeder = await homes.add('seeder', { 'limits.up': UPLINK })
  const leechers = [await homes.add('one'), await homes.add('two'), await homes.add('three')]
  const source = homes.path('source')
  await writeNoise(source, SIZE, 1)
  const cid = await seeder.share('add', '-q', source)
  for (const leecher of leechers) await leecher.connect(seeder)
  await Promise.all(
    leechers.map((leecher, at) => leecher.share('get', cid, '-o', homes.path(`target-${at}`))),
  )
  for (const [at, leecher] of leechers.entries()) {
    await assertSame(homes.path(`target-${at}`), source)
    const { state, uploaded, downloaded, peers } = await leecher.status(cid)
    t.diagnostic(
      `leecher ${at}: ${uploaded / MIB} MiB up, ${downloaded / MIB} MiB down, ${peers.length} peers`,
    )
    assert.equal(state, 'seeding')
    assert.ok(uploaded > 0 && downloaded >= SIZE)
    assert.ok(peers.every(({ wire }) => wire === 'bitswap'))
  }
  const { uploaded } = await seeder.status(cid)
  t.diagnostic(`seeder: ${uploaded / MIB} MiB up of ${SIZE / MIB} MiB`)
  assert.ok(uploaded < leechers.length * SIZE, 'the seeder sent everything itself')
})
