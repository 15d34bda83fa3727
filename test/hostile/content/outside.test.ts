/**
 * Whatever a DAG names, and whatever somebody on this machine puts in the way meanwhile: nothing is created or changed outside
 * of the target. Trees with hostile names, links and bombs are downloaded beside files that must stay as they are, while
 * directories and files of the partial tree are swapped for links that lead to those.
 */
import assert from 'node:assert/strict'
import {
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { CID } from 'multiformats/cid'
import { walkManifest } from '../../../src/content/walk.ts'
import { ShareError } from '../../../src/core/errors.ts'
import { createPrng, type Prng } from '../../../src/core/prng.ts'
import { openStore } from '../../../src/store/store.ts'
import type { Download, Store } from '../../../src/store/types.ts'
import { Blocks, identity, type TestLink, TYPE } from '../../unit/content-dags.ts'
import { rounds, SEED } from '../extent.ts'
import { tally } from '../tally.ts'

const GOOD_NAMES = [
  'a',
  'b',
  'd',
  'file',
  'x y',
  'ü',
  'Ω.txt',
  '...',
  '-rf',
  '~',
  'con',
  'A',
  'got.part',
] as const
const BAD_NAMES = [
  '..',
  '.',
  '',
  '../outside',
  '../../outside/kept',
  '/etc/passwd',
  '/outside',
  'a/b',
  'a\\b',
  'C:',
  'C:\\x',
  '\0',
  'a\0b',
  'a\nb',
  '\u202etxt.exe',
  '\u200b',
  'u\u0308',
  'NUL',
  'x'.repeat(300),
  '\ud800',
  'outside/kept',
  './outside',
  '..\\outside',
] as const
const TARGETS = [
  'a',
  'd/a',
  '../a',
  '..',
  '../..',
  '../../outside',
  '/etc/passwd',
  '../outside/kept',
  'a/../../..',
  '.',
  '',
  'a\0b',
] as const

/** Deeper ones only repeat. */
const MOST_DEPTH = 3

test('nothing is created or changed outside of the target', async (t) => {
  const count = rounds(150, 2_000)
  t.diagnostic(`seed ${SEED}, ${count} trees`)
  let [finished, refused, swapped] = [0, 0, 0]
  const top = await mkdtemp(join(tmpdir(), 'share-outside-'))
  t.after(() => rm(top, { recursive: true, force: true }))
  await mkdir(join(top, 'outside/d'), { recursive: true })
  await writeFile(join(top, 'outside/kept'), 'kept')
  await writeFile(join(top, 'outside/d/a'), 'kept too')
  const before = await snapshot(join(top, 'outside'))
  const store = await openStore(join(top, 'home'))
  t.after(() => store.close())
  for (let round = 0; round < count; round++) {
    const prng = createPrng(SEED + round)
    const blocks = new Blocks()
    const root = makeTree(blocks, prng, 0)
    const work = join(top, 'work')
    await mkdir(work)
    try {
      const swap =
        prng.below(2) === 0 ? new Swap(join(work, 'got.part'), join(top, 'outside'), prng) : undefined
      await download(store, blocks, root, join(work, 'got'), swap)
      finished++
      if (swap?.done === true) swapped++
    } catch (thrown) {
      assert.ok(thrown instanceof ShareError, `HOSTILE_SEED=${SEED}, round ${round}: ${String(thrown)}`)
      assert.notEqual(thrown.code, 'INTERNAL', `round ${round}: ${thrown.message}`)
      refused++
    }
    assert.deepEqual(await snapshot(join(top, 'outside')), before, `HOSTILE_SEED=${SEED}, round ${round}`)
    assert.deepEqual((await readdir(top)).sort(), ['home', 'outside', 'work'])
    for (const name of await readdir(work)) assert.match(name, /^got(\.part)?$/)
    for (const { root: key } of store.shares()) await store.remove(key)
    assert.deepEqual(await snapshot(join(top, 'outside')), before, `removed, round ${round}`)
    await rm(work, { recursive: true })
  }
  t.diagnostic(`${finished} finished, ${refused} refused, ${swapped} finished around a swap`)
  assert.ok(finished > 0 && refused > 0)
  tally('hostile trees, half of them with links swapped in', count, 'no byte outside of the target')
})

function makeTree(blocks: Blocks, prng: Prng, depth: number): CID {
  const kind = prng.below(depth === 0 ? 12 : 40)
  if (depth < MOST_DEPTH && kind < 12) return makeDirectory(blocks, prng, depth)
  if (kind === 12) return blocks.symlink(pick(prng, TARGETS))
  if (kind < 16) return blocks.symlink('a')
  if (kind === 16) return identity(0x55, Buffer.alloc(120 + prng.below(20), 1))
  if (kind === 17) return blocks.file({ data: 'short', fileSize: 2 ** 40 })
  if (kind === 18) return blocks.file({ links: [{ cid: blocks.raw('abc'), size: 2 ** 50 }] })
  if (kind === 19) return blocks.node({ type: 77, data: Buffer.from('what') })
  const parts = Array.from({ length: 1 + prng.below(3) }, () => blocks.raw(`content ${prng.below(5)}`))
  return blocks.file({
    links: parts.map((cid) => ({ cid, size: blocks.size(cid), tsize: blocks.size(cid) })),
  })
}

function makeDirectory(blocks: Blocks, prng: Prng, depth: number): CID {
  const links = Array.from({ length: 1 + prng.below(5) }, (): TestLink => {
    const name = prng.below(40) === 0 ? pick(prng, BAD_NAMES) : pick(prng, GOOD_NAMES)
    const cid = makeTree(blocks, prng, depth + 1)
    return { name, cid, tsize: blocks.size(cid) }
  })
  // most of them once: a name that stands twice is refused
  const once = prng.below(20) === 0 ? links : [...new Map(links.map((entry) => [entry.name, entry])).values()]
  return blocks.node({ type: TYPE.directory }, once)
}

function pick<T>(prng: Prng, from: readonly T[]): T {
  return from[prng.below(from.length)] as T
}

/** As a node downloads it, block by block, with a chance for somebody to meddle before each. */
async function download(
  store: Store,
  blocks: Blocks,
  root: CID,
  path: string,
  swap: Swap | undefined,
): Promise<void> {
  const { manifest, events } = walkManifest(root, { fetchNode: blocks.fetch })
  const target = await store.openDownload({ root, name: 'got', path, peers: [] })
  try {
    for await (const event of events) {
      if (event.type === 'entries') await target.begin(manifest)
      await swap?.perhaps()
      if (event.type === 'inline') await target.writeInline(event.inline)
      if (event.type === 'pieces') await target.extend()
    }
    await target.sealed()
    await writeAll(target, blocks, manifest.pieces, swap)
    await swap?.perhaps()
    await target.finish()
  } finally {
    await target.close().catch(() => undefined)
  }
}

async function writeAll(
  target: Download,
  blocks: Blocks,
  pieces: { length: number; cid(piece: number): CID },
  swap: Swap | undefined,
): Promise<void> {
  for (let piece = 0; piece < pieces.length; piece++) {
    await swap?.perhaps()
    await target.writePiece(piece, blocks.block(pieces.cid(piece)))
  }
}

/** Somebody who puts a link in the place of something in the partial tree, once. */
class Swap {
  done = false
  readonly #tree: string
  readonly #outside: string
  readonly #prng: Prng

  constructor(tree: string, outside: string, prng: Prng) {
    this.#tree = tree
    this.#outside = outside
    this.#prng = prng
  }

  async perhaps(): Promise<void> {
    if (this.done || this.#prng.below(3) !== 0) return
    const found = await readdir(this.#tree, { recursive: true, withFileTypes: true }).catch(() => [])
    const victim = found.length === 0 ? undefined : pick(this.#prng, found)
    const path = victim === undefined ? this.#tree : join(victim.parentPath, victim.name)
    const kind = await lstat(path).catch(() => undefined)
    if (kind === undefined || kind.isSymbolicLink()) return
    this.done = true
    await rename(path, join(this.#outside, '../home/swapped'))
    await rm(join(this.#outside, '../home/swapped'), { recursive: true })
    if (kind.isDirectory()) await symlink(this.#outside, path)
    else if (this.#prng.below(2) === 0) await symlink(join(this.#outside, 'kept'), path)
    else await link(join(this.#outside, 'kept'), path)
  }
}

/** Everything there: bytes, kinds, modes and times. */
async function snapshot(path: string): Promise<string[]> {
  const found = await readdir(path, { recursive: true, withFileTypes: true })
  const lines = found.map(async (entry) => {
    const at = join(entry.parentPath, entry.name)
    const { mode, mtimeMs, size } = await lstat(at)
    const content = entry.isFile()
      ? await readFile(at, 'utf8')
      : entry.isSymbolicLink()
        ? await readlink(at)
        : ''
    return `${at} ${mode} ${mtimeMs} ${size} ${content}`
  })
  return (await Promise.all(lines)).sort()
}
