/** One run: lays out the network, starts a program's peers, lets them download, counts. */
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Case } from './cases.ts'
import { type CpuTime, calm, cpuTime, cpuTimeSince } from './cpu.ts'
import { removeDirectory, removeNamespaces } from './leftovers.ts'
import { layOut, type Network } from './network.ts'
import { type Peer, Place, type Program } from './program.ts'
import type { Source } from './source.ts'

/** Ms until everyone is connected to everyone, at most. */
const CONNECT_LIMIT = 60_000

const PROBE_INTERVAL_MS = 200

/** Ms after the first start. */
interface Download {
  readonly start: number
  readonly end: number
}

export interface Measured {
  /** One for each leecher, in their order. */
  readonly downloads: readonly Download[]
  /** Bytes that each peer sent between the first start and the last end; the seeder first. */
  readonly sent: readonly number[]
  /** Seconds in that time. */
  readonly cpu: CpuTime
}

export interface Setting {
  readonly swarm: Case
  readonly program: Program
  readonly source: Source
  /** Where the peers' directories are made. */
  readonly directory: string
  /** Ms from the first start until the downloads count as never ending. */
  readonly limit: number
  /** Ms to wait for a calm machine. */
  readonly patience: number
}

interface Leecher {
  readonly peer: Peer
  readonly target: string
}

/** @throws Error when a download fails, differs from the source, or is not there within the limit */
export async function measure(setting: Setting): Promise<Measured> {
  const { swarm, program, source } = setting
  const directory = join(setting.directory, program.name)
  try {
    const network = await layOut([swarm.seeder, ...swarm.leechers])
    const [seeder, ...leechers] = await Promise.all(
      network.peers.map((peer, at) => startPeer(setting, peer, join(directory, String(at)))),
    )
    if (seeder === undefined) throw new Error('no seeder')
    const share = await seeder.peer.add(source.path)
    await connect(share, seeder.peer, leechers)
    await calm(setting.patience)
    const measured = await count(network, () => download(setting, share, leechers))
    for (const { target } of leechers) await source.check(target)
    return measured
  } finally {
    removeNamespaces()
    removeDirectory(directory)
  }
}

async function startPeer(
  { program, source }: Setting,
  at: Network['peers'][number],
  directory: string,
): Promise<Leecher> {
  await mkdir(directory, { recursive: true })
  return {
    peer: await program.start(new Place(at, directory)),
    target: join(directory, basename(source.path)),
  }
}

/** Everyone with everyone. */
async function connect(share: string, seeder: Peer, leechers: readonly Leecher[]): Promise<void> {
  const known = [seeder.address]
  for (const { peer, target } of leechers) {
    await peer.join(share, target, known)
    known.push(peer.address)
  }
  const late = performance.now() + CONNECT_LIMIT
  for (const peer of [seeder, ...leechers.map((leecher) => leecher.peer)]) {
    while ((await peer.connections()) < leechers.length) {
      if (performance.now() > late) throw new Error(`${peer.address} is not connected to everyone`)
      await sleep(PROBE_INTERVAL_MS)
    }
  }
}

async function count(network: Network, work: () => Promise<Download[]>): Promise<Measured> {
  const sentBefore = await network.sent()
  const cpuBefore = await cpuTime()
  const downloads = await work()
  const cpu = await cpuTimeSince(cpuBefore)
  const sentAfter = await network.sent()
  return {
    downloads,
    sent: sentAfter.map((bytes, at) => bytes - (sentBefore[at] ?? 0)),
    cpu,
  }
}

async function download(
  { swarm, limit }: Setting,
  share: string,
  leechers: readonly Leecher[],
): Promise<Download[]> {
  const timer = new AbortController()
  const first = performance.now()
  const downloads = leechers.map(async ({ peer, target }, at) => {
    if (at > 0 && swarm.apart > 0) await sleep(at * swarm.apart)
    const start = performance.now() - first
    await peer.get(share, target)
    const end = performance.now() - first
    if (swarm.leaves) await peer.stop()
    return { start, end }
  })
  const tooLate = sleep(limit, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`not everyone was done within ${limit / 1000} s`)
  })
  try {
    return await Promise.race([Promise.all(downloads), tooLate])
  } finally {
    timer.abort()
    tooLate.catch(() => {})
    for (const each of downloads) each.catch(() => {})
  }
}
