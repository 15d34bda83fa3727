/** libtorrent on loopback: it downloads, or gives. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { TorrentVersion } from '../../src/torrent/info.ts'
import { output } from '../bench/processes.ts'
import type { Downloaded, Given, Seeder, Wanted } from './client.ts'
import { installed } from './installed.ts'

const PATIENCE_S = 90

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export async function libtorrentGet({
  torrent,
  directory,
  ports,
}: Omit<Wanted, 'port'> & { readonly ports: readonly number[] }): Promise<Downloaded> {
  await mkdir(directory, { recursive: true })
  const env = { PYTHONPATH: await installed('libtorrent'), PATIENCE: String(PATIENCE_S) }
  const args = [here('libtorrent_get.py'), torrent, directory, ...ports.map(String)]
  const { version, payload } = JSON.parse(await output('python3', args, '', { env })) as {
    version: string
    payload: number
  }
  return { client: `libtorrent ${version}`, bytes: payload }
}

/** A torrent of a file or a directory, as it makes one. */
export async function libtorrentMake(
  source: string,
  pieceBytes: number,
  version: TorrentVersion,
): Promise<Buffer> {
  const env = { ...process.env, PYTHONPATH: await installed('libtorrent') }
  const child = spawn('python3', [here('libtorrent_make.py'), source, String(pieceBytes), version], { env })
  const [made, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'close')])
  assert.equal(code, 0, 'libtorrent made no torrent')
  return Buffer.concat(made)
}

/** It gives the torrent's files, at so many bytes a second at most; 0 is unlimited. */
export async function libtorrentSeed(
  t: TestContext,
  { torrent, directory, up = 0 }: Given & { readonly up?: number },
): Promise<Seeder> {
  const modules = await installed('libtorrent')
  const child = spawn('python3', [here('libtorrent_seed.py'), torrent, directory, String(up)], {
    env: { ...process.env, PYTHONPATH: modules },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next()
    assert.ok(done !== true, 'libtorrent ended')
    return value
  }
  const port = Number(await line())
  const report = async (): Promise<{ version: string; bytes: number }> => {
    child.stdin.write('\n')
    return JSON.parse(await line())
  }
  const { version } = await report()
  return { client: `libtorrent ${version}`, port, sent: async () => (await report()).bytes }
}
