/** share daemon start, stop, status and run. */
import { ShareError } from '../../core/errors.ts'
import type { DaemonInfo } from '../../daemon/api.ts'
import { insistOnRuntime } from '../../daemon/runtime.ts'
import { ensureDaemon, probe } from '../../daemon/spawn.ts'
import { version } from '../../daemon/version.ts'
import type { Context } from '../context.ts'

// more than the time after which a daemon that stops ends itself anyway
const STOP_LIMIT_MS = 15_000

export async function start({ home, out, signal }: Context): Promise<void> {
  const { info, fresh } = await ensureDaemon(home, { signal })
  out.result(`${fresh ? 'started' : 'already running'}, process ${info.pid}`, info)
}

export async function stop({ home, out, signal }: Context): Promise<void> {
  const running = await probe(home, signal)
  if (running === undefined) throw notRunning()
  const late = AbortSignal.timeout(STOP_LIMIT_MS)
  const { pid } = running.info
  try {
    await running.client.stop({ signal: AbortSignal.any([signal, late]) })
  } catch (thrown) {
    if (!late.aborted) throw thrown
    const message = `process ${pid} has not stopped within ${STOP_LIMIT_MS / 1000} s`
    throw new ShareError(
      'IO',
      message,
      `see \`share daemon logs\`; \`kill -9 ${pid}\` ends it, and the next start checks what it left`,
    )
  }
  out.result(`stopped, process ${pid}`, { running: false, pid })
}

/** In the foreground, until a signal or a client says stop. */
export async function run({ home }: Context): Promise<never> {
  insistOnRuntime()
  const { runDaemon } = await import('../../daemon/run.ts')
  return runDaemon(home)
}

/** Also answers when it does not run: then `running` is false and the exit code 5. */
export async function status({ home, out, signal }: Context): Promise<number | undefined> {
  const running = await probe(home, signal)
  if (running !== undefined) {
    out.result(describe(running.info), running.info)
    return 0
  }
  const absent = {
    running: false,
    pid: null,
    version: version(),
    home,
    listen: [],
    torrentPort: null,
    torrentDht: null,
    gateway: null,
  }
  if (!out.json) throw notRunning()
  out.result('', absent)
  return notRunning().exitCode
}

function describe(info: DaemonInfo): string {
  return [
    `running, process ${info.pid}, version ${info.version}`,
    `home ${info.home}`,
    ...info.listen.map((address) => `listening on ${address}`),
    ...(info.torrentPort === null ? [] : [`BitTorrent on port ${info.torrentPort}`]),
    ...(info.torrentDht === null ? [] : [`BitTorrent's DHT: ${info.torrentDht.nodes} nodes known`]),
    ...(info.gateway === null ? [] : [`gateway at ${info.gateway}`]),
  ].join('\n')
}

function notRunning(): ShareError {
  return new ShareError(
    'DAEMON_UNREACHABLE',
    'the daemon is not running',
    'start it with `share daemon start`',
  )
}
