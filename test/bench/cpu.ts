/** CPU time, from /proc. */
import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Running } from './processes.ts'

/** Ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS = 100

/** The machine is calm when less than this part of all cores' time was taken for so many ms. */
const CALM = { part: 0.1, during: 1500 }

export interface CpuTime {
  /** Seconds of the program's processes: those that run, and the commands that have ended. */
  readonly program: number
  /** Seconds that all cores together were not idle, the network's own work included. */
  readonly machine: number
  /** Seconds that the cores wanted to work and were another machine's, on a host of several. */
  readonly stolen: number
}

/** Since some time ago that is the same for all calls. */
export async function cpuTime(): Promise<CpuTime> {
  const stat = (await readFile('/proc/stat', 'utf8')).split('\n')[0] ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = stat
    .split(/\s+/)
    .slice(1)
    .map(Number)
  const ended = await ticks('self')
  const living = await Promise.all(Running.pids().map(ticks))
  const program = living.reduce((sum, { own, children }) => sum + own + children, ended.children)
  return {
    program: program / TICKS,
    machine: (user + nice + system + irq + softirq) / TICKS,
    stolen: steal / TICKS,
  }
}

export async function cpuTimeSince(before: CpuTime): Promise<CpuTime> {
  const now = await cpuTime()
  return {
    program: now.program - before.program,
    machine: now.machine - before.machine,
    stolen: now.stolen - before.stolen,
  }
}

/** Seconds that a process has taken, without those of its children. */
export async function processSeconds(pid: number): Promise<number> {
  return (await ticks(pid)).own / TICKS
}

/** Waits until the machine has little to do, the programs that were just started included; `limit` ms at most. */
export async function calm(limit: number): Promise<void> {
  const late = performance.now() + limit
  let before = await cpuTime()
  do {
    await sleep(CALM.during)
    const now = await cpuTime()
    const taken = (1000 * (now.machine - before.machine)) / CALM.during / availableParallelism()
    if (taken < CALM.part) return
    before = now
  } while (performance.now() < late)
}

/** Of a process, and of the children of it that have ended; those of this tool are all the program's. */
async function ticks(pid: number | 'self'): Promise<{ own: number; children: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // the name in brackets may hold anything
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15).map(Number)
  return { own: user + system, children: childUser + childSystem }
}
