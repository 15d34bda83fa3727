/** A share's life from command to command: paused, resumed, interrupted, removed, and over restarts of the daemon. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFile, readdir, rm, stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import type { GcResult, ShareInfo } from '../../src/node/types.ts'
import { type Home, Homes, until } from './homes.ts'
import { assertSame, MIB, sizeOnDisk, writeNoise } from './trees.ts'

const SIZE = 24 * MIB

/** So slow that a download can be caught under way. */
const UPLINK = '4MB'

// most of the time is waiting
describe("a share's life", { concurrency: 2 }, () => {
  test('a paused download keeps what it has, over a restart too, and goes on when resumed', async (t) => {
    const { a, b, cid, source, target } = await underWay(t)
    await b.share('pause', cid)
    const paused = await b.status(cid)
    assert.equal(paused.state, 'paused')
    assert.ok(paused.have > 0 && paused.size === SIZE)
    await b.stop()
    const again = await b.status(cid)
    assert.deepEqual([again.state, again.have], ['paused', paused.have])
    await b.share('resume', cid)
    await b.connect(a)
    await seeding(b, cid)
    await assertSame(target, source)
    assert.ok((await a.status(cid)).uploaded < 1.5 * SIZE)
  })

  test('Ctrl-C ends a get with 130, and the same command goes on', async (t) => {
    const { a, b, cid, source, target, getting } = await underWay(t)
    getting.process.kill('SIGINT')
    const { code, stderr } = await getting.ended
    assert.equal(code, 130)
    assert.match(stderr, /run the same command again to resume\n$/)
    await until('it is paused', async () => (await b.status(cid)).state === 'paused')
    await b.share('get', cid, '-o', target)
    await assertSame(target, source)
    assert.ok((await a.status(cid)).uploaded < 1.5 * SIZE)
  })

  test('a daemon that restarts goes on downloading by itself, and goes on seeding', async (t) => {
    const { homes, a, b, cid, source, target, getting } = await underWay(t)
    await b.stop()
    assert.equal((await getting.ended).code, 5)
    await b.share('daemon', 'start')
    // who it was told of, it remembers; the others it finds
    await b.connect(a)
    await seeding(b, cid)
    await assertSame(target, source)
    await a.stop()
    await b.stop()
    await b.share('daemon', 'start')
    const c = await homes.add('c')
    await c.share('get', cid, '-o', homes.path('third'), '--peer', await b.address())
    await assertSame(homes.path('third'), source)
  })

  test('rm of an unfinished download takes its partial file away', async (t) => {
    const { homes, b, cid, getting } = await underWay(t)
    assert.ok((await readdir(homes.work)).includes('target.part'))
    await b.share('rm', cid)
    assert.notEqual((await getting.ended).code, 0)
    assert.deepEqual(await b.shares(), [])
    assert.deepEqual((await readdir(homes.work)).sort(), ['home-a', 'home-b', 'source'])
  })

  test('rm and gc: the files of their owner stay, what only the store had goes', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const source = homes.path('source')
    await writeNoise(source, SIZE, 1)
    const cid = await a.share('add', '-q', '--copy', source)
    const held = await sizeOnDisk(a.path)
    assert.ok(held > SIZE)
    await a.share('rm', cid)
    const { bytes } = await a.json<GcResult>('gc')
    assert.ok(bytes >= SIZE)
    assert.ok((await sizeOnDisk(a.path)) < held - SIZE / 2)
    assert.equal((await stat(source)).size, SIZE)
    assert.deepEqual(await a.json<GcResult>('gc'), { blocks: 0, bytes: 0 })
    // and it can be added again
    assert.equal(await a.share('add', '-q', source), cid)
    assert.equal((await a.status(cid)).state, 'seeding')
  })

  test('a paused seed serves nobody until it is resumed', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    const [source, target] = [homes.path('source'), homes.path('target')]
    await writeNoise(source, SIZE, 1)
    const cid = await a.share('add', '-q', source)
    await a.share('pause', cid)
    await b.connect(a)
    const getting = b.start('get', cid, '-o', target)
    await until('it is under way', async () => (await b.shares()).length === 1)
    assert.deepEqual([(await a.status(cid)).state, (await b.status(cid)).have], ['paused', 0])
    await a.share('resume', cid)
    assert.equal((await getting.ended).code, 0)
    await assertSame(target, source)
  })

  test('a share with --copy outlives its file', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    const [source, original] = [homes.path('source'), homes.path('original')]
    await writeNoise(source, 3 * MIB + 1, 1)
    await copyFile(source, original)
    const cid = await a.share('add', '-q', '--copy', source)
    await rm(source)
    await b.connect(a)
    await b.share('get', cid, '-o', homes.path('target'))
    await assertSame(homes.path('target'), original)
    assert.equal((await a.status(cid)).state, 'seeding')
  })

  test('what is here already is not fetched again', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    const [source, target, second] = [homes.path('source'), homes.path('target'), homes.path('second')]
    await writeNoise(source, SIZE, 1)
    const cid = await a.share('add', '-q', source)
    await b.connect(a)
    await b.share('get', cid, '-o', target)
    await a.stop()
    assert.equal(await b.share('get', cid, '-o', target), target)
    assert.equal(await b.share('get', cid, '-o', second), second)
    await assertSame(second, source)
    assert.equal(await b.share('add', '-q', second), cid)
  })

  test('status --watch tells what changes', async (t) => {
    const { b, cid } = await underWay(t)
    const watching = b.start('status', '--watch', '--json')
    assert.ok(watching.process.stdout !== null)
    const seen: number[] = []
    for await (const line of createInterface(watching.process.stdout)) {
      const { shares } = JSON.parse(line) as { shares: ShareInfo[] }
      const share = shares.find((each) => each.cid === cid)
      if (share !== undefined && share.have !== seen.at(-1)) seen.push(share.have)
      if (share?.state === 'seeding') break
    }
    assert.ok(seen.length > 1 && seen.at(-1) === SIZE, `${seen}`)
    watching.process.kill('SIGINT')
    assert.deepEqual(await once(watching.process, 'exit'), [130, null])
  })
})

interface UnderWay {
  readonly homes: Homes
  readonly a: Home
  readonly b: Home
  readonly cid: string
  readonly source: string
  readonly target: string
  readonly getting: ReturnType<Home['start']>
}

/** A download from `a` to `b` that has begun. */
async function underWay(t: TestContext): Promise<UnderWay> {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a', { 'limits.up': UPLINK }), await homes.add('b')]
  const [source, target] = [homes.path('source'), homes.path('target')]
  await writeNoise(source, SIZE, 1)
  const cid = await a.share('add', '-q', source)
  await b.connect(a)
  const getting = b.start('get', cid, '-o', target)
  await until('some of it is here', async () => {
    return ((await b.shares()).find((share) => share.cid === cid)?.have ?? 0) > 0
  })
  return { homes, a, b, cid, source, target, getting }
}

async function seeding(home: Home, cid: string): Promise<void> {
  await until('it is seeded', async () => (await home.status(cid)).state === 'seeding')
}
