/**
 * Starting the daemon on demand. Of several commands that race to start it, the one whose daemon gets the
 * home's lock wins; the others' daemons end with ALREADY_RUNNING and their commands use the winner's.
 */
import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type ErrorJson, ShareError } from '../core/errors.ts'
import type { DaemonInfo } from './api.ts'
import { DaemonClient } from './client.ts'
import { ensureHome } from './home.ts'
import { openLogFile } from './log.ts'
import { commandOf, environment } from './runtime.ts'

const PROBE_INTERVAL_MS = 25

// another process holds the lock: a daemon about to listen, or about to end, which takes it 10 s at most
const TRY_AGAIN_MS = 1000
const TRIES = 12

// opening a large catalogue on a slow, busy disk
const START_LIMIT_MS = 60_000

// the same entry from src/daemon and from dist/daemon
const SHARE = fileURLToPath(new URL('../../bin/share.js', import.meta.url))

export interface StartOptions {
  readonly signal?: AbortSignal
  /** The program that runs the daemon, with its arguments. */
  readonly command?: readonly string[]
}

export interface Started {
  readonly client: DaemonClient
  readonly info: DaemonInfo
  /** It did not run before. */
  readonly fresh: boolean
}

/** The daemon's answer, or undefined when none runs. */
export async function probe(home: string, signal?: AbortSignal): Promise<Started | undefined> {
  const client = new DaemonClient(home)
  try {
    const info = await client.info(signal && { signal })
    return { client, info, fresh: false }
  } catch (thrown) {
    if (thrown instanceof ShareError && thrown.code === 'DAEMON_UNREACHABLE') return undefined
    throw thrown
  }
}

/**
 * The running daemon of this home, started when there is none.
 * @throws ShareError what the daemon failed with, or DAEMON_UNREACHABLE when it does not answer in time
 */
export async function ensureDaemon(home: string, options: StartOptions = {}): Promise<Started> {
  const late = AbortSignal.timeout(START_LIMIT_MS)
  const signal = options.signal === undefined ? late : AbortSignal.any([late, options.signal])
  let attempt: Attempt | undefined
  let tries = 0
  try {
    for (;;) {
      const running = await probe(home, signal)
      if (running !== undefined) return { ...running, fresh: running.info.pid === attempt?.pid }
      if (attempt?.state === 'failed') {
        if (attempt.error.code !== 'ALREADY_RUNNING' || ++tries === TRIES) throw attempt.error
        attempt = undefined
        await sleep(TRY_AGAIN_MS, undefined, { signal })
      } else {
        attempt ??= launch(home, options.command ?? commandOf(SHARE, 'daemon', 'run'))
        await sleep(PROBE_INTERVAL_MS, undefined, { signal })
      }
    }
  } catch (thrown) {
    options.signal?.throwIfAborted()
    if (late.aborted) throw unanswered()
    throw thrown
  } finally {
    attempt?.release()
  }
}

function unanswered(): ShareError {
  const message = `the daemon did not answer within ${START_LIMIT_MS / 1000} s`
  return new ShareError('DAEMON_UNREACHABLE', message, 'see `share daemon logs`')
}

interface Attempt {
  readonly pid: number | undefined
  state: 'starting' | 'failed'
  error: ShareError
  /** Lets the daemon outlive this process. */
  release(): void
}

function launch(home: string, [program = process.execPath, ...args]: readonly string[]): Attempt {
  ensureHome(home)
  const log = openLogFile(home)
  const child = spawn(program, args, {
    cwd: home,
    env: { ...environment(), SHARE_HOME: home },
    detached: true,
    windowsHide: true,
    stdio: ['ignore', log, log, 'ipc'],
  })
  closeSync(log)
  const attempt: Attempt = {
    pid: child.pid,
    state: 'starting',
    error: new ShareError('DAEMON_UNREACHABLE', 'the daemon ended at its start', 'see `share daemon logs`'),
    release: () => {
      child.unref()
      if (child.connected) child.disconnect()
    },
  }
  child.on('message', (message) => {
    const reported = message as { error?: ErrorJson }
    if (reported.error !== undefined) attempt.error = ShareError.fromJSON(reported.error)
  })
  child.on('error', (cause) => {
    attempt.error = ShareError.from(cause, 'start the daemon')
    attempt.state = 'failed'
  })
  // after the last message, unlike `exit`
  child.on('close', () => {
    attempt.state = 'failed'
  })
  return attempt
}
