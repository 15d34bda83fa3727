/** qBittorrent on loopback: it downloads, or gives to who calls. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { output } from '../bench/processes.ts'
import { freePort, until } from '../e2e/homes.ts'
import { type Downloaded, type Given, type Seeder, startClient, type Wanted } from './client.ts'
import { installed } from './installed.ts'

interface Listed {
  readonly hash: string
  readonly progress: number
  readonly downloaded: number
  readonly uploaded: number
  readonly state: string
  readonly amount_left: number
}

interface Program {
  readonly client: string
  readonly port: number
  api(path: string, form?: FormData | URLSearchParams): Promise<string>
  /** The one torrent that it has. */
  listed(): Promise<Listed | undefined>
}

export async function qbittorrentGet(
  t: TestContext,
  { torrent, directory, port }: Wanted,
): Promise<Downloaded> {
  await mkdir(directory, { recursive: true })
  const { client, api, listed } = await start(t, { torrent, directory }, `${directory}-qbittorrent`)
  const { hash } = await until('qbittorrent knows it', listed)
  const done = await until('qbittorrent has it', async () => {
    await api('torrents/addPeers', new URLSearchParams({ hashes: hash, peers: `127.0.0.1:${port}` })).catch(
      () => {},
    )
    const now = await listed()
    return now !== undefined && isWhole(now) && now.downloaded > 0 ? now : undefined
  })
  return { client, bytes: done.downloaded }
}

export async function qbittorrentSeed(
  t: TestContext,
  { torrent, directory }: Given,
  profile: string,
): Promise<Seeder> {
  const { client, port, listed } = await start(t, { torrent, directory }, profile)
  await until('qbittorrent seeds', async () => {
    const now = await listed()
    return now !== undefined && isWhole(now)
  })
  return { client, port, sent: async () => (await listed())?.uploaded ?? 0 }
}

const isWhole = ({ progress, amount_left, state }: Listed): boolean =>
  progress === 1 && amount_left === 0 && /UP$/.test(state)

/** It has looked for the torrent's files in the directory, or will. */
async function start(t: TestContext, { torrent, directory }: Given, profile: string): Promise<Program> {
  const program = await installed('qbittorrent')
  const [version = ''] = (await output(program, ['--version'], '', { env: { HOME: profile } })).split('\n')
  await mkdir(join(profile, 'qBittorrent', 'config'), { recursive: true })
  const [webPort, port] = [await freePort(), await freePort()]
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
      `Session\\Port=${port}`,
      '[Preferences]',
      'Connection\\UPnP=false',
      'WebUI\\Address=127.0.0.1',
      'WebUI\\LocalHostAuth=false',
      'WebUI\\CSRFProtection=false',
      `WebUI\\Port=${webPort}`,
      '',
    ].join('\n'),
  )
  startClient(t, program, [`--profile=${profile}`, `--webui-port=${webPort}`])
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
  const listed = async (): Promise<Listed | undefined> =>
    (JSON.parse(await api('torrents/info')) as Listed[])[0]
  return { client: version.replace(' v', ' '), port, api, listed }
}
