/** `share`, by its commands, as its users have it. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { output, type Running } from './processes.ts'
import type { Command, Peer, Place, Program } from './program.ts'

const PORT = 4141

/** Each probe is a command that takes a part of a core from the daemon that it waits for. */
const PROBE_INTERVAL_MS = 500

/** Of libtorrent's benchmark peers, which look there for others too. */
const TORRENT_PORT = 6881

/** `checkout` has to be built. */
export const share = (checkout: string): Promise<Program> => programAt(checkout, start)

/** Beside BitTorrent clients: what it publishes and gets is a v1 torrent. */
export const shareByTorrents = (checkout: string): Promise<Program> => programAt(checkout, startByTorrents)

async function programAt(checkout: string, start: Start): Promise<Program> {
  const program = join(checkout, 'bin/share.js')
  const version = (await output(process.execPath, [program, '--version'])).trim()
  return { name: 'share', version: `share ${version}`, start: (place) => start(program, place) }
}

type Start = (program: string, place: Place) => Promise<Peer>

async function start(program: string, place: Place): Promise<Peer> {
  const { daemon, run } = await startDaemon(program, place, {})
  const { addresses } = JSON.parse(await run('id', '--json')) as { addresses: string[] }
  return {
    address: addresses[0] ?? '',
    pid: daemon.pid,
    add: async (source) => (await run('add', '-q', source)).trim(),
    join: async (_share, _target, others) => {
      for (const other of others) await run('peers', 'connect', other)
    },
    connections: async () => {
      const { peers } = JSON.parse(await run('peers', '--json')) as { peers: { id: string }[] }
      return new Set(peers.map(({ id }) => id)).size
    },
    get: async (cid, target) => {
      await run('get', cid, '-o', target, '--quiet')
    },
    stop: () => daemon.stop(),
  }
}

/** BitTorrent peers connect for one torrent, and `share` has that when it is to get it: connecting is a part of what is measured. */
async function startByTorrents(program: string, place: Place): Promise<Peer> {
  const { daemon, run } = await startDaemon(program, place, {
    'torrent.listen': `/ip4/${place.address}/tcp/${TORRENT_PORT}`,
  })
  let known: readonly string[] = []
  return {
    address: place.address,
    pid: daemon.pid,
    add: async (source) => {
      const cid = (await run('add', '-q', source)).trim()
      const torrent = join(place.directory, 'published.torrent')
      await run('torrent', cid, '--v1', '-o', torrent)
      return torrent
    },
    join: async (_torrent, _target, others) => {
      known = others
    },
    connections: async () => known.length,
    get: async (torrent, target) => {
      const peers = known.flatMap((address) => ['--peer', `${address}:${TORRENT_PORT}`])
      await run('get', torrent, '-o', target, '--quiet', ...peers)
    },
    stop: () => daemon.stop(),
  }
}

type Run = (...args: string[]) => Promise<string>

async function startDaemon(
  program: string,
  place: Place,
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly daemon: Running; readonly run: Run }> {
  const home = join(place.directory, 'home')
  // how peers find each other is not measured
  const config = {
    listen: `/ip4/${place.address}/tcp/${PORT}`,
    bootstrap: 'none',
    'discovery.mdns': 'off',
    dht: 'off',
    ...settings,
  }
  await mkdir(home, { mode: 0o700 })
  await writeFile(join(home, 'config.json'), JSON.stringify(config))
  const command = (args: readonly string[]): Command => [process.execPath, program, ...args]
  const env = { SHARE_HOME: home }
  const run: Run = (...args) => place.run(command(args), env)
  const daemon = place.start(command(['daemon', 'run']), env)
  await answering(daemon, () => run('daemon', 'status', '--json'))
  return { daemon, run }
}

/** Waits until a daemon that was just started answers. */
async function answering(daemon: Running, probe: () => Promise<string>): Promise<void> {
  for (;;) {
    await sleep(PROBE_INTERVAL_MS)
    try {
      const { running } = JSON.parse(await probe()) as { running: boolean }
      if (running) return
    } catch {
      // not yet, unless it has ended
    }
    daemon.check()
  }
}
