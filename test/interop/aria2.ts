/** aria2 on loopback: it downloads from whom a tracker names, or gives to who calls. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { output } from '../bench/processes.ts'
import { freePort, until } from '../e2e/homes.ts'
import { type Downloaded, type Given, type Seeder, startClient, type Wanted } from './client.ts'
import { installed } from './installed.ts'

/** It knows nobody that it is not told of. */
const ALONE = [
  '--no-conf',
  '--enable-dht=false',
  '--enable-dht6=false',
  '--bt-enable-lpd=false',
  '--enable-peer-exchange=false',
  '--disable-ipv6=true',
]

export async function aria2Get(
  t: TestContext,
  { torrent, directory, tracker }: Omit<Wanted, 'port'> & { tracker: string },
): Promise<Downloaded> {
  await mkdir(directory, { recursive: true })
  const program = await installed('aria2')
  const listen = await freePort()
  const log = join(directory, '..', `aria2-${listen}.log`)
  const child = startClient(t, program, [
    ...ALONE,
    '--seed-time=0',
    '--allow-overwrite=true',
    '--file-allocation=none',
    `--bt-tracker=${tracker}`,
    `--listen-port=${listen}`,
    `--dir=${directory}`,
    `--log=${log}`,
    '--log-level=info',
    torrent,
  ])
  const [code] = await once(child, 'close')
  assert.equal(code, 0, `aria2: ${await readFile(log, 'utf8').then((text) => text.slice(-2_000))}`)
  return { client: await versionOf(program), bytes: await aria2Bytes(log) }
}

/** Blocks that it logged as received. */
async function aria2Bytes(log: string): Promise<number> {
  const text = await readFile(log, 'utf8')
  const blocks = text.matchAll(/From: \S+ piece index=\d+, begin=\d+, length=(\d+)/g)
  return [...blocks].reduce((sum, [, length]) => sum + Number(length), 0)
}

export async function aria2Seed(t: TestContext, { torrent, directory }: Given): Promise<Seeder> {
  const program = await installed('aria2')
  const [port, rpcPort] = [await freePort(), await freePort()]
  startClient(t, program, [
    ...ALONE,
    '--check-integrity=true',
    '--seed-ratio=0.0',
    '--enable-rpc=true',
    `--rpc-listen-port=${rpcPort}`,
    `--listen-port=${port}`,
    `--dir=${directory}`,
    torrent,
  ])
  const active = async (): Promise<{ seeder?: string; uploadLength: string } | undefined> => {
    const response = await fetch(`http://127.0.0.1:${rpcPort}/jsonrpc`, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'aria2.tellActive', params: [] }),
      signal: AbortSignal.timeout(10_000),
    })
    const { result } = (await response.json()) as { result: { seeder?: string; uploadLength: string }[] }
    return result[0]
  }
  await until('aria2 seeds', async () => (await active().catch(() => undefined))?.seeder === 'true')
  return {
    client: await versionOf(program),
    port,
    sent: async () => Number((await active())?.uploadLength ?? 0),
  }
}

async function versionOf(program: string): Promise<string> {
  const [version = ''] = (await output(program, ['--version'])).split('\n')
  return version.replace(' version', '')
}
