/** libtorrent from PyPI, driven by a script of one peer. */
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { installed } from '../interop/installed.ts'
import { output } from './processes.ts'
import type { Peer, Place, Program } from './program.ts'

const SCRIPT = fileURLToPath(new URL('libtorrent_peer.py', import.meta.url))

/** How its connections are: unencrypted, as its users have it by default, or by RC4, which is all that it knows. */
export type Encryption = 'plain' | 'rc4'

export async function libtorrent(encryption: Encryption): Promise<Program> {
  const modules = await installed('libtorrent')
  const version = await output('python3', ['-c', 'import libtorrent; print(libtorrent.__version__)'], '', {
    env: { PYTHONPATH: modules },
  })
  const isPlain = encryption === 'plain'
  return {
    name: isPlain ? 'libtorrent' : 'libtorrent-rc4',
    version: `libtorrent ${version.trim()}${isPlain ? '' : ', RC4'}`,
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
    sources: async () => new Map(Object.entries((await call('sources')) as Record<string, number>)),
    stop: () => session.stop(),
  }
}
