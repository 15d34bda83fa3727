/** A source that changed is never served, and said so; put back, it is served again. */
import assert from 'node:assert/strict'
import { copyFile, mkdir, open, rename, rm, truncate } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import type { ShareInfo } from '../../src/node/types.ts'
import { type Home, Homes, until } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const SIZE = 8 * MIB

const DAMAGES: readonly [string, (file: string) => Promise<void>][] = [
  ['one byte was flipped', flip],
  ['the file is gone', (file) => rm(file)],
  ['the file is shorter', (file) => truncate(file, SIZE - 1)],
  ['another file took its place', replace],
]

for (const [what, damage] of DAMAGES) {
  test(`${what}: no leecher stores it, status names it, and it is seeded again once it is back`, async (t) => {
    const { homes, a, b, cid, file, target } = await sharedTree(t)
    const original = homes.path('original')
    await copyFile(file, original)
    await damage(file)
    const getting = b.start('get', cid, '-o', target)
    const share = await until('the share is damaged', async () => {
      const found = await a.status(cid)
      return found.state === 'damaged' && found
    })
    assertNames(share, file)
    assert.ok((await a.share('status')).includes(`damaged: ${file}: `))
    assert.equal((await a.run('verify', cid)).code, 4)
    assert.equal((await b.status(cid)).state, 'downloading')

    await rm(file, { force: true })
    await copyFile(original, file)
    await a.share('verify', cid)
    const { state, damaged } = await a.status(cid)
    assert.deepEqual([state, damaged], ['seeding', []])
    assert.equal((await getting.ended).code, 0)
    await assertSame(target, homes.path('tree'))
  })
}

test('verify finds damage before anybody asks, and after a restart it is still known', async (t) => {
  const { a, cid, file } = await sharedTree(t)
  await flip(file)
  const checked = await a.run('verify', '--json')
  assert.equal(checked.code, 4)
  assert.deepEqual(
    JSON.parse(checked.stdout).damaged.map((each: { file: string }) => each.file),
    [file],
  )
  await a.stop()
  assertNames(await a.status(cid), file)
})

interface SharedTree {
  readonly homes: Homes
  readonly a: Home
  readonly b: Home
  readonly cid: string
  /** One file of the tree that `a` shares. */
  readonly file: string
  readonly target: string
}

async function sharedTree(t: TestContext): Promise<SharedTree> {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a'), await homes.add('b')]
  await mkdir(homes.path('tree'))
  const file = homes.path('tree', 'big file')
  await writeNoise(file, SIZE, 1)
  await writeNoise(homes.path('tree', 'other'), 3 * MIB, 2)
  const cid = await a.share('add', '-q', homes.path('tree'))
  await b.connect(a)
  return { homes, a, b, cid, file, target: homes.path('target') }
}

function assertNames({ state, damaged }: ShareInfo, file: string): void {
  assert.equal(state, 'damaged')
  assert.deepEqual(
    damaged.map((each) => each.file),
    [file],
  )
}

async function flip(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, SIZE / 2)
  await file.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, SIZE / 2)
}

async function replace(path: string): Promise<void> {
  await writeNoise(`${path}.new`, SIZE, 3)
  await rename(`${path}.new`, path)
}
