/** Reading while it comes: what somebody waits for is fetched first. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { type Home, Homes, until } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const SIZE = 24 * MIB

async function leeching(t: Parameters<typeof Homes.open>[0]): Promise<{
  homes: Homes
  leecher: Home
  cid: string
  source: string
}> {
  const homes = await Homes.open(t)
  const [seeder, leecher] = [await homes.add('seeder', { 'limits.up': '2MB' }), await homes.add('leecher')]
  const source = homes.path('source')
  await writeNoise(source, SIZE, 1)
  const cid = await seeder.share('add', '-q', source)
  await leecher.connect(seeder)
  return { homes, leecher, cid, source }
}

async function haveOf(home: Home, cid: string): Promise<number> {
  return (await home.shares()).find((share) => share.cid === cid)?.pieces.have ?? 0
}

test('cat reads the end of a file out of its running download, while most of it is missing', async (t) => {
  const { homes, leecher, cid, source } = await leeching(t)
  const getting = leecher.start('get', cid, '-o', homes.path('target'))
  await until('it has begun', async () => (await haveOf(leecher, cid)) > 0)
  const first = SIZE - 2 * MIB
  const end = await leecher.bytes('cat', cid, '--range', `${first}-`)
  const have = await haveOf(leecher, cid)
  t.diagnostic(`${have} of ${SIZE / MIB} pieces were here`)
  assert.ok(have < SIZE / MIB / 2, `${have} pieces`)
  assert.deepEqual(end, (await readFile(source)).subarray(first))
  assert.equal((await getting.ended).code, 0)
  await assertSame(homes.path('target'), source)
  const { downloaded } = await leecher.status(cid)
  assert.ok(downloaded < SIZE + 2 * MIB, `${downloaded} bytes came`)
})

test('a streamed download goes from the start on', async (t) => {
  const { homes, leecher, cid, source } = await leeching(t)
  const target = homes.path('target')
  const getting = leecher.start('get', cid, '-o', target, '--stream')
  const have = await until('a third is here', async () => {
    const pieces = await haveOf(leecher, cid)
    return pieces >= 8 && pieces
  })
  // what is offered before the first piece is urgent may be any
  const first = (have - 4) * MIB
  const [partial, whole] = [await readFile(`${target}.part`), await readFile(source)]
  assert.ok(partial.subarray(0, first).equals(whole.subarray(0, first)), `${have} pieces are not the first`)
  assert.equal((await getting.ended).code, 0)
  await assertSame(target, source)
})
