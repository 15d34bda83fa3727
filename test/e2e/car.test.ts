/** CAR files in and out, by the commands. */
import assert from 'node:assert/strict'
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { ImportResult } from '../../src/node/types.ts'
import { CHECKOUT, Homes } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const FIXTURES = join(CHECKOUT, 'fixtures/car')

/** The tree of fixtures/car. */
async function writeTree(path: string): Promise<void> {
  await mkdir(join(path, 'd/e'), { recursive: true })
  await writeFile(join(path, 'd/e/hello'), 'hello\n')
  await writeFile(join(path, 'd/again'), 'hello\n')
  await writeFile(join(path, 'empty'), '')
  await symlink('d/again', join(path, 'link'))
  await writeFile(join(path, 'numbers'), Array.from({ length: 200 }, (_, at) => `${at + 1}\n`).join(''))
  await writeFile(join(path, 'źł.txt'), 'ą\n')
}

// most of the time is waiting
describe('CAR files', { concurrency: 3 }, () => {
  test('an export is byte for byte what kubo exports', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    await writeTree(homes.path('tree'))
    const v1 = await a.share('add', homes.path('tree'))
    assert.deepEqual(await a.bytes('export', v1), await readFile(join(FIXTURES, 'kubo-v1.car')))
    await a.share('add', '--profile', 'unixfs-v0-2015', homes.path('tree'))
    // the header has the root as it was asked for, version and all
    const v0 = 'QmP8jrVaNqoBVboL45r1ynDqmnyQxnLh4TVsx9dKetTp6u'
    assert.deepEqual(await a.bytes('export', v0), await readFile(join(FIXTURES, 'kubo-v0.car')))
  })

  test('what kubo exported is imported, shared, fetched by others, and exported again as it was', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    await writeTree(homes.path('tree'))
    await b.connect(a)
    for (const name of ['kubo-v1', 'kubo-v0', 'kubo-inline']) {
      const file = join(FIXTURES, `${name}.car`)
      const cid = await a.share('import', file)
      assert.equal(cid, await a.share('import', '-q', file), 'a second time')
      const share = await a.status(cid)
      assert.deepEqual([share.state, share.name, share.size], ['seeding', name, 707])
      await b.share('get', cid, '-o', homes.path(name))
      await assertSame(homes.path(name), homes.path('tree'))
      if (name === 'kubo-v0') continue
      assert.deepEqual(await b.bytes('export', cid), await readFile(file))
      await a.share('export', cid, '-o', homes.path(`${name}.car`))
      assert.deepEqual(await readFile(homes.path(`${name}.car`)), await readFile(file))
    }
    assert.match(await a.share('verify'), /whole/)
    await a.share('gc')
    await a.share('get', await a.share('import', join(FIXTURES, 'kubo-v0.car')), '-o', homes.path('again'))
    await assertSame(homes.path('again'), homes.path('tree'))
  })

  test('a path under a CID is exported as a root of its own', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    await writeTree(homes.path('tree'))
    const cid = await a.share('add', homes.path('tree'))
    await a.share('export', `${cid}/d`, '-o', homes.path('d.car'))
    const part = await b.share('import', '--name', 'part', homes.path('d.car'))
    assert.equal((await b.status(part)).name, 'part')
    await b.share('get', part, '-o', homes.path('d'))
    await assertSame(homes.path('d'), homes.path('tree/d'))
  })

  test('an export replaces nothing, and leaves nothing when it fails', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    await mkdir(homes.path('out'))
    await writeNoise(homes.path('file'), 3 * MIB, 1)
    const cid = await a.share('add', homes.path('file'))
    await writeFile(homes.path('out/here.car'), 'mine')
    await a.fails(['export', cid, '-o', homes.path('out/here.car')], 1, 'TARGET_EXISTS', /here\.car/)
    assert.equal(await readFile(homes.path('out/here.car'), 'utf8'), 'mine')
    await a.fails(['export', `${cid}/x`, '-o', homes.path('out/x.car')], 1, 'NOT_FOUND', /"x"/)
    await a.fails(['export', cid, '-o', homes.path('nowhere/x.car')], 1, 'NOT_FOUND', /nowhere/)
    await a.fails(['export', 'nonsense', '-o', homes.path('out/x.car')], 2, 'BAD_CID', /nonsense/)
    await a.share('export', cid, '-o', homes.path('out/whole.car'))
    assert.ok((await stat(homes.path('out/whole.car'))).size > 3 * MIB)
    assert.deepEqual((await a.run('get', cid, '-o', homes.path('out'))).code, 0)
  })

  test('a bad file is refused, and nothing false is stored', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    await writeNoise(homes.path('file'), 3 * MIB, 2)
    const cid = await a.share('add', homes.path('file'))
    const good = await a.bytes('export', cid)
    const bad = async (name: string, bytes: Uint8Array): Promise<string> => {
      await writeFile(homes.path(name), bytes)
      return homes.path(name)
    }
    const middle = good.length >> 1
    const wrong = await bad('wrong.car', good.with(middle, (good[middle] ?? 0) ^ 1))
    const cut = await bad('cut.car', good.subarray(0, middle))
    // whole sections, but not all of them
    const short = await bad('short.car', good.subarray(0, good.length - MIB - 39))
    const text = await bad('text.car', Buffer.from('no CAR'))
    await b.fails(['import', wrong], 4, 'VERIFICATION_FAILED', /other bytes than bafkrei/)
    await b.fails(['import', cut], 4, 'BAD_CONTENT', /cut off/)
    await b.fails(['import', text], 4, 'BAD_CONTENT', /cannot be used/)
    await b.fails(['import', homes.path('missing.car')], 1, 'NOT_FOUND', /missing\.car/)
    await b.fails(['import', homes.work], 4, 'BAD_CONTENT', /not a file/)
    const { code, stdout, stderr } = await b.run('import', short, '--json')
    assert.equal(code, 4, stderr)
    const result: ImportResult = JSON.parse(stdout)
    assert.deepEqual([result.shares, result.failed.map((each) => each.cid)], [[], [cid]])
    assert.match(result.failed[0]?.error.message ?? '', /neither in the file nor here/)
    assert.deepEqual(await b.shares(), [])
    assert.match(
      await readFile(join(b.path, 'daemon.log'), 'utf8'),
      /import .*short\.car.*neither in the file/,
    )
    // what was right of them is of use
    await writeFile(homes.path('good.car'), good)
    assert.equal(await b.share('import', homes.path('good.car')), cid)
    await b.share('get', cid, '-o', homes.path('copy'))
    await assertSame(homes.path('copy'), homes.path('file'))
  })

  test('blocks alone are stored until gc', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    await a.share('import', '--blocks', join(FIXTURES, 'kubo-v1.car'))
    assert.deepEqual(await a.shares(), [])
    const root = 'bafybeicqgbpri5jpbg4hgqm7qn2jwvg3jlwre6t3osxzdt656k46ij6hwi'
    assert.equal((await a.bytes('cat', `${root}/d/again`)).toString(), 'hello\n')
    assert.match(await a.share('gc'), /freed \d+ blocks/)
    await a.fails(['ls', root], 3, 'NOBODY_HAS_IT', /nobody/)
  })
})
