/**
 * Our torrents against libtorrent's: of each tree the same .torrent, byte for byte, and libtorrent loads ours and our links.
 * With `WRITE_FIXTURES=1` what libtorrent makes becomes fixtures/torrent.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Homes } from '../e2e/homes.ts'
import { type TorrentTree, TREES, VERSIONS } from '../unit/torrent-trees.ts'
import { installed } from './installed.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const FIXTURES = here('../../fixtures/torrent')
const WRITE = process.env.WRITE_FIXTURES === '1'

const modules = await installed('libtorrent')

/** The standard output of a script that has to succeed. */
async function libtorrent(script: string, ...args: string[]): Promise<Buffer> {
  const env = { ...process.env, PYTHONPATH: modules }
  const child = spawn('python3', [here(script), ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [bytes, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'close')])
  assert.equal(code, 0, `${script} ${args.join(' ')}`)
  return Buffer.concat(bytes)
}

async function make(path: string, tree: TorrentTree): Promise<void> {
  for (const [name, content] of Object.entries(tree)) {
    const at = join(path, name)
    await mkdir(dirname(at), { recursive: true })
    if (typeof content === 'string') await symlink(content, at)
    else await writeFile(at, content)
  }
}

/** libtorrent takes it, and reads out of the link what it finds in the file. */
async function loads(t: TestContext, file: string, link: string): Promise<void> {
  const said = JSON.parse((await libtorrent('libtorrent_load.py', file, link)).toString())
  const [, v1, v2] = said.link
  // the link is that of the hybrid
  if (said.v1 !== '' && said.v2 !== '') assert.deepEqual([v1, v2], [said.v1, said.v2])
  t.diagnostic(`libtorrent ${said.version} counts ${said.pieces} pieces in ${said.name}`)
}

test("torrents of shares are libtorrent's", async (t) => {
  const homes = await Homes.open(t)
  const share = await homes.add('a')
  const added = async (name: string, tree: TorrentTree): Promise<{ cid: string; link: string }> => {
    await make(homes.path(name), tree)
    const cid = await share.share('add', '-q', homes.path(name))
    return { cid, link: await share.share('link', cid) }
  }
  for (const [name, { pieceLength, tree }] of Object.entries(TREES)) {
    await t.test(name, async (t) => {
      const { cid, link } = await added(name, tree)
      for (const version of VERSIONS) {
        const theirs = await libtorrent('libtorrent_make.py', homes.path(name), String(pieceLength), version)
        if (WRITE) await writeFile(join(FIXTURES, `${name}.${version}.torrent`), theirs)
        const ours = homes.path(`${name}.${version}.torrent`)
        await share.share('torrent', cid, `--${version}`, '-o', ours)
        assert.deepEqual(await readFile(ours), theirs, version)
        await loads(t, ours, link)
      }
    })
  }

  // libtorrent writes `sub-dash` before what is in `sub` into the v1 part of such a hybrid, and then refuses it; ours it takes
  await t.test('a name that goes before a directory and after it', async (t) => {
    const tree = { 'sub/a': Buffer.alloc(10), 'sub-dash': Buffer.alloc(20), 'sub.txt': Buffer.alloc(30) }
    const { cid, link } = await added('beside-a-directory', tree)
    await share.share('torrent', cid, '-o', homes.path('beside.torrent'))
    await loads(t, homes.path('beside.torrent'), link)
  })
})
