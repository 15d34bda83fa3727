/** libtorrent on loopback: it downloads, or gives. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { output } from '../bench/processes.ts'
import type { Downloaded, Given, Seeder, Wanted } from './client.ts'
import { installed } from './installed.ts'

const PATIENCE_S = 90

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

export async function libtorrentGet({ torrent, directory, port }: Wanted): Promise<Downloaded> {
  await mkdir(directory, { recursive: true })
  const env = { PYTHONPATH: await installed('libtorrent'), PATIENCE: String(PATIENCE_S) }
  const args = [here('libtorrent_get.py'), torrent, directory, String(port)]
  const { version, payload } = JSON.parse(await output('python3', args, '', { env })) as {
    version: string
    payload: number
  }
  return { client: `libtorrent ${version}`, bytes: payload }
}

/** It gives the torrent's files. */
export async function libtorrentSeed(t: TestContext, { torrent, directory }: Given): Promise<Seeder> {
  const modules = await installed('libtorrent')
  const child = spawn('python3', [here('libtorrent_seed.py'), torrent, directory], {
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
