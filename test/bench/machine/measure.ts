/** One run: starts a program's peers on addresses of loopback, lets one of them work, counts. */
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { calm, cpuTime, cpuTimeSince } from '../cpu.ts'
import { removeDirectory } from '../leftovers.ts'
import { memoryOf } from '../memory.ts'
import { type Peer, Place, type Program, type Role } from '../program.ts'
import type { Source } from '../source.ts'
import { syncAll } from './sync.ts'
import type { Work } from './works.ts'

/** Ms until everyone is connected, at most. */
const CONNECT_LIMIT = 60_000

const PROBE_INTERVAL_MS = 200

export interface Figures {
  /** Seconds of the work. */
  readonly total: number
  /** Seconds that it takes after it until what came is on the disk; of who publishes nothing is written. */
  readonly sync: number | undefined
  /** Seconds of the program's processes, all of them. */
  readonly cpu: number
  /** The part of all cores' time that another machine had. */
  readonly stolen: number
  /** MB: the most that a process held (VmHWM), for the first who publishes and for who downloads. */
  readonly seeder: number | undefined
  readonly leecher: number | undefined
}

export interface Setting {
  readonly work: Work
  readonly program: Program
  readonly source: Source
  /** Where the peers' directories are made. */
  readonly directory: string
  /** Ms from the start until the work counts as never ending. */
  readonly limit: number
  /** Ms to wait for a calm machine. */
  readonly patience: number
}

/** @throws Error when the work fails, what came differs from the source, or it is not done within the limit */
export async function measure(setting: Setting): Promise<Figures> {
  const { work, program, source } = setting
  const directory = join(setting.directory, program.name)
  const peers: Peer[] = []
  try {
    const start = async (role: Role): Promise<Peer> => {
      const at = join(directory, String(peers.length))
      await mkdir(at, { recursive: true })
      // Linux answers for all of 127/8
      const peer = await program.start(new Place({ address: `127.0.0.${peers.length + 2}` }, at), role)
      peers.push(peer)
      return peer
    }
    const doing = work.does === 'add' ? await preparedAdd(start, source) : await preparedGet(setting, start)
    await calm(setting.patience)
    const before = await cpuTime()
    const total = await secondsOf(within(setting.limit, doing.run()))
    const spent = await cpuTimeSince(before)
    const figures = {
      total,
      sync: doing.target === undefined ? undefined : await secondsOf(syncAll(doing.target)),
      cpu: spent.program,
      stolen: spent.stolen / (total * availableParallelism()),
      seeder: await mostHeld(peers[0]),
      leecher: await mostHeld(doing.leecher),
    }
    await doing.check()
    return figures
  } finally {
    await Promise.all(peers.map((peer) => peer.stop().catch(() => {})))
    if (!isKept(work)) removeDirectory(directory)
  }
}

/** Trees stay until the last round: ext4 takes minutes to use inodes of deleted files again, and passes over each of them with every file that is made. */
export function isKept({ files }: Work): boolean {
  return files !== undefined
}

type Start = (role: Role) => Promise<Peer>

interface Doing {
  readonly leecher?: Peer
  /** Where what it gets is to be. */
  readonly target?: string
  run(): Promise<unknown>
  check(): Promise<void>
}

async function preparedAdd(start: Start, source: Source): Promise<Doing> {
  const peer = await start('seeder')
  return { run: () => peer.add(source.path), check: async () => {} }
}

async function preparedGet({ work, source, directory, program }: Setting, start: Start): Promise<Doing> {
  const seeders: Peer[] = []
  let share = ''
  for (let at = 0; at < work.seeders; at++) {
    const seeder = await start('seeder')
    share = await seeder.add(source.path)
    seeders.push(seeder)
  }
  const leecher = await start('leecher')
  const target = join(directory, program.name, 'got', basename(source.path))
  await mkdir(join(directory, program.name, 'got'))
  await leecher.join(
    share,
    target,
    seeders.map(({ address }) => address),
  )
  const late = performance.now() + CONNECT_LIMIT
  while ((await leecher.connections()) < seeders.length) {
    if (performance.now() > late) throw new Error('the peers are not connected')
    await sleep(PROBE_INTERVAL_MS)
  }
  return { leecher, target, run: () => leecher.get(share, target), check: () => source.check(target) }
}

async function within(limit: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController()
  const tooLate = sleep(limit, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`not done within ${limit / 1000} s`)
  })
  tooLate.catch(() => {})
  try {
    await Promise.race([work, tooLate])
  } finally {
    timer.abort()
  }
}

async function secondsOf(work: Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work
  return (performance.now() - from) / 1000
}

async function mostHeld(peer: Peer | undefined): Promise<number | undefined> {
  return peer?.pid === undefined ? undefined : (await memoryOf(peer.pid, 'VmHWM')) / 1e6
}
