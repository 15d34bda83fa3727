/** Transmission on loopback, where it takes calls and makes none: it downloads from who calls it, or gives to them. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort, until } from '../e2e/homes.ts'
import { type Downloaded, type Given, type Seeder, startClient, type Wanted } from './client.ts'
import { installed } from './installed.ts'

type Rpc = (method: string, args?: object) => Promise<unknown>

interface Listed {
  readonly percentDone: number
  readonly downloadedEver: number
  readonly uploadedEver: number
  readonly leftUntilDone: number
  readonly errorString: string
  readonly status: number
}

interface Daemon {
  readonly client: string
  readonly port: number
  /** The one torrent that it has. */
  listed(): Promise<Listed | undefined>
}

/** `call` is told where it listens. */
export async function transmissionGet(
  t: TestContext,
  { torrent, directory }: Omit<Wanted, 'port'>,
  call: (port: number) => Promise<unknown>,
): Promise<Downloaded> {
  await mkdir(directory, { recursive: true })
  const daemon = await start(t, { torrent, directory }, `${directory}-transmission`)
  await call(daemon.port)
  const done = await until('transmission has it', async () => {
    const now = await daemon.listed()
    return now !== undefined && isWhole(now) ? now : undefined
  })
  return { client: daemon.client, bytes: done.downloadedEver }
}

export async function transmissionSeed(
  t: TestContext,
  { torrent, directory }: Given,
  home: string,
): Promise<Seeder> {
  const daemon = await start(t, { torrent, directory }, home)
  await until('transmission seeds', async () => {
    const now = await daemon.listed()
    return now !== undefined && isWhole(now)
  })
  const { client, port } = daemon
  return { client, port, sent: async () => (await daemon.listed())?.uploadedEver ?? 0 }
}

const isWhole = ({ percentDone, leftUntilDone, status }: Listed): boolean =>
  percentDone === 1 && leftUntilDone === 0 && status > 4

/** It has looked for the torrent's files in the directory, or will. */
async function start(t: TestContext, { torrent, directory }: Given, home: string): Promise<Daemon> {
  await mkdir(home, { recursive: true })
  const [port, rpcPort] = [await freePort(), await freePort()]
  await writeFile(
    join(home, 'settings.json'),
    JSON.stringify({
      'bind-address-ipv4': '127.0.0.1',
      'dht-enabled': false,
      'download-dir': directory,
      'lpd-enabled': false,
      'peer-port': port,
      'pex-enabled': false,
      'port-forwarding-enabled': false,
      preallocation: 0,
      'rpc-bind-address': '127.0.0.1',
      'rpc-port': rpcPort,
      'rpc-whitelist-enabled': false,
      'utp-enabled': false,
    }),
  )
  startClient(t, await installed('transmission'), ['--foreground', '--config-dir', home])
  const rpc = rpcAt(rpcPort)
  const { version } = (await until('transmission answers', () =>
    rpc('session-get').catch(() => undefined),
  )) as { version: string }
  const what = torrent.startsWith('magnet:')
    ? { filename: torrent }
    : { metainfo: (await readFile(torrent)).toString('base64') }
  await rpc('torrent-add', what)
  await until('transmission listens', async () => (await rpc('port-test').catch(() => true)) !== undefined)
  const fields = ['percentDone', 'downloadedEver', 'uploadedEver', 'leftUntilDone', 'errorString', 'status']
  const listed = async (): Promise<Listed | undefined> =>
    ((await rpc('torrent-get', { fields })) as { torrents: Listed[] }).torrents[0]
  return { client: `Transmission ${version}`, port, listed }
}

function rpcAt(port: number): Rpc {
  let session = ''
  const ask = async (method: string, args: object): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/transmission/rpc`, {
      method: 'POST',
      headers: { 'X-Transmission-Session-Id': session },
      body: JSON.stringify({ method, arguments: args }),
      signal: AbortSignal.timeout(10_000),
    })
  return async (method, args = {}) => {
    let response = await ask(method, args)
    if (response.status === 409) {
      session = response.headers.get('X-Transmission-Session-Id') ?? ''
      response = await ask(method, args)
    }
    const { result, arguments: answer } = (await response.json()) as { result: string; arguments: unknown }
    if (result !== 'success') throw new Error(`transmission: ${method}: ${result}`)
    return answer
  }
}
