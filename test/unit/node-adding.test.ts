/** Adding again: what did not change is not read a second time, and what did is. */
import assert from 'node:assert/strict'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { addPath } from '../../src/node/adding.ts'
import type { AddOptions } from '../../src/node/types.ts'
import { openStore } from '../../src/store/store.ts'
import type { ShareRow, Store } from '../../src/store/types.ts'
import { tempDir, tempStore } from './store-fixture.ts'

/** Ms after which a change would show in a file's times. */
const SETTLES = 2_100

/** A tree of two files and a link. */
async function makeTree(directory: string): Promise<string> {
  const tree = join(directory, 'tree')
  await mkdir(join(tree, 'below'), { recursive: true })
  await writeFile(join(tree, 'one'), 'one')
  await writeFile(join(tree, 'below', 'two'), 'two')
  await symlink('one', join(tree, 'link'))
  return tree
}

/** Adds, and says whether a share was made of it anew. */
async function added(
  context: TestContext,
  store: Store,
  path: string,
  options: AddOptions = {},
): Promise<{ row: ShareRow; anew: boolean }> {
  const made = context.mock.method(store, 'addShare')
  const row = await addPath(store, path, options)
  made.mock.restore()
  return { row, anew: made.mock.callCount() > 0 }
}

describe('a tree that was added', { concurrency: true }, () => {
  const changes: Record<string, (tree: string) => Promise<unknown>> = {
    'a file has other bytes of the same number': (tree) => writeFile(join(tree, 'one'), 'eno'),
    'a file came': (tree) => writeFile(join(tree, 'below', 'three'), ''),
    'a file went': (tree) => rm(join(tree, 'below', 'two')),
    'a file was renamed': (tree) => rename(join(tree, 'one'), join(tree, 'uno')),
    'a directory came': (tree) => mkdir(join(tree, 'empty')),
    'a link points elsewhere': async (tree) => {
      await rm(join(tree, 'link'))
      await symlink('below/two', join(tree, 'link'))
    },
  }
  for (const [what, change] of Object.entries(changes)) {
    test(`is read again when ${what}`, async (context) => {
      const directory = await tempDir(context)
      const tree = await makeTree(directory)
      await sleep(SETTLES)
      const store = await tempStore(context, join(directory, 'home'))
      const before = await added(context, store, tree)
      await change(tree)
      const after = await added(context, store, tree)
      assert.ok(after.anew)
      assert.notEqual(after.row.root, before.row.root)
    })
  }

  test('is not read again when nothing changed, also after a restart', async (context) => {
    const directory = await tempDir(context)
    const tree = await makeTree(directory)
    await sleep(SETTLES)
    const first = await openStore(join(directory, 'home'))
    const { row, anew } = await added(context, first, tree)
    assert.ok(anew)
    assert.deepEqual(await added(context, first, tree), { row, anew: false })
    await first.close()
    const second = await tempStore(context, join(directory, 'home'))
    const progress: unknown[] = []
    const again = await added(context, second, tree, { onProgress: (one) => progress.push(one) })
    assert.deepEqual(again, { row, anew: false })
    assert.deepEqual(progress, [{ done: 6, total: 6, files: 2 }])
    const renamed = await added(context, second, tree, { name: 'other' })
    assert.deepEqual(renamed, { row: { ...row, name: 'other' }, anew: false })
    assert.equal(second.share(row.root)?.name, 'other')
  })

  test('is read again for another profile, for a copy, and where damage is known', async (context) => {
    const directory = await tempDir(context)
    const tree = await makeTree(directory)
    await sleep(SETTLES)
    const store = await tempStore(context, join(directory, 'home'))
    const { row } = await added(context, store, tree)
    assert.ok((await added(context, store, tree, { profile: 'unixfs-v0-2015' })).anew)
    await store.update(row.root, { damaged: [{ file: join(tree, 'one'), reason: 'missing' }] })
    assert.ok((await added(context, store, tree)).anew)
    assert.deepEqual(store.share(row.root)?.damaged, [])
    assert.ok((await added(context, store, tree, { copy: true })).anew)
  })

  test('is read again while its files changed a moment ago', async (context) => {
    const directory = await tempDir(context)
    const tree = await makeTree(directory)
    const store = await tempStore(context, join(directory, 'home'))
    for (let times = 0; times < 2; times++) assert.ok((await added(context, store, tree)).anew)
  })
})
