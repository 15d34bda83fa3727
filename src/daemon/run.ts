/**
 * The daemon itself, in the foreground: a node and its API until a signal or a client says stop. Started in the
 * background it has an IPC channel to its starter, on which it says why, if it cannot start.
 */
import { ShareError } from '../core/errors.ts'
import { Pages } from '../gateway/pages.ts'
import type { Gateway } from '../gateway/server.ts'
import { type Config, gatewayAddress, tcpAddress } from '../node/config.ts'
import { toldOnce } from '../node/told-once.ts'
import type { Node } from '../node/types.ts'
import { configAtStart } from './first-start.ts'
import { ensureHome } from './home.ts'
import { rememberInterfaces } from './interfaces.ts'
import { openLog } from './log.ts'
import { serveApi } from './server.ts'
import { survive } from './stray-errors.ts'
import { version } from './version.ts'

export type CreateNode = (options: {
  home: string
  config: Config
  onLog?: (line: string) => void
}) => Promise<Node>

// finishing writes and telling peers takes a second or two; a disk or a peer that hangs must not hold us
const STOP_LIMIT_MS = 10_000

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

/**
 * Runs until told to stop, then ends the process. The first signal stops cleanly, the second at once.
 * @throws ShareError when it cannot start, ALREADY_RUNNING among others
 */
export async function runDaemon(home: string, createNode: CreateNode = createRealNode): Promise<never> {
  const stop = Promise.withResolvers<string>()
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      stop.resolve(signal)
      for (const again of SIGNALS) process.on(again, () => process.exit(1))
    })
  }
  void stop.promise.then(() => setTimeout(endAnyway, STOP_LIMIT_MS))
  try {
    const daemon = await startDaemon(home, createNode, () => stop.resolve('a client'))
    if (process.connected) process.disconnect()
    return await endDaemon(daemon, await stop.promise)
  } catch (thrown) {
    const error = ShareError.from(thrown, 'start the daemon')
    await reportToStarter(error)
    throw error
  }
}

interface Running {
  readonly node: Node
  readonly gateway: Gateway | undefined
  readonly pages: Pages
  readonly api: Awaited<ReturnType<typeof serveApi>>
  readonly log: (line: string) => void
}

async function startDaemon(home: string, createNode: CreateNode, onStop: () => void): Promise<Running> {
  ensureHome(home)
  // whatever directory it was started in may go away
  process.chdir(home)
  // in the background stderr is the log already
  const log = openLog(home, { echo: process.send === undefined })
  log(`starting share ${version()}, process ${process.pid}`)
  const logOnce = toldOnce(log)
  rememberInterfaces(logOnce)
  survive(logOnce)
  const config = await configAtStart(home, log)
  const node = await createNode({ home, config, onLog: log })
  let gateway: Gateway | undefined
  let pages: Pages | undefined
  try {
    gateway = await openGateway(node, config.gateway, log)
    pages = await openPages({ node, home, config, log })
    const api = await serveApi({ node, home, gateway: gateway?.url ?? null, pages, onStop })
    log(`ready on ${api.path}, as ${node.identity.peerId}`)
    if (gateway !== undefined) log(`gateway at ${gateway.url}`)
    return { node, gateway, pages, api, log }
  } catch (thrown) {
    await pages?.close()
    await gateway?.close()
    await node.stop()
    throw thrown
  }
}

async function openGateway(node: Node, setting: string, log: Running['log']): Promise<Gateway | undefined> {
  const address = gatewayAddress(setting)
  if (address === undefined) return undefined
  const { serveGateway } = await import('../gateway/server.ts')
  return serveGateway({ node, address, log })
}

function openPages(options: {
  node: Node
  home: string
  config: Config
  log: Running['log']
}): Promise<Pages> {
  const { config, ...rest } = options
  const url = config['pages.url'] === 'none' ? undefined : config['pages.url']
  return Pages.open({ ...rest, address: tcpAddress(config['pages.listen']), url })
}

async function endDaemon({ node, gateway, pages, api, log }: Running, by: string): Promise<never> {
  log(`stopping, asked by ${by}`)
  try {
    await api.drain()
    await pages.close()
    await gateway?.close()
    await node.stop()
  } catch (thrown) {
    log(`while stopping: ${ShareError.from(thrown).message}`)
    process.exit(1)
  }
  log('stopped')
  process.exit(0)
}

function endAnyway(): never {
  console.error(`share: not stopped after ${STOP_LIMIT_MS / 1000} s, ending anyway`)
  process.exit(1)
}

async function createRealNode(options: Parameters<CreateNode>[0]): Promise<Node> {
  const { createNode } = await import('../node/node.ts')
  return createNode(options)
}

function reportToStarter(error: ShareError): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve()
    else process.send({ error: error.toJSON() }, undefined, undefined, () => resolve())
  })
}
