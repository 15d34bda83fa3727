/**
 * Our torrents against libtorrent's: of each tree the same .torrent, byte for byte, and libtorrent loads ours and our links.
 * `node test/interop/metainfo.ts` compares; with `--write` what libtorrent makes becomes fixtures/torrent. Needs Python,
 * and fetches libtorrent from PyPI once; the built `share` (npm run build) makes ours.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { libtorrentModules } from '../bench/libtorrent.ts'
import { type TorrentTree, TREES, VERSIONS } from '../unit/torrent-trees.ts'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const SHARE = here('../../bin/share.js')
const FIXTURES = here('../../fixtures/torrent')

const write = process.argv.includes('--write')
const modules = await libtorrentModules()
const work = await mkdtemp(join(tmpdir(), 'share-interop-'))
const home = join(work, 'home')

/** The standard output of a program that has to succeed. */
async function output(program: string, args: readonly string[]): Promise<Buffer> {
  const env = { ...process.env, SHARE_HOME: home, PYTHONPATH: modules }
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [bytes, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'close')])
  assert.equal(code, 0, `${program} ${args.join(' ')}`)
  return Buffer.concat(bytes)
}

const share = (...args: string[]): Promise<Buffer> => output(process.execPath, [SHARE, ...args])

async function make(path: string, tree: TorrentTree): Promise<void> {
  for (const [name, content] of Object.entries(tree)) {
    const at = join(path, name)
    await mkdir(dirname(at), { recursive: true })
    if (typeof content === 'string') await symlink(content, at)
    else await writeFile(at, content)
  }
}

async function compare(name: string, pieceLength: number, tree: TorrentTree): Promise<void> {
  const source = join(work, name)
  await make(source, tree)
  const cid = (await share('add', '-q', source)).toString().trim()
  const link = (await share('link', cid)).toString().trim()
  for (const version of VERSIONS) {
    const theirs = await output('python3', [here('libtorrent_make.py'), source, String(pieceLength), version])
    const file = join(FIXTURES, `${name}.${version}.torrent`)
    if (write) await writeFile(file, theirs)
    const ours = join(work, `${name}.${version}.torrent`)
    await share('torrent', cid, `--${version}`, '-o', ours)
    const made = await share('torrent', cid, `--${version}`, '-o', '-')
    assert.deepEqual(made, theirs, `${name}, ${version}`)
    await loads(ours, link)
    process.stdout.write(`${name}, ${version}: equal\n`)
  }
}

async function loads(file: string, link: string): Promise<void> {
  const said = JSON.parse((await output('python3', [here('libtorrent_load.py'), file, link])).toString())
  const [, v1, v2] = said.link
  // the link is that of the hybrid
  if (said.v1 !== '' && said.v2 !== '') assert.deepEqual([v1, v2], [said.v1, said.v2])
}

try {
  await mkdir(home)
  const alone = { listen: '/ip4/127.0.0.1/tcp/0', bootstrap: 'none', 'discovery.mdns': 'off' }
  await writeFile(join(home, 'config.json'), JSON.stringify(alone))
  if (write) await mkdir(FIXTURES, { recursive: true })
  for (const [name, { pieceLength, tree }] of Object.entries(TREES)) await compare(name, pieceLength, tree)

  // libtorrent writes `sub-dash` before what is in `sub` into the v1 part of such a hybrid, and then refuses it; ours it takes
  const source = join(work, 'beside-a-directory')
  await make(source, { 'sub/a': Buffer.alloc(10), 'sub-dash': Buffer.alloc(20), 'sub.txt': Buffer.alloc(30) })
  const cid = (await share('add', '-q', source)).toString().trim()
  const file = join(work, 'beside.torrent')
  await share('torrent', cid, '-o', file)
  await loads(file, (await share('link', cid)).toString().trim())
  process.stdout.write('beside-a-directory, hybrid: libtorrent loads it\n')
} finally {
  await share('daemon', 'stop').catch(() => undefined)
  await rm(work, { recursive: true, force: true })
}
