/** BitTorrent clients that download on loopback, each in its own way. All end with the test. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { output } from '../bench/processes.ts'
import { freePort, until } from '../e2e/homes.ts'
import { installed } from './installed.ts'

/** What a download was, by the client's own account. */
export interface Downloaded {
  readonly client: string
  /** Bytes of content that it counts as received. */
  readonly bytes: number
}

/** A .torrent file, or a magnet link. */
export interface Wanted {
  readonly torrent: string
  /** Where it is put. */
  readonly directory: string
  /** The peer's port on loopback. */
  readonly port: number
}

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

/** A libtorrent that gives the torrent's files in a directory. */
export async function libtorrentSeed(
  t: TestContext,
  torrent: string,
  directory: string,
): Promise<{ readonly port: number; end(): Promise<{ version: string; bytes: number }> }> {
  const env = { ...process.env, PYTHONPATH: await installed('libtorrent') }
  const child = spawn('python3', [here('libtorrent_seed.py'), torrent, directory], {
    env,
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
  return {
    port,
    end: async () => {
      child.stdin.end()
      return JSON.parse(await line()) as { version: string; bytes: number }
    },
  }
}

/** It is told of the peer by a tracker. */
export async function aria2Get(
  t: TestContext,
  { torrent, directory, tracker }: Omit<Wanted, 'port'> & { tracker: string },
): Promise<Downloaded> {
  await mkdir(directory, { recursive: true })
  const program = await installed('aria2')
  const [version = ''] = (await output(program, ['--version'])).split('\n')
  const listen = await freePort()
  const log = join(directory, '..', `aria2-${listen}.log`)
  const child = spawn(program, [
    '--no-conf',
    '--enable-dht=false',
    '--enable-dht6=false',
    '--bt-enable-lpd=false',
    '--enable-peer-exchange=false',
    '--disable-ipv6=true',
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
  endWith(t, child)
  const [code] = await once(child, 'close')
  assert.equal(code, 0, `aria2: ${await readFile(log, 'utf8').then((text) => text.slice(-2_000))}`)
  return { client: version.replace(' version', ''), bytes: await aria2Bytes(log) }
}

/** Blocks that it logged as received. */
async function aria2Bytes(log: string): Promise<number> {
  const text = await readFile(log, 'utf8')
  const blocks = text.matchAll(/From: \S+ piece index=\d+, begin=\d+, length=(\d+)/g)
  return [...blocks].reduce((sum, [, length]) => sum + Number(length), 0)
}

/** It takes calls on loopback and makes none: `call` is told where it listens. */
export async function transmissionGet(
  t: TestContext,
  { torrent, directory }: Omit<Wanted, 'port'>,
  call: (port: number) => Promise<unknown>,
): Promise<Downloaded> {
  const program = await installed('transmission')
  const home = `${directory}-transmission`
  await mkdir(home, { recursive: true })
  await mkdir(directory, { recursive: true })
  const [peerPort, rpcPort] = [await freePort(), await freePort()]
  await writeFile(
    join(home, 'settings.json'),
    JSON.stringify({
      'bind-address-ipv4': '127.0.0.1',
      'dht-enabled': false,
      'download-dir': directory,
      'lpd-enabled': false,
      'peer-port': peerPort,
      'pex-enabled': false,
      'port-forwarding-enabled': false,
      preallocation: 0,
      'rpc-bind-address': '127.0.0.1',
      'rpc-port': rpcPort,
      'rpc-whitelist-enabled': false,
      'utp-enabled': false,
    }),
  )
  const child = spawn(program, ['--foreground', '--config-dir', home])
  endWith(t, child)
  const rpc = transmissionRpc(rpcPort)
  const { version } = (await until('transmission answers', () =>
    rpc('session-get').catch(() => undefined),
  )) as {
    version: string
  }
  const what = torrent.startsWith('magnet:')
    ? { filename: torrent }
    : { metainfo: (await readFile(torrent)).toString('base64') }
  await rpc('torrent-add', what)
  await until('transmission listens', async () => (await rpc('port-test').catch(() => true)) !== undefined)
  await call(peerPort)
  const fields = ['percentDone', 'downloadedEver', 'leftUntilDone', 'errorString', 'status']
  const done = await until('transmission has it', async () => {
    const { torrents } = (await rpc('torrent-get', { fields })) as {
      torrents: {
        percentDone: number
        downloadedEver: number
        leftUntilDone: number
        errorString: string
        status: number
      }[]
    }
    const [first] = torrents
    return first?.percentDone === 1 && first.leftUntilDone === 0 && first.status > 4 ? first : undefined
  })
  return { client: `Transmission ${version}`, bytes: done.downloadedEver }
}

function transmissionRpc(port: number): (method: string, args?: object) => Promise<unknown> {
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

export async function qbittorrentGet(
  t: TestContext,
  { torrent, directory, port }: Wanted,
): Promise<Downloaded> {
  const program = await installed('qbittorrent')
  const [version = ''] = (await output(program, ['--version'], '', { env: { HOME: directory } })).split('\n')
  const profile = `${directory}-qbittorrent`
  await mkdir(join(profile, 'qBittorrent', 'config'), { recursive: true })
  await mkdir(directory, { recursive: true })
  const [webPort, peerPort] = [await freePort(), await freePort()]
  await writeFile(
    join(profile, 'qBittorrent', 'config', 'qBittorrent.conf'),
    [
      '[LegalNotice]',
      'Accepted=true',
      '[BitTorrent]',
      'Session\\DHTEnabled=false',
      'Session\\LSDEnabled=false',
      'Session\\PeXEnabled=false',
      'Session\\Interface=lo',
      'Session\\InterfaceName=lo',
      'Session\\MultiConnectionsPerIp=true',
      'Session\\BTProtocol=TCP',
      `Session\\Port=${peerPort}`,
      '[Preferences]',
      'Connection\\UPnP=false',
      'WebUI\\Address=127.0.0.1',
      'WebUI\\LocalHostAuth=false',
      'WebUI\\CSRFProtection=false',
      `WebUI\\Port=${webPort}`,
      '',
    ].join('\n'),
  )
  const child = spawn(program, [`--profile=${profile}`, `--webui-port=${webPort}`])
  endWith(t, child)
  const api = async (path: string, form?: FormData | URLSearchParams): Promise<string> => {
    const url = `http://127.0.0.1:${webPort}/api/v2/${path}`
    const response = await fetch(url, {
      ...(form && { method: 'POST', body: form }),
      signal: AbortSignal.timeout(10_000),
    })
    if (!response.ok) throw new Error(`qbittorrent: ${path}: ${response.status} ${await response.text()}`)
    return response.text()
  }
  await until('qbittorrent answers', () => api('app/version').catch(() => undefined))
  const form = new FormData()
  form.set('savepath', directory)
  form.set('root_folder', 'true')
  if (torrent.startsWith('magnet:')) form.set('urls', torrent)
  else form.set('torrents', new Blob([await readFile(torrent)]), 'share.torrent')
  await api('torrents/add', form)
  type Listed = { hash: string; progress: number; downloaded: number; state: string; amount_left: number }
  const listed = async (): Promise<Listed | undefined> =>
    (JSON.parse(await api('torrents/info')) as Listed[])[0]
  const { hash } = await until('qbittorrent knows it', listed)
  const done = await until('qbittorrent has it', async () => {
    await api('torrents/addPeers', new URLSearchParams({ hashes: hash, peers: `127.0.0.1:${port}` })).catch(
      () => {},
    )
    const now = await listed()
    return now?.progress === 1 && now.amount_left === 0 && now.downloaded > 0 && /UP$/.test(now.state)
      ? now
      : undefined
  })
  return { client: version.replace(' v', ' '), bytes: done.downloaded }
}

function endWith(t: TestContext, child: ChildProcess): void {
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  })
  // a pipe that nobody reads would stop it
  child.stdout?.resume()
  child.stderr?.resume()
}
