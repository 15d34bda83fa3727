/**
 * What a run leaves on the machine is called by the tool's process id, and goes when the run ends, however it ends; what
 * a killed tool left is found by the next one. All of it blocks, so that nothing new is made meanwhile.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const PREFIX = 'swarmbench-'

/** Namespaces of this run are called so, and something after it. */
export const RUN = `${PREFIX}${process.pid}-`

/** The tools that make namespaces: a process of that id which runs another program is not their owner. */
const TOOLS = /\b(swarm|machine|links)\.ts\b/

/** Ms between tries to remove a directory in which a process that was just killed still writes, and how many. */
const PATIENCE = { maxRetries: 10, retryDelay: 100 }

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Removes what killed runs left, and makes this run's directory in `base`: all of it goes on disposal, or on a signal. */
export function openRun(base: string): Disposable & { readonly directory: string } {
  const directory = join(base, RUN.slice(0, -1))
  const clear = (): void => {
    removeNamespaces()
    removeDirectory(directory)
  }
  removeLeftovers(base)
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.once(signal, () => {
      clear()
      process.exit(code)
    })
  }
  mkdirSync(directory)
  return { directory, [Symbol.dispose]: clear }
}

/** Namespaces of this run, with the processes in them. */
export function removeNamespaces(): void {
  removeWhere((name) => name.startsWith(RUN))
}

/** As `rm -rf`. */
export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true, ...PATIENCE })
}

/** Everything of runs whose tool is not running any more; directories are looked for in `base`. */
function removeLeftovers(base: string): void {
  removeWhere(isLeft)
  for (const name of readdirSync(base).filter(isLeft)) removeDirectory(join(base, name))
}

function isLeft(name: string): boolean {
  const [, pid] = /^swarmbench-(\d+)/.exec(name) ?? []
  if (pid === undefined || Number(pid) === process.pid) return false
  try {
    return !TOOLS.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
  } catch {
    return true
  }
}

function removeWhere(chosen: (name: string) => boolean): void {
  const names = run('ip', 'netns', 'list').map((line) => line.split(' ')[0] ?? '')
  for (const name of names.filter(chosen)) {
    for (const pid of run('ip', 'netns', 'pids', name)) kill(Number(pid))
    run('ip', 'netns', 'del', name)
  }
}

const run = (command: string, ...args: string[]): string[] =>
  execFileSync(command, args, { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended meanwhile
  }
}
