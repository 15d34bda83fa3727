/** Memory and disk do not grow with what is shared: figures of the kernel, not of the program. */
import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { memoryOf } from '../bench/memory.ts'
import { type Home, Homes } from './homes.ts'
import { assertSame, MIB, sizeOnDisk, writeNoise } from './trees.ts'

const SIZE = 1024 * MIB

/** Most resident memory of the daemon, in bytes. */
const MOST_FOR_ADD = 200e6
const MOST_FOR_GET = 300e6

/** Keys, catalogue and log, in bytes on disk. */
const MOST_HOME = 8 * MIB

test('sharing 1 GiB keeps no second copy, and neither end keeps it in memory', async (t) => {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a'), await homes.add('b')]
  const [source, target] = [homes.path('source'), homes.path('target')]
  await writeNoise(source, SIZE, 1)
  const cid = await a.share('add', '-q', source)
  atMost(t, 'the daemon after adding 1 GiB', await peakMemory(a), MOST_FOR_ADD)
  atMost(t, 'the home after adding 1 GiB', await sizeOnDisk(a.path), MOST_HOME)
  await b.connect(a)
  await b.share('get', cid, '-o', target)
  atMost(t, 'the daemon after getting 1 GiB', await peakMemory(b), MOST_FOR_GET)
  atMost(t, 'the daemon after seeding 1 GiB', await peakMemory(a), MOST_FOR_GET)
  atMost(t, 'the home after getting 1 GiB', await sizeOnDisk(b.path), MOST_HOME)
  await assertSame(target, source)
  assert.equal((await stat(target)).nlink, 1)
})

function atMost(t: TestContext, what: string, bytes: number, most: number): void {
  t.diagnostic(`${what}: ${Math.round(bytes / 1e6)} MB`)
  assert.ok(bytes <= most, `${what}: ${bytes} bytes, not ${most}`)
}

/** The most that a home's daemon ever had resident, in bytes. */
async function peakMemory(home: Home): Promise<number> {
  return memoryOf((await home.daemon()).pid, 'VmHWM')
}
