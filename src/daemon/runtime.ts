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

/** Threads that wait for the disk; Node has 4. Many small files are made durable together, a thread each. */
const THREADS = '16'

/** The arguments of a Node that runs `script` in this way, with `environment`. */
export function commandOf(script: string, ...args: readonly string[]): string[] {
  return [process.execPath, ...FLAGS, script, ...args]
}

/** The environment of a daemon; a number of threads that somebody has chosen stays. */
export function environment(): NodeJS.ProcessEnv {
  return { UV_THREADPOOL_SIZE: THREADS, ...process.env }
}

/**
 * Starts this process anew, under its id, if it was started otherwise, as by hand or by a service manager. Windows has
 * no such call: there, only a daemon started in the background runs so.
 */
export function insistOnRuntime(): void {
  const { execArgv, execPath, argv, platform, env } = process
  const isSo = FLAGS.every((flag) => execArgv.includes(flag)) && env.UV_THREADPOOL_SIZE !== undefined
  if (platform === 'win32' || isSo) return
  const flags = FLAGS.filter((flag) => !execArgv.includes(flag))
  process.execve?.(execPath, [execPath, ...flags, ...execArgv, ...argv.slice(1)], environment())
}
