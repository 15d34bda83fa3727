/** `kill -9` at random moments, whatever is being done: afterwards all is there that was promised, and all goes on. */
import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPrng, type Prng } from '../../../src/core/prng.ts'
import type { ShareInfo } from '../../../src/node/types.ts'
import { type Command, type Home, Homes } from '../../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../../e2e/trees.ts'
import { manyFiles } from '../../interop/corpus.ts'
import { rounds, SEED } from '../extent.ts'
import { assertCalm } from '../log.ts'
import { tally } from '../tally.ts'

/** Longest wait before a kill, in ms: a start takes about that long, most other work less. */
const LONGEST_WAIT = 900
const SMALL_FILES = 300
const SIZES = [3 * MIB, MIB + 17, 40_000] as const

/** Killed side by side: while one is waited for, another works. */
const NODES = 2

test('nodes killed at random moments, whatever they do', async (t) => {
  const kills = Number(process.env.KILLS ?? rounds(4, 50))
  t.diagnostic(`seed ${SEED}, ${kills} kills`)
  const homes = await Homes.open(t)
  const seeder = await homes.add('seeder', { 'limits.up': '4MB' })
  const sources = await addAll(homes, seeder)
  const address = await seeder.address()
  await Promise.all(
    Array.from({ length: NODES }, async (_, number) => {
      const name = `node${number}`
      const node = await homes.add(name)
      const ours = await writeAll(homes, name)
      const theirs = new Map([...sources].map(([cid, { at }]) => [cid, homes.path(`${name}-got-${at}`)]))
      const prng = createPrng(SEED + number)
      await killOften({ node, prng, ours, theirs, address }, Math.ceil(kills / NODES))
      for (const [cid, target] of theirs) await assertSame(target, sources.get(cid)?.path ?? '')
      for (const path of ours.values()) await assertSame(path, `${path}.copy`)
      await assertCalm(node)
    }),
  )
  tally(
    'SIGKILL during add, get, rm, gc, config and daemon start',
    kills,
    'no lock left, nothing claimed wrongly, all downloads finished',
  )
})

async function killOften(place: Omit<Scene, 'shares'>, kills: number): Promise<void> {
  const { node, prng, theirs } = place
  /** What a command promised by ending well: shares that are there. */
  const promised = new Set<string>()
  /** What was forgotten, or was to be: its file may lie there, and be nobody's. */
  const forgotten = new Set<string>()
  for (let kill = 0; kill < kills; kill++) {
    const work = pick(prng, Object.keys(WORK) as (keyof typeof WORK)[])
    const shares = kill === 0 ? [] : await node.shares()
    if (work === 'start') await node.kill()
    const command = WORK[work]({ ...place, shares })
    await sleep(prng.below(LONGEST_WAIT))
    await node.kill()
    const { code, stdout } = await command.ended
    if (work === 'add' && code === 0) promised.add(stdout.trim())
    if (work === 'rm')
      for (const argument of command.process.spawnargs) {
        promised.delete(argument)
        forgotten.add(argument)
      }
    await check(node, promised, `HOSTILE_SEED=${SEED}, kill ${kill} of ${node.path} during ${work}`)
  }
  const known = new Set((await node.shares()).map(({ cid }) => cid))
  for (const [cid, target] of theirs)
    if (forgotten.has(cid) && !known.has(cid)) await rm(target, { force: true, recursive: true })
  await finish(place)
}

interface Scene {
  readonly node: Home
  readonly prng: Prng
  readonly ours: ReadonlyMap<string, string>
  /** Target by CID. */
  readonly theirs: ReadonlyMap<string, string>
  readonly address: string
  readonly shares: readonly ShareInfo[]
}

const WORK = {
  add: ({ node, prng, ours }: Scene): Command =>
    node.start('add', '-q', ...(prng.below(3) === 0 ? ['--copy'] : []), pick(prng, [...ours.values()])),
  get: ({ node, prng, theirs, address }: Scene): Command => {
    const [cid, target] = pick(prng, [...theirs])
    return node.start('get', cid, '-o', target, '--peer', address)
  },
  rm: ({ node, prng, shares }: Scene): Command => {
    const share = shares.length === 0 ? undefined : pick(prng, shares)
    return share === undefined ? node.start('status') : node.start('rm', share.cid)
  },
  gc: ({ node }: Scene): Command => node.start('gc'),
  config: ({ node, prng }: Scene): Command =>
    node.start('config', 'set', 'limits.down', `${1 + prng.below(90)}MB`),
  start: ({ node }: Scene): Command => node.start('daemon', 'start'),
} as const

function pick<T>(prng: Prng, from: readonly T[]): T {
  const found = from[prng.below(from.length)]
  assert.ok(found !== undefined)
  return found
}

/** Every share that says it is whole is whole, and what was promised is there. */
async function check(node: Home, promised: ReadonlySet<string>, when: string): Promise<void> {
  const started = await node.run('daemon', 'start')
  assert.equal(started.code, 0, `${when}: ${started.stderr}`)
  const shares = await node.shares()
  for (const cid of promised) {
    const share = shares.find((each) => each.cid === cid)
    assert.equal(share?.state, 'seeding', `${when}: ${cid}`)
  }
  const { code, stdout } = await node.run('verify')
  assert.equal(code, 0, `${when}: ${stdout}`)
  assert.equal((await node.run('config', 'list')).code, 0, when)
}

/** Every download ends. */
async function finish({ node, theirs, address }: Omit<Scene, 'shares'>): Promise<void> {
  await node.share('config', 'set', 'limits.down', 'unlimited')
  for (const [cid, target] of theirs) await node.share('get', cid, '-o', target, '--peer', address)
}

/** Sources, each with a copy that nobody touches: files, and a tree of small ones. */
async function writeAll(homes: Homes, kind: string): Promise<Map<string, string>> {
  const written = new Map<string, string>()
  for (const [at, size] of SIZES.entries()) {
    const name = `${kind}-${at}`
    await writeNoise(homes.path(name), size, at + kind.length)
    await writeNoise(homes.path(`${name}.copy`), size, at + kind.length)
    written.set(name, homes.path(name))
  }
  const tree = `${kind}-tree`
  for (const name of [tree, `${tree}.copy`]) await manyFiles(homes.path(name), kind.length, SMALL_FILES)
  return written.set(tree, homes.path(tree))
}

interface Source {
  readonly path: string
  readonly at: number
}

/** What others have, by CID. */
async function addAll(homes: Homes, seeder: Home): Promise<Map<string, Source>> {
  const sources = new Map<string, Source>()
  const add = async (path: string): Promise<void> => {
    sources.set(await seeder.share('add', '-q', path), { path, at: sources.size })
  }
  for (const [at, size] of SIZES.entries()) {
    const path = homes.path(`source-${at}`)
    await writeNoise(path, size * 2, 100 + at)
    await add(path)
  }
  const tree = homes.path('source-tree')
  await manyFiles(tree, 2, SMALL_FILES)
  await add(tree)
  return sources
}
