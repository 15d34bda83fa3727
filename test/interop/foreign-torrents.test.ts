/**
 * Torrents that libtorrent made, downloaded by `share get` from a libtorrent that seeds: every version, pieces from 16 KiB to
 * 16 MiB, thousands of files, by file and by both kinds of magnet link; and from there to a second node by the CID.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ShareInfo } from '../../src/node/types.ts'
import type { InfoHashes, TorrentVersion } from '../../src/torrent/info.ts'
import { readMetainfo } from '../../src/torrent/metainfo.ts'
import { Homes } from '../e2e/homes.ts'
import { assertSame, writeNoise } from '../e2e/trees.ts'
import { installed } from './installed.ts'
import { libtorrentMake, libtorrentSeed } from './libtorrent.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const env = { ...process.env, PYTHONPATH: await installed('libtorrent') }

type Form = 'file' | 'btih' | 'btmh'

async function makeTorrent(
  source: string,
  file: string,
  version: TorrentVersion,
  bytes: number,
): Promise<void> {
  await writeFile(file, await libtorrentMake(source, bytes, version))
}

/** Seeds until the test ends; gives the port. */
async function seed(t: TestContext, torrent: string, directory: string): Promise<number> {
  const { port } = await libtorrentSeed(t, { torrent, directory })
  return port
}

const peerAt = (port: number): string[] => ['--peer', `127.0.0.1:${port}`, '--timeout', '60s']

const hex = (hash: Uint8Array | undefined): string => Buffer.from(hash ?? []).toString('hex')

function sourceOf(form: Form, torrent: string, { v1, v2 }: InfoHashes): string {
  if (form === 'file') return torrent
  return form === 'btih' ? `magnet:?xt=urn:btih:${hex(v1)}&dn=tree` : `magnet:?xt=urn:btmh:1220${hex(v2)}`
}

/** Files that end everywhere in pieces, one longer than the longest piece and an empty one. */
async function makeTree(top: string): Promise<void> {
  await mkdir(`${top}/sub/deep`, { recursive: true })
  await mkdir(`${top}/other`)
  await writeNoise(`${top}/big.bin`, (17 << 20) + 12_345, 1)
  await writeNoise(`${top}/sub/a.bin`, 5_000_001, 2)
  await writeNoise(`${top}/sub/deep/b.bin`, 16_384, 3)
  await writeNoise(`${top}/other/c.bin`, 99_999, 4)
  await writeFile(`${top}/empty`, '')
  await writeFile(`${top}/sub/one`, '1')
}

const CASES: readonly [version: TorrentVersion, pieceLength: number, form: Form][] = [
  ['v1', 16 << 10, 'file'],
  ['v1', 256 << 10, 'btih'],
  ['v1', 4 << 20, 'btih'],
  ['v1', 16 << 20, 'file'],
  ['v2', 16 << 10, 'btmh'],
  ['v2', 256 << 10, 'file'],
  ['v2', 4 << 20, 'btmh'],
  ['v2', 16 << 20, 'btmh'],
  ['hybrid', 16 << 10, 'btih'],
  ['hybrid', 256 << 10, 'btmh'],
  ['hybrid', 4 << 20, 'file'],
  ['hybrid', 16 << 20, 'btih'],
]

test('share get from a libtorrent that seeds', async (t) => {
  const homes = await Homes.open(t)
  const a = await homes.add('a')
  const b = await homes.add('b')
  await makeTree(homes.path('tree'))
  const cid = await b.share('add', homes.path('tree'))
  await b.share('rm', cid)
  for (const [version, pieceLength, form] of CASES) {
    await t.test(`${version}, pieces of ${pieceLength >> 10} KiB, by ${form}`, async (t) => {
      const name = `${version}-${pieceLength}`
      const torrent = homes.path(`${name}.torrent`)
      await makeTorrent(homes.path('tree'), torrent, version, pieceLength)
      const { hashes } = readMetainfo(await readFile(torrent)).info
      const port = await seed(t, torrent, homes.work)
      await mkdir(homes.path(name))
      const source = sourceOf(form, torrent, hashes)
      const share = await a.json<ShareInfo>('get', source, '-o', name, ...peerAt(port))
      await assertSame(homes.path(name, 'tree'), homes.path('tree'))
      assert.equal(share.cid, cid)
      assert.equal(share.infoHashes.v2, hashes.v2 && hex(hashes.v2))
      if (pieceLength === 256 << 10) {
        await mkdir(homes.path(`${name}-again`))
        await b.share('get', share.cid, '-o', `${name}-again/tree`, '--peer', await a.address())
        await assertSame(homes.path(`${name}-again`, 'tree'), homes.path('tree'))
        await b.share('rm', share.cid)
      }
      await a.share('rm', share.cid)
    })
  }
})

