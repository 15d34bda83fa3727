/** What every command works with, and how every command ends. */
import { ShareError } from '../core/errors.ts'
import type { DaemonClient } from '../daemon/client.ts'
import { homePath } from '../daemon/home.ts'
import { Output } from './output.ts'

export interface Context {
  readonly home: string
  readonly out: Output
  /** Aborts on Ctrl-C, with an INTERRUPTED error as the reason. */
  readonly signal: AbortSignal
  /** The daemon, started when it does not run. */
  daemon(): Promise<DaemonClient>
}

/** A command; what it returns is the exit code, 0 when nothing. */
export type Command = (context: Context) => Promise<number | undefined> | Promise<void>

export interface RunOptions {
  readonly json?: boolean
  /** What to do after Ctrl-C; `none` leaves the signals to the command. */
  readonly afterInterrupt?: string
}

const INTERRUPTED_EXIT_CODE = 130

/** Runs a command and sets the exit code; the process ends when the command's connections have. */
export async function run(command: Command, options: RunOptions = {}): Promise<void> {
  const out = new Output(options.json === true)
  const home = homePath()
  const signal = interruption(options.afterInterrupt ?? 'run the same command again')
  const daemon = async (): Promise<DaemonClient> => {
    const { ensureDaemon } = await import('../daemon/spawn.ts')
    return (await ensureDaemon(home, { signal })).client
  }
  try {
    process.exitCode = (await command({ home, out, signal, daemon })) ?? 0
  } catch (thrown) {
    const error = ShareError.from(thrown)
    out.failure(error)
    process.exitCode = error.exitCode
  }
}

/** The first Ctrl-C breaks the work off, the second ends the process. */
function interruption(hint: string): AbortSignal {
  const interrupt = new AbortController()
  if (hint === 'none') return interrupt.signal
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (interrupt.signal.aborted) process.exit(INTERRUPTED_EXIT_CODE)
      interrupt.abort(new ShareError('INTERRUPTED', 'stopped', hint))
    })
  }
  return interrupt.signal
}
