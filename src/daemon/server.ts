/** The API's server: fastify on a unix socket that only its owner can open. */
import { chmodSync } from 'node:fs'
import fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import { type ErrorCode, ShareError } from '../core/errors.ts'
import type { Node } from '../node/types.ts'
import type { DaemonInfo, ErrorBody } from './api.ts'
import { addRoutes, type Daemon } from './routes.ts'
import { claimSocketPath } from './socket-path.ts'
import { Streams } from './streams.ts'
import { version } from './version.ts'

/** HTTP statuses that say more than their exit code; the body has the code in any case. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  NOT_FOUND: 404,
  NOBODY_HAS_IT: 404,
  UNREADABLE: 403,
  TARGET_EXISTS: 409,
  CONFLICT: 409,
  SOURCE_CHANGED: 409,
  DISK_FULL: 507,
  DAEMON_UNREACHABLE: 503,
}
const USAGE_EXIT_CODE = 2

export interface ApiServer {
  /** Where it listens. */
  readonly path: string
  /** Stops listening, breaks off what is under way and tells each client; `stop` requests stay open. */
  drain(): Promise<void>
  /** Drains, then cuts every connection. */
  close(): Promise<void>
}

/**
 * Serves the API of `home`, whose lock the caller holds (the node's store does).
 * @param onStop called when a client asks the daemon to stop
 */
export async function serveApi(options: {
  node: Node
  home: string
  /** The HTTP gateway's, where there is one. */
  gateway: string | null
  pages: Daemon['pages']
  onStop: () => void
}): Promise<ApiServer> {
  const { node, home, gateway, pages, onStop } = options
  const path = claimSocketPath(home)
  const streams = new Streams()
  const app = fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } })
  answerErrors(app)
  addRoutes(app, { node, streams, pages, info: () => info(node, home, gateway), stop: onStop })
  await app.listen({ path })
  if (process.platform !== 'win32') chmodSync(path, 0o600)

  const drain = async (): Promise<void> => {
    // the bare server: it frees the path at once, where fastify's close would wait its turn
    app.server.close()
    await streams.stop()
  }
  const close = async (): Promise<void> => {
    await drain()
    app.server.closeAllConnections()
    await app.close()
  }
  return { path, drain, close }
}

function info(node: Node, home: string, gateway: string | null): DaemonInfo {
  const listen = node.identity.addresses.map((address) => address.replace(/\/p2p\/[^/]+$/, ''))
  return {
    running: true,
    pid: process.pid,
    version: version(),
    home,
    listen,
    torrentPort: node.identity.torrentPort ?? null,
    torrentDht: node.identity.torrentDht ?? null,
    gateway,
  }
}

function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((thrown: FastifyError | ShareError, _request, reply) => {
    const error = thrown instanceof ShareError ? thrown : fromFramework(thrown)
    const status = STATUS[error.code] ?? (error.exitCode === USAGE_EXIT_CODE ? 400 : 500)
    const answer: ErrorBody = { error: error.toJSON() }
    return reply.status(status).send(answer)
  })
  app.setNotFoundHandler((request) => {
    const what = `the daemon has no ${request.method} ${request.url}`
    throw new ShareError(
      'NOT_FOUND',
      what,
      'its version may differ from the command: `share daemon stop`, then run again',
    )
  })
}

/** fastify's own refusals (a body that is not what the route takes) carry a 4xx status. */
function fromFramework(thrown: FastifyError): ShareError {
  if (thrown.statusCode === undefined || thrown.statusCode >= 500) return ShareError.from(thrown)
  const hint = 'use the command and the daemon of one version: `share daemon stop`, then run again'
  return new ShareError('USAGE', `bad request: ${thrown.message}`, hint, { cause: thrown })
}
