/** Needs root and Linux: a disk of a known size is a file system that the test mounts. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Homes, until } from '../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../e2e/trees.ts'

/** A download of this size leaves the 64 MiB that it must leave on a disk of four times as much. */
const SIZE = 24 * MIB

test('a disk without room for a download is told before the download, one that fills up during it', async (t) => {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a', { 'limits.up': '6MB' }), await homes.add('b')]
  const [source, disk] = [homes.path('source'), homes.path('disk')]
  await writeNoise(source, SIZE, 1)
  const cid = await a.share('add', '-q', source)
  await b.connect(a)
  await mkdir(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${4 * SIZE}`, 'tmpfs', disk])
  homes.atEnd(() => execFileSync('umount', [disk]))
  const [filler, target] = [join(disk, 'filler'), join(disk, 'target')]
  await writeNoise(filler, 3.5 * SIZE, 2)
  await b.fails(['get', cid, '-o', target], 6, 'DISK_FULL', /space/)
  await rm(filler)

  const getting = b.start('get', cid, '-o', target)
  await until('some of it is here', async () => (await b.status(cid)).have > 0)
  await assert.rejects(writeNoise(filler, 4 * SIZE, 2), /ENOSPC/)
  const { code, stderr } = await getting.ended
  assert.equal(code, 6)
  assert.match(stderr, /^error: .* \[DISK_FULL\]\nnext: ./)
  await rm(filler)
  await b.share('get', cid, '-o', target)
  await assertSame(target, source)
  const { uploaded } = await a.status(cid)
  assert.ok(uploaded < 1.25 * SIZE, `${uploaded} bytes were sent of ${SIZE}`)
})

test('below the floor of free space a download stops while seeding goes on, and resumes by itself', async (t) => {
  const homes = await Homes.open(t)
  const [a, b, c] = [await homes.add('a', { 'limits.up': '2MB' }), await homes.add('b'), await homes.add('c')]
  const [source, other, disk] = [homes.path('source'), homes.path('other'), homes.path('disk')]
  await writeNoise(source, SIZE, 1)
  await writeNoise(other, MIB, 2)
  const cid = await a.share('add', '-q', source)
  const seeded = await b.share('add', '-q', other)
  await b.connect(a)
  await mkdir(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512m', 'tmpfs', disk])
  homes.atEnd(() => execFileSync('umount', [disk]))
  const [filler, target] = [join(disk, 'filler'), join(disk, 'target')]
  const getting = b.start('get', cid, '-o', target)
  const have = async () => (await b.shares()).find((share) => share.cid === cid)?.have ?? 0
  await until('some of it is here', async () => (await have()) > 0)
  await writeNoise(filler, 460 * MIB, 2)
  const { code, stderr } = await getting.ended
  assert.equal(code, 6, stderr)
  assert.match(stderr, /^error: only \d+ MiB are free in .* \[DISK_FULL\]\nnext: ./m)
  assert.equal((await b.status(cid)).state, 'failed')
  await c.share('get', seeded, '-o', homes.path('copy'), '--peer', await b.address())
  await assertSame(homes.path('copy'), other)

  await a.share('config', 'set', 'limits.up', 'unlimited')
  await rm(filler)
  await until('it is whole', async () => (await b.status(cid)).state === 'seeding')
  await assertSame(target, source)
})
