/**
 * Serves pages of shares, under `/TOKEN/`, to everybody who can reach this machine. Whoever has no token learns nothing,
 * and a token opens one share: there is no other content here, nothing is fetched for it, and no API.
 */
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import type { CID } from 'multiformats/cid'
import { parseCid } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { Blocks, Node, ShareInfo } from '../node/types.ts'
import type { Answer } from './answer.ts'
import { Crowd } from './crowd.ts'
import { pageAnswer } from './page-answers.ts'
import { GUARDED, pageFile } from './page-files.ts'
import { PageGuard } from './page-guard.ts'
import { listenError, REQUEST_TIMEOUT_MS, send, statusOf } from './send.ts'
import type { Ticket } from './tickets.ts'

/** Connections in all, those that ask for nothing too. */
const MOST_CONNECTIONS = 512

/** A connection on which nothing moves is given up, in ms; a page that is held up asks again. */
const IDLE_MS = 120_000

export interface PageServer {
  readonly port: number
  /** Breaks off what is under way. */
  close(): Promise<void>
}

export interface PageServerOptions {
  readonly node: Pick<Node, 'blocks' | 'status'>
  readonly address: { readonly host: string; readonly port: number }
  /** Names that stand for this machine, beside its addresses. */
  readonly names: readonly string[]
  /** The ticket of this token, while it lasts. */
  readonly find: (token: string) => Ticket | undefined
  /** Told, one line each, of content that was wrong or is not here. No line has a token. */
  readonly log: (line: string) => void
}

/** @throws ShareError CONFLICT when the port is taken */
export async function servePages(options: PageServerOptions): Promise<PageServer> {
  const { address, names } = options
  const app = fastify({
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_MS,
    forceCloseConnections: true,
    // a bad URL is nobody's, whatever fastify would say to it
    frameworkErrors: (_error, _request, reply) => nothingHere(reply),
  })
  app.server.maxConnections = MOST_CONNECTIONS
  const guard = new PageGuard(names)
  const crowd = new Crowd()
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    reply.headers(GUARDED)
    const refusal = guard.refusal(request.headers)
    if (refusal !== undefined) return reply.status(403).type('text/plain').send(`${refusal}\n`)
    const leave = crowd.enter(request.ip)
    if (leave === undefined)
      return reply.status(503).header('retry-after', '5').type('text/plain').send('too many at once\n')
    reply.raw.once('close', leave)
    return answer(request, reply, options)
  }
  app.route({ method: ['GET', 'HEAD'], url: '*', handler, exposeHeadRoute: false })
  app.setNotFoundHandler((_request, reply) => nothingHere(reply))
  await app.listen({ host: address.host, port: address.port }).catch((thrown: unknown) => {
    throw listenError(thrown, {
      what: 'pages',
      where: `${address.host}, port ${address.port}`,
      setting: `pages.listen /ip4/${address.host}/tcp/PORT`,
    })
  })
  const bound = app.server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    close: () => app.close(),
  }
}

function nothingHere(reply: FastifyReply): FastifyReply {
  return reply.headers(GUARDED).status(404).type('text/plain').send('there is nothing here\n')
}

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  { node, find, log }: PageServerOptions,
): Promise<FastifyReply> {
  const { url = '', method = 'GET', headers } = request.raw
  const { token, path, query } = partsOf(url)
  const ticket = find(token)
  if (ticket === undefined || path === undefined) return nothingHere(reply)
  // what the page loads lies beside it
  if (path.length === 0) return reply.redirect(`/${token}/`, 301)
  const bare = method === 'HEAD'
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort(new ShareError('INTERRUPTED', 'the client left', 'ask again')))
  try {
    const file = path.length === 1 ? await pageFile(path[0] ?? '') : undefined
    if (file !== undefined) return await send(reply, file, bare)
    const share = await shareOf(node, ticket)
    const root = parseCid(share.cid)
    const blocks = node.blocks(root, { signal: gone.signal, local: true, upload: true })
    reply.raw.once('close', () => blocks[Symbol.dispose]())
    const lasting = whileIn(blocks, () => find(token) !== undefined)
    const request = { root, name: share.name, path, query, headers, blocks: lasting, signal: gone.signal }
    return await send(reply, unnamed(await pageAnswer(request)), bare)
  } catch (thrown) {
    const error = ShareError.from(thrown, 'answer')
    const status = error.code === 'CONFLICT' ? 409 : statusOf(error)
    if (status >= 500 && !gone.signal.aborted) log(`page of ${ticket.root}: ${error.message}`)
    return reply.status(status).type('application/json').send({ error: error.toJSON() })
  }
}

/** The blocks, for as long as the ticket lasts: its end breaks off what is under way. */
function whileIn(blocks: Blocks, lasts: () => boolean): Pick<Blocks, 'node' | 'block'> {
  const checked = (get: Blocks['block']) => async (cid: CID) => {
    const block = await get(cid)
    if (lasts()) return block
    throw new ShareError('NOT_FOUND', 'this page has ended', 'ask who sent it')
  }
  return { node: checked(blocks.node), block: checked(blocks.block) }
}

/** Undefined for what is no path. */
function partsOf(url: string): { token: string; path: string[] | undefined; query: URLSearchParams } {
  const [path = '', ...query] = url.split('?')
  const [, token = '', ...names] = path.split('/')
  let decoded: string[] | undefined
  try {
    decoded = names.map(decodeURIComponent)
  } catch {
    decoded = undefined
  }
  return { token, path: decoded, query: new URLSearchParams(query.join('?')) }
}

/** The share as it is now. @throws ShareError NOT_FOUND, CONFLICT while it cannot be served */
async function shareOf(node: PageServerOptions['node'], { root }: Ticket): Promise<ShareInfo> {
  const share = (await node.status()).find(({ cid }) => cid === root)
  if (share === undefined) throw new ShareError('NOT_FOUND', 'this is not shared any more', 'ask who sent it')
  if (share.state === 'seeding') return share
  const why = share.state === 'damaged' ? 'its files were changed' : `it is ${share.state}`
  throw new ShareError('CONFLICT', `this cannot be had now: ${why} at the sender's`, 'ask who sent it')
}

/** A page's answers say nothing of where else its content may be had. */
function unnamed(answer: Answer): Answer {
  const { 'x-ipfs-path': _path, 'x-ipfs-roots': _roots, 'cache-control': _cache, ...headers } = answer.headers
  return { ...answer, headers }
}
