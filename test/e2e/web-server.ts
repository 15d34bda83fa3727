/** A web server that has files, gives ranges of them, and does wrong what a test wants it to. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { TestContext } from 'node:test'

export interface Asked {
  readonly path: string
  readonly first: number
  readonly last: number
}

/** Answers instead of the server; false where the server is to answer as it should. */
export type Trick = (reply: ServerResponse, asked: Asked, bytes: Uint8Array) => boolean

export interface WebServer {
  readonly url: string
  readonly asked: Asked[]
}

/** @param files by their paths, from the top and not encoded */
export async function serveFiles(
  t: TestContext,
  files: ReadonlyMap<string, Uint8Array>,
  trick: Trick = () => false,
): Promise<WebServer> {
  const asked: Asked[] = []
  const server = createServer((request, reply) => answer(request, reply))
  function answer(request: IncomingMessage, reply: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? '').slice(1))
    const bytes = files.get(path)
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const first = Number(from)
    const last = Math.min(to === '' ? Number.POSITIVE_INFINITY : Number(to), (bytes?.length ?? 0) - 1)
    const one = { path, first, last }
    asked.push(one)
    if (trick(reply, one, bytes ?? new Uint8Array(0))) return
    if (bytes === undefined) return void reply.writeHead(404).end()
    if (first >= bytes.length)
      return void reply.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end()
    sendRange(reply, one, bytes)
  }
  return { url: `${await listen(t, server)}/`, asked }
}

/** Listens on loopback until the test ends. Returns its URL, without a slash at the end. */
export async function listen(t: TestContext, server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return `http://127.0.0.1:${address.port}`
}

export function sendRange(reply: ServerResponse, { first, last }: Asked, bytes: Uint8Array): void {
  reply.writeHead(206, {
    'content-range': `bytes ${first}-${last}/${bytes.length}`,
    'content-length': last - first + 1,
  })
  reply.end(bytes.subarray(first, last + 1))
}
