/**
 * The daemon's log: `daemon.log` in the home. At its largest size it is copied to `daemon.log.1` and emptied in
 * place, so that the descriptor that a background daemon has as its stderr goes on writing to the right file.
 */
import { copyFileSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

// weeks of ordinary running; two of these at most
const LARGEST_LOG_BYTES = 4 * 1024 * 1024

export function logPath(home: string): string {
  return join(home, 'daemon.log')
}

/** A descriptor that appends to the log, which only its owner may read. */
export function openLogFile(home: string): number {
  return openSync(logPath(home), 'a', 0o600)
}

/** A function that logs one line, with the time; `echo` also prints it on stderr. */
export function openLog(
  home: string,
  { echo = false, largest = LARGEST_LOG_BYTES } = {},
): (line: string) => void {
  const file = openLogFile(home)
  return (line) => {
    const stamped = `${new Date().toISOString()} ${line}\n`
    if (echo) process.stderr.write(stamped)
    if (fstatSync(file).size >= largest) {
      copyFileSync(logPath(home), `${logPath(home)}.1`)
      ftruncateSync(file)
    }
    writeSync(file, stamped)
  }
}
