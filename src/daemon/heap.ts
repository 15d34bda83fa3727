/**
 * How V8 keeps the daemon's heap. A transfer leaves buffers behind, one for each 16 KiB that TLS reads; they lie
 * outside of the heap, but V8 takes them for growth of its old generation, and with its defaults marks the whole heap
 * again for every 9 MB that come in, which took up to half of a transfer's CPU time (docs/decisions/0011).
 */

const FLAGS = [
  // in MiB: small enough that the short-lived buffers fall to the quick collections of the young generation
  '--max-semi-space-size=8',
  // in percent of what lived at the last marking: room for those that outlive it by chance
  '--heap-growing-percent=300',
]

/** The arguments of a Node that runs `script` with such a heap. */
export function withHeap(script: string, ...args: readonly string[]): string[] {
  return [process.execPath, ...FLAGS, script, ...args]
}

/**
 * Starts this process anew, under its id, if it was started without these flags, as by hand or by a service manager.
 * Windows has no such call: there, only a daemon started in the background has them.
 */
export function insistOnHeap(): void {
  const { execArgv, execPath, argv, platform, env } = process
  if (platform === 'win32' || FLAGS.every((flag) => execArgv.includes(flag))) return
  process.execve?.(execPath, [execPath, ...FLAGS, ...execArgv, ...argv.slice(1)], env)
}
