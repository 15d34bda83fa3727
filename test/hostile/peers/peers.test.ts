/**
 * Hostile peers on every wire, one kind of mischief at a time: the download completes from the honest peer, equal; who can
 * only have meant it is banned and named, once; nothing grows.
 */
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPrng } from '../../../src/core/prng.ts'
import { DaemonClient } from '../../../src/daemon/client.ts'
import { readMetainfo } from '../../../src/torrent/metainfo.ts'
import { memoryOf } from '../../bench/memory.ts'
import { type Home, Homes, until } from '../../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../../e2e/trees.ts'
import { rounds, SEED } from '../extent.ts'
import { assertCalm, logOf } from '../log.ts'
import { tally } from '../tally.ts'
import { bitswap } from './bitswap.ts'
import { bittorrent } from './bittorrent.ts'
import { type Content, contentOf } from './content.ts'
import { http } from './http.ts'
import type { Wire } from './mischief.ts'
import { shareWire } from './share-wire.ts'

const WIRES: readonly Wire[] = [bitswap, shareWire, bittorrent, http]

const SIZE = 5 * MIB

/** A peer that did nothing wrong but to be slow or silent has this long to be itself, in ms. */
const SUFFERED_MS = 1500

/** Memory of the downloader at its peak; it stays what it is for honest peers. */
const MOST_MEMORY = 400 * MIB

/** What the log says of one peer, each line once. */
const MOST_LINES = 3

/** Sockets and files of the downloader once the mischief is over. */
const MOST_DESCRIPTORS = 120

for (const wire of WIRES) {
  test(`hostile peers by ${wire.name}`, async (t) => {
    const scene = await open(t)
    const chosen = choose(Object.keys(wire.mischiefs))
    for (const [at, mischief] of chosen.entries())
      await t.test(mischief, async (t) => {
        await suffer(scene, wire, mischief, at)
        t.diagnostic(`peak memory ${Math.round((await usage(scene.leecher)).memory / MIB)} MiB`)
      })
    await assertCalm(scene.leecher)
    const { memory, descriptors } = await usage(scene.leecher)
    t.diagnostic(`peak memory ${Math.round(memory / MIB)} MiB, ${descriptors} descriptors`)
    assert.ok(memory < MOST_MEMORY, `${memory} bytes`)
    assert.ok(descriptors < MOST_DESCRIPTORS, `${descriptors} descriptors`)
    tally(
      `hostile peers by ${wire.name}`,
      chosen.length,
      'every download completed, equal; liars banned, named once',
    )
  })
}

interface Scene {
  readonly homes: Homes
  readonly honest: Home
  readonly leecher: Home
  readonly honestApi: DaemonClient
  readonly api: DaemonClient
}

async function open(t: TestContext): Promise<Scene> {
  const homes = await Homes.open(t)
  const [honest, leecher] = [await homes.add('honest'), await homes.add('leecher')]
  for (const home of [honest, leecher]) await home.share('daemon', 'start')
  await leecher.connect(honest)
  return {
    homes,
    honest,
    leecher,
    honestApi: new DaemonClient(honest.path),
    api: new DaemonClient(leecher.path),
  }
}

/** All of them, or a few that the seed picks, or those that are named. */
function choose(names: readonly string[]): string[] {
  const named = process.env.HOSTILE_MISCHIEF?.split(';')
  if (named !== undefined) return names.filter((name) => named.includes(name))
  const prng = createPrng(SEED)
  const left = [...names]
  const count = rounds(2, left.length)
  return Array.from({ length: count }, () => left.splice(prng.below(left.length), 1)[0] ?? '')
}

async function suffer(scene: Scene, wire: Wire, mischief: string, at: number): Promise<void> {
  const { homes, leecher, api, honestApi } = scene
  const [source, target] = [homes.path(`source-${at}`), homes.path(`target-${at}`)]
  await writeNoise(source, SIZE, at)
  const { cid } = await honestApi.add({ path: source }, {})
  const torrent = await torrentOf(honestApi, cid)
  await honestApi.pause(cid)
  const peer = await wire.start(await contentOf(source, torrent), mischief)
  try {
    const peers = peer.address === undefined ? [] : [peer.address]
    const got = api.get({ target: peer.target ?? cid, output: target, peers }, {})
    got.catch(() => undefined)
    await Promise.race([peer.misbehaved, sleep(30_000).then(() => Promise.reject(new Error('never asked')))])
    const verdict = wire.mischiefs[mischief]
    if (verdict === 'banned') await banned(api, cid, peer.id)
    else if (verdict === 'shut out')
      await until('it is shut out', async () => (await logOf(leecher)).includes(`banned ${peer.id}: `))
    else await sleep(SUFFERED_MS)
    await honestApi.resume(cid)
    await Promise.race([got, sleep(90_000).then(() => Promise.reject(new Error('it does not go on')))])
    await assertSame(target, source)
    await assertToldOnce(leecher, peer.id)
  } finally {
    await peer.stop()
    await api.rm(cid).catch(() => undefined)
  }
}

async function torrentOf(api: DaemonClient, cid: string): Promise<Pick<Content, 'link' | 'info'>> {
  const { link } = await api.link({ cid })
  const parts: Uint8Array[] = []
  for await (const part of api.torrentFile({ cid }, {})) parts.push(part)
  return { link, info: readMetainfo(Buffer.concat(parts)).infoBytes }
}

async function banned(api: DaemonClient, cid: string, id: string): Promise<void> {
  const { reason } = await until('it is banned', async () => {
    const { shares } = await api.status()
    return shares.find((share) => share.cid === cid)?.banned.find((each) => each.id === id)
  })
  assert.notEqual(reason, '')
}

async function assertToldOnce(leecher: Home, id: string): Promise<void> {
  const told = (await logOf(leecher)).split('\n').filter((line) => line.includes(id))
  const reasons = told.map((line) => line.slice(line.indexOf(' ') + 1))
  assert.deepEqual(reasons, [...new Set(reasons)])
  assert.ok(told.length <= MOST_LINES, told.join('\n'))
}

/** What a daemon took at most, and what it has open. */
async function usage(home: Home): Promise<{ memory: number; descriptors: number }> {
  const { pid } = await home.daemon()
  const memory = await memoryOf(pid, 'VmHWM')
  return { memory, descriptors: (await readdir(`/proc/${pid}/fd`)).length }
}
