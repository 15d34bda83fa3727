/** `kill -9` at any moment: what was stored is not fetched again, and nothing is ever wrong. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { open, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPrng } from '../../src/core/prng.ts'
import type { ShareInfo } from '../../src/node/types.ts'
import { type Home, Homes, until } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const KILLS = 10
const SIZE = 160 * MIB

/** So slow that ten kills find the download under way. */
const UPLINK = '2MB'

/** Longest wait before a kill, in ms. */
const LONGEST_WAIT = 1_000

/** What a leecher asks ahead at this rate, in bytes: one kill can lose no more. */
const IN_FLIGHT = 4 * MIB

test('a leecher killed at ten random moments fetches only what was in flight again', async (t) => {
  const seed = randomInt(2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const prng = createPrng(seed)
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a', { 'limits.up': UPLINK }), await homes.add('b')]
  const [source, target] = [homes.path('source'), homes.path('target')]
  await writeNoise(source, SIZE, seed)
  const cid = await a.share('add', '-q', source)
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await haveOf(b, cid)
    await b.connect(a)
    const getting = b.start('get', cid, '-o', target)
    await until('it goes on', async () => (await haveOf(b, cid)) > before)
    await sleep(prng.below(LONGEST_WAIT))
    const stored = await haveOf(b, cid)
    await b.crash()
    assert.equal((await getting.ended).code, 5)
    // with its only source silent, all that the leecher has is what it finds on its disk
    await a.share('pause', cid)
    await b.share('daemon', 'start')
    await until('it has found 90 % of it again', async () => (await haveOf(b, cid)) >= 0.9 * stored)
    await a.share('resume', cid)
  }
  await a.share('config', 'set', 'limits.up', 'unlimited')
  await a.stop()
  await b.connect(a)
  await b.share('get', cid, '-o', target)
  await assertSame(target, source)
  const { uploaded } = await a.status(cid)
  t.diagnostic(`${KILLS} kills cost ${(uploaded - SIZE) / MIB} MiB of ${SIZE / MIB} MiB`)
  assert.ok(uploaded >= SIZE && uploaded <= SIZE + KILLS * IN_FLIGHT, `${uploaded} bytes uploaded of ${SIZE}`)
})

test('a seeder killed in the middle seeds again by itself, and the leecher goes on', async (t) => {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a', { 'limits.up': UPLINK }), await homes.add('b')]
  const [source, target] = [homes.path('source'), homes.path('target')]
  await writeNoise(source, 12 * MIB, 1)
  const cid = await a.share('add', '-q', source)
  const getting = b.start('get', cid, '-o', target, '--peer', await a.address())
  await until('some of it is here', async () => (await haveOf(b, cid)) > 0)
  await a.crash()
  await a.share('daemon', 'start')
  assert.equal((await getting.ended).code, 0)
  await assertSame(target, source)
})

test('an add that was killed leaves no share behind, and can be done again', async (t) => {
  const homes = await Homes.open(t)
  const a = await homes.add('a')
  const source = homes.path('source')
  // zeros that take no space, and seconds to hash
  await using file = await open(source, 'w')
  await file.truncate(4096 * MIB)
  await a.share('daemon', 'start')
  const adding = a.start('add', '-q', source)
  const { pid } = await a.daemon()
  const moment = randomInt(1024 * MIB)
  await until('that much was read', async () => (await bytesRead(pid)) > moment)
  await a.crash()
  assert.equal((await adding.ended).code, 5)
  assert.deepEqual(await a.shares(), [])
  await file.truncate(64 * MIB)
  const { cid } = await a.json<ShareInfo>('add', source)
  const { state, size, pieces } = await a.status(cid)
  assert.deepEqual([state, size, pieces], ['seeding', 64 * MIB, { total: 1, have: 1 }])
})

/** Bytes stored of a share; 0 before it is known. */
async function haveOf(home: Home, cid: string): Promise<number> {
  return (await home.shares()).find((share) => share.cid === cid)?.have ?? 0
}

/** What a process has read so far. */
async function bytesRead(pid: number): Promise<number> {
  const [, bytes = ''] = /^rchar: (\d+)$/m.exec(await readFile(`/proc/${pid}/io`, 'utf8')) ?? []
  return Number(bytes)
}
