/** libtorrent from PyPI, driven by a script of one peer. */
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cached } from './cache.ts'
import { output } from './processes.ts'
import type { Peer, Place, Program } from './program.ts'

const VERSION = '2.1.1'

const SCRIPT = fileURLToPath(new URL('libtorrent_peer.py', import.meta.url))

/** How its connections are: unencrypted, as its users have it by default, or by RC4, which is all that it knows. */
export type Encryption = 'plain' | 'rc4'

/** Where Python finds it; fetched when it is not there yet. */
export async function libtorrentModules(): Promise<string> {
  const modules = await cached(`libtorrent-${VERSION}`, async (directory) => {
    await output('python3', [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--target',
      directory,
      `libtorrent==${VERSION}`,
    ])
  })
  // a version of Python for which there was no module would be found out by every peer, and late
  await output('python3', ['-c', 'import libtorrent'], '', { env: { PYTHONPATH: modules } })
  return modules
}

export async function libtorrent(encryption: Encryption): Promise<Program> {
  const modules = await libtorrentModules()
  const isPlain = encryption === 'plain'
  return {
    name: isPlain ? 'libtorrent' : 'libtorrent-rc4',
    version: `libtorrent ${VERSION}${isPlain ? '' : ', RC4'}`,
    start: (place) => start(modules, encryption, place),
  }
}

/** Peers connect per torrent, so they hold it before the start, in upload mode: then they ask for nothing. */
async function start(modules: string, encryption: Encryption, place: Place): Promise<Peer> {
  const session = place.start(['python3', SCRIPT, place.address, encryption], { PYTHONPATH: modules })
  const call = async (name: string, ...args: unknown[]): Promise<unknown> => {
    const { answer } = JSON.parse(await session.ask(JSON.stringify([name, ...args]))) as { answer: unknown }
    return answer
  }
  return {
    address: place.address,
    pid: session.pid,
    add: async (source) => {
      const torrent = join(place.directory, `${basename(source)}.torrent`)
      await call('add', source, torrent)
      return torrent
    },
    join: async (torrent, target, others) => {
      await call('join', torrent, dirname(target), others)
    },
    connections: async () => Number(await call('connections')),
    get: async () => {
      await call('get')
    },
    stop: () => session.stop(),
  }
}