test('a link with a CID that nobody has, and a torrent', async (t) => {
  const homes = await Homes.open(t)
  const a = await homes.add('a')
  await mkdir(homes.path('out'))
  await writeNoise(homes.path('one.bin'), 3_000_001, 5)
  await makeTorrent(homes.path('one.bin'), homes.path('one.torrent'), 'v1', 32 << 10)
  const { hashes } = readMetainfo(await readFile(homes.path('one.torrent'))).info
  const port = await seed(t, homes.path('one.torrent'), homes.work)
  const cid = await a.share('add', 'one.bin')
  await a.share('rm', cid)
  const link = (root: string): string =>
    `magnet:?xt=urn:btih:${hex(hashes.v1)}&xt=urn:ipfs:${root}&dn=one.bin&x.pe=127.0.0.1:${port}`
  const share = await a.json<ShareInfo>('get', link(cid), '-o', 'out', '--timeout', '60s')
  assert.deepEqual([share.cid, share.mismatch], [cid, undefined])
  await assertSame(homes.path('out', 'one.bin'), homes.path('one.bin'))
  await a.share('rm', cid)
  const other = 'bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'
  const { code, stderr } = await a.run('get', link(other), '-o', 'out/again.bin', '--timeout', '60s')
  assert.equal(code, 4, stderr)
  assert.ok(stderr.includes(`the link named ${other} beside the torrent, whose content is ${cid}`), stderr)
  assert.match((await a.status(cid)).mismatch ?? '', /the link named/)
  await assertSame(homes.path('out', 'again.bin'), homes.path('one.bin'))
})

test('what was held against its torrent is downloaded as that torrent by libtorrent', async (t) => {
  const homes = await Homes.open(t)
  const a = await homes.add('a', { 'torrent.listen': '/ip4/127.0.0.1/tcp/0' })
  await makeTree(homes.path('tree'))
  for (const version of ['v1', 'v2', 'hybrid'] as const) {
    const torrent = homes.path(`${version}.torrent`)
    await makeTorrent(homes.path('tree'), torrent, version, 64 << 10)
    await a.share('add', 'tree', '--torrent', torrent)
    const { torrentPort } = await a.daemon()
    const into = homes.path(`into-${version}`)
    const args = [here('libtorrent_get.py'), torrent, into, String(torrentPort)]
    const child = spawn('python3', args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
    const [code] = await once(child, 'close')
    assert.equal(code, 0, version)
    await assertSame(homes.path(`into-${version}`, 'tree'), homes.path('tree'))
  }
})

test('two thousand files, of which some are chosen first', async (t) => {
  const homes = await Homes.open(t)
  const a = await homes.add('a')
  for (let directory = 0; directory < 20; directory++) {
    await mkdir(homes.path('many', `d${directory}`), { recursive: true })
    for (let file = 0; file < 100; file++)
      await writeNoise(
        homes.path('many', `d${directory}`, `f${file}`),
        700 + file * 97,
        directory * 100 + file,
      )
  }
  await makeTorrent(homes.path('many'), homes.path('many.torrent'), 'v1', 64 << 10)
  const port = await seed(t, homes.path('many.torrent'), homes.work)
  await mkdir(homes.path('out'))
  const some = await a.json<ShareInfo>('get', 'many.torrent', '-o', 'out', '--only', 'd7', ...peerAt(port))
  await assertSame(homes.path('out', 'many', 'd7'), homes.path('many', 'd7'))
  await a.share('rm', some.cid)
  const all = await a.json<ShareInfo>('get', 'many.torrent', '-o', 'out', ...peerAt(port))
  await assertSame(homes.path('out', 'many'), homes.path('many'))
  assert.notEqual(all.cid, some.cid)
})
