/** Files and trees of every shape that people have, and the ways to name a part of one. */
import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ListEntry, ShareInfo } from '../../src/node/types.ts'
import { type Home, Homes } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

test('names and kinds of files: they all arrive, in both profiles', async (t) => {
  const { homes, a, b } = await connected(t)
  const tree = homes.path('a tree')
  await makeTree(tree)
  const cids = new Set<string>()
  for (const profile of ['unixfs-v1-2025', 'unixfs-v0-2015']) {
    const cid = await a.share('add', '-q', '--profile', profile, tree)
    cids.add(cid)
    await b.share('get', cid, '-o', homes.path(profile))
    await assertSame(homes.path(profile), tree)
  }
  assert.equal(cids.size, 2)
})

test('2,000 small files in one directory', async (t) => {
  const { homes, a, b } = await connected(t)
  const tree = homes.path('tree')
  await mkdir(tree)
  for (let at = 0; at < 2_000; at++) await writeFile(join(tree, `file number ${at}`), `content ${at % 1_500}`)
  const { cid, size } = await a.json<ShareInfo>('add', tree)
  await b.share('get', cid, '-o', homes.path('got'))
  await assertSame(homes.path('got'), tree)
  const { have, pieces } = await b.status(cid)
  // equal files are one piece
  assert.deepEqual([have, pieces], [size, { total: 1_500, have: 1_500 }])
})

test('single files of every size at the edges of a piece', async (t) => {
  const { homes, a, b } = await connected(t)
  for (const size of [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB]) {
    const [source, target] = [homes.path(`source-${size}`), homes.path(`target-${size}`)]
    await writeNoise(source, size, size)
    const cid = await a.share('add', '-q', source)
    await b.share('get', cid, '-o', target)
    await assertSame(target, source)
    const { state, have } = await b.status(cid)
    assert.deepEqual([state, have], ['seeding', size])
  }
})

test('parts of a share: ls, cat, ranges, paths, links', async (t) => {
  const { homes, a, b } = await connected(t)
  const tree = homes.path('a tree')
  await makeTree(tree)
  const cid = await a.share('add', '-q', tree)

  const listed = (await b.share('ls', cid, '--json')).split('\n').map((line) => JSON.parse(line) as ListEntry)
  assert.deepEqual(
    listed.map(({ name, kind }) => [name, kind]),
    [
      ['empty directory', 'directory'],
      ['empty file', 'file'],
      ['link to a file', 'symlink'],
      ['repeated', 'directory'],
      ['with spaces', 'directory'],
      ['ünïcødé 文件 🎈', 'file'],
    ],
  )
  assert.match(await b.share('ls', `${cid}/with spaces`), /3\.1 MB {2}deep$/m)

  const file = await readFile(join(tree, 'with spaces/deep'))
  const deep = `${cid}/with spaces/deep`
  for (const [range, bytes] of [
    [[], file],
    [['--range', '0-0'], file.subarray(0, 1)],
    [['--range', `${MIB - 1}-${MIB}`], file.subarray(MIB - 1, MIB + 1)],
    [['--range', `${file.length - 3}-`], file.subarray(-3)],
  ] as const) {
    assert.equal(Buffer.compare(await b.bytes('cat', deep, ...range), bytes), 0, range.join(' '))
  }

  await mkdir(homes.path('into'))
  assert.equal(await b.share('get', deep, '-o', homes.path('into')), homes.path('into', 'deep'))
  await assertSame(homes.path('into', 'deep'), join(tree, 'with spaces/deep'))

  const stranger = await homes.add('stranger')
  const link = await a.share('link', cid)
  assert.equal(await stranger.share('get', link, '-o', homes.path('into')), homes.path('into', 'a tree'))
  await assertSame(homes.path('into', 'a tree'), tree)
})

async function connected(t: TestContext): Promise<{ homes: Homes; a: Home; b: Home }> {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a'), await homes.add('b')]
  await b.connect(a)
  return { homes, a, b }
}

async function makeTree(path: string): Promise<void> {
  await mkdir(join(path, 'with spaces'), { recursive: true })
  await mkdir(join(path, 'empty directory'))
  await mkdir(join(path, 'repeated/once/more'), { recursive: true })
  await writeFile(join(path, 'empty file'), '')
  await writeFile(join(path, 'ünïcødé 文件 🎈'), 'hello')
  await writeNoise(join(path, 'with spaces/deep'), 3 * MIB - 1, 1)
  // the same bytes three times: as a file, as another, and as a part of a third
  const part = Buffer.alloc(MIB, 7)
  await writeFile(join(path, 'repeated/one'), part)
  await writeFile(join(path, 'repeated/once/two'), part)
  await writeFile(
    join(path, 'repeated/once/more/three'),
    Buffer.concat([part, part, Buffer.from('end'), part]),
  )
  await symlink('with spaces/deep', join(path, 'link to a file'))
}
