/**
 * How Node runs the daemon. A transfer leaves buffers behind, one for each 16 KiB that TLS reads; they lie outside of
 * V8's heap, but it takes them for growth of its old generation, and with its defaults marks the whole heap again for
 * every 9 MB that come in, which took up to half of a transfer's CPU time (docs/decisions/0011).
 */

const FLAGS = [
  // in MiB: small enough that the short-lived buffers fall to the quick collections of the young generation
  '--max-semi-space-size=8',
  // in percent of what lived at the last marking: room for those that outlive it by chance
  '--heap-growing-percent=200',
  // ten times V8's own: its best compiler takes longer over what a transfer calls than most transfers last
  '--invocation-count-for-turbofan=30000',
]

/** Of the environment, unless somebody has chosen otherwise. */
const SETTINGS = {
  // threads that wait for the disk; Node has 4. Many small files are made durable together, a thread each
  UV_THREADPOOL_SIZE: '16',
  // bytes from which on glibc gives a buffer a mapping of its own, which freeing it ends: more than a block of 1 MiB, for which
  // mappings cost too much. Left alone, glibc raises that to the largest that was freed, and the heap, which does not shrink, gets holes
  MALLOC_MMAP_THRESHOLD_: '1114112',
} as const

/** The arguments of a Node that runs `script` in this way, with `environment`. */
export function commandOf(script: string, ...args: readonly string[]): string[] {
  return [process.execPath, ...FLAGS, script, ...args]
}

/** The environment of a daemon. */
export function environment(): NodeJS.ProcessEnv {
  return { ...SETTINGS, ...process.env }
}

/**
 * Starts this process anew, under its id, if it was started otherwise, as by hand or by a service manager. Windows has
 * no such call: there, only a daemon started in the background runs so.
 */
export function insistOnRuntime(): void {
  const { execArgv, execPath, argv, platform, env } = process
  const isSet = Object.keys(SETTINGS).every((name) => env[name] !== undefined)
  const isSo = isSet && FLAGS.every((flag) => execArgv.includes(flag))
  if (platform === 'win32' || isSo) return
  const flags = FLAGS.filter((flag) => !execArgv.includes(flag))
  process.execve?.(execPath, [execPath, ...flags, ...execArgv, ...argv.slice(1)], environment())
}
