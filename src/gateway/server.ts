/**
 * The HTTP gateway: what this node has or can fetch, for browsers and programs on this machine. Source: the gateway
 * specifications, https://specs.ipfs.tech/http-gateways/
 */
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { ShareError } from '../core/errors.ts'
import type { Node } from '../node/types.ts'
import { type Asked, askedBy } from './asked.ts'
import { contentAnswer } from './content.ts'
import { Guard } from './guard.ts'
import { listenError, REQUEST_TIMEOUT_MS, send, statusOf } from './send.ts'

/** A block that nobody sends within this ends the answer; browsers wait a few minutes at most. */
const PATIENCE_MS = 60_000

export interface Gateway {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** Breaks off what is under way. */
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly node: Pick<Node, 'blocks'>
  /** An IP address of the loopback interface; port 0 takes any that is free. */
  readonly address: { readonly host: string; readonly port: number }
  /** Told, one line each, of content that was wrong or did not come. */
  readonly log: (line: string) => void
}

/** @throws ShareError CONFLICT when the port is taken, BAD_CONFIG */
export async function serveGateway({ node, address, log }: GatewayOptions): Promise<Gateway> {
  const app = fastify({ requestTimeout: REQUEST_TIMEOUT_MS, forceCloseConnections: true })
  let guard: Guard | undefined
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const refusal = guard === undefined ? 'not ready' : guard.refusal(request.headers)
    if (refusal !== undefined) return reply.status(403).type('text/plain').send(`${refusal}\n`)
    return answer(request, reply, { node, log })
  }
  app.route({ method: ['GET', 'HEAD'], url: '*', handler, exposeHeadRoute: false })
  const url = await app.listen({ host: address.host, port: address.port }).catch((thrown: unknown) => {
    throw listenError(thrown, {
      what: 'gateway',
      where: `${address.host}, port ${address.port}`,
      setting: 'gateway /ip4/127.0.0.1/tcp/PORT',
    })
  })
  guard = new Guard(new URL(url))
  return { url, close: () => app.close() }
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { node, log }: Pick<GatewayOptions, 'node' | 'log'>,
): Promise<FastifyReply> {
  const gone = new AbortController()
  const { url, method, headers } = request.raw
  reply.raw.once('close', () => gone.abort(new ShareError('INTERRUPTED', 'the client left', 'ask again')))
  let asked: Asked | undefined
  try {
    asked = askedBy(url ?? '', headers)
    const blocks = node.blocks(asked.root, {
      signal: gone.signal,
      patience: PATIENCE_MS,
      local: asked.onlyIfCached,
    })
    reply.raw.once('close', () => blocks[Symbol.dispose]())
    const answered = await contentAnswer(asked, blocks, gone.signal)
    return await send(reply, answered, method === 'HEAD')
  } catch (thrown) {
    const error = ShareError.from(thrown, 'answer')
    const status = asked?.onlyIfCached === true && error.code === 'NOBODY_HAS_IT' ? 412 : statusOf(error)
    if (status >= 500 && !gone.signal.aborted) log(`gateway: ${asked?.path}: ${error.message}`)
    return reply
      .status(status)
      .type('text/plain; charset=utf-8')
      .send(`${error.message}\nnext: ${error.hint}\n`)
  }
}
