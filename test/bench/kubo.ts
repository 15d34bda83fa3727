/** kubo, by its commands. */
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { installed } from '../interop/installed.ts'
import { output } from './processes.ts'
import type { Peer, Place, Program } from './program.ts'

const PORT = 4001

/** Uses the program at `path`, or builds one. */
export async function kubo(path: string | undefined): Promise<Program> {
  const program = path === undefined ? join(await installed('kubo'), 'ipfs') : resolve(path)
  const version = (await output(program, ['version', '--number'])).trim()
  return { name: 'kubo', version: `kubo ${version}`, start: (place) => start(program, place) }
}

async function start(program: string, place: Place): Promise<Peer> {
  const repository = join(place.directory, 'ipfs')
  const env = { IPFS_PATH: repository, IPFS_TELEMETRY: 'off' }
  const run = (...args: string[]): Promise<string> => place.run([program, ...args], env)
  await run('init', '--profile=test,unixfs-v1-2025')
  const peerId = await configure(join(repository, 'config'), place.address)
  const daemon = place.start([program, 'daemon'], env)
  await daemon.line(/^Daemon is ready/)
  return {
    address: `${tcp(place.address)}/p2p/${peerId}`,
    pid: daemon.pid,
    add: async (source) => (await run('add', '-r', '-Q', '--progress=false', source)).trim(),
    join: async (_share, _target, others) => {
      if (others.length > 0) await run('swarm', 'connect', ...others)
    },
    connections: async () => new Set((await run('swarm', 'peers')).match(/(?<=\/p2p\/)\w+/g)).size,
    get: async (cid, target) => {
      await run('get', '--progress=false', '-o', target, cid)
    },
    sources: async (others) => {
      const received = async (id: string): Promise<[string, number]> => {
        const ledger = JSON.parse(await run('bitswap', 'ledger', '--enc=json', id)) as { Recv: number }
        return [id, ledger.Recv]
      }
      return new Map(await Promise.all(others.map(received)))
    },
    stop: () => daemon.stop(),
  }
}

const tcp = (address: string): string => `/ip4/${address}/tcp/${PORT}`

/** The profile's node knows nobody and asks nobody; it only has to leave loopback. Returns its peer id. */
async function configure(path: string, address: string): Promise<string> {
  const config = JSON.parse(await readFile(path, 'utf8')) as {
    Identity: { PeerID: string }
    Addresses: { Swarm: string[] }
    Routing: { Type?: string }
    Internal: { Bitswap?: object }
  }
  config.Addresses.Swarm = [tcp(address)]
  config.Routing.Type = 'none'
  // outside of its own network it would ask those alone whom somebody names as providers, and nobody does
  config.Internal.Bitswap = { ...config.Internal.Bitswap, BroadcastControl: { Enable: false } }
  await writeFile(path, JSON.stringify(config))
  return config.Identity.PeerID
}
