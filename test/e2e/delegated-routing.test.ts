/** Downloads whose peers are found by delegated routers, of which some answer as no router should. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { type Home, Homes, until } from './homes.ts'
import { assertSame, writeNoise } from './trees.ts'
import { listen } from './web-server.ts'

/** A router that answers as it is told; the paths that it was asked for. */
async function router(
  t: TestContext,
  answer: (path: string, reply: ServerResponse) => void,
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, reply) => {
    const path = (request.url ?? '').replace(/\?.*/, '')
    asked.push(path)
    answer(path, reply)
  })
  return { url: await listen(t, server), asked }
}

const NDJSON = { 'content-type': 'application/x-ndjson' }

/** Nobody's. */
const GONE = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'

const record = (id: string, ...addresses: string[]): string =>
  `${JSON.stringify({ Schema: 'peer', ID: id, Addrs: addresses, Protocols: ['transport-bitswap'] })}\n`

/** A home that knows others by delegated routers alone. */
const alone = (homes: Homes, name: string, ...urls: string[]): Promise<Home> =>
  homes.add(name, { dht: 'off', 'routing.delegated': urls.join(' ') || 'none' })

/** The address without its peer id. */
const bare = (address: string): string => address.replace(/\/p2p\/.*/, '')

describe('delegated routing', () => {
  test('providers come line by line, and count before the answer is over', async (t) => {
    const homes = await Homes.open(t)
    const a = await alone(homes, 'a')
    await writeNoise(homes.path('file'), 3_000_000, 1)
    const cid = await a.share('add', homes.path('file'))
    const [id, address] = [await a.peerId(), bare(await a.address())]
    const { url, asked } = await router(t, (_, reply) => {
      reply.writeHead(200, NDJSON).write(record(GONE, '/ip4/127.0.0.1/tcp/9'))
      // and never ends
      reply.write(record(id, address))
    })
    const b = await alone(homes, 'b', url)
    await b.share('get', cid, '-o', homes.path('copy'))
    await assertSame(homes.path('copy'), homes.path('file'))
    assert.deepEqual(new Set(asked), new Set([`/routing/v1/providers/${cid}`]))
  })

  test('where a provider is, is asked too, and either form of answer is taken', async (t) => {
    const homes = await Homes.open(t)
    const a = await alone(homes, 'a')
    await writeNoise(homes.path('file'), 10_000, 2)
    const cid = await a.share('add', homes.path('file'))
    const [id, address] = [await a.peerId(), bare(await a.address())]
    const { url, asked } = await router(t, (path, reply) => {
      const isPeers = path.startsWith('/routing/v1/peers/')
      const one = JSON.parse(record(id, ...(isPeers ? [address] : []))) as unknown
      reply
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ [isPeers ? 'Peers' : 'Providers']: [one] }))
    })
    const b = await alone(homes, 'b', url)
    await b.share('get', cid, '-o', homes.path('copy'))
    await assertSame(homes.path('copy'), homes.path('file'))
    assert.ok(asked.some((path) => path.startsWith('/routing/v1/peers/')))
  })

  const WRONGS: [string, RegExp, (reply: ServerResponse) => void][] = [
    ['fails', /answered with status 500/, (reply) => reply.writeHead(500).end('oops')],
    [
      'sends elsewhere',
      /answered with status 302/,
      (reply) => reply.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    ],
    ['sends a page', /in a form that no/, (reply) => reply.setHeader('content-type', 'text/html').end('hi')],
    ['sends no JSON', /what is not JSON/, (reply) => reply.writeHead(200, NDJSON).end('{{{\n')],
    [
      'sends without end',
      /without end/,
      (reply) => {
        reply.writeHead(200, NDJSON)
        const flood = (): boolean => reply.write(Buffer.alloc(60_000, 'x'), (error) => error ?? flood())
        flood()
      },
    ],
    ['hangs up', /cannot be reached|terminated/, (reply) => reply.destroy()],
  ]

  test('routers that do wrong harm nothing, and are named in the log', async (t) => {
    const homes = await Homes.open(t)
    const a = await alone(homes, 'a')
    await writeNoise(homes.path('file'), 10_000, 3)
    const cid = await a.share('add', homes.path('file'))
    const [id, address] = [await a.peerId(), bare(await a.address())]
    const wrongs = await Promise.all(WRONGS.map(([, , answer]) => router(t, (_, reply) => answer(reply))))
    let isKnown = false
    const good = await router(t, (_, reply) => {
      if (isKnown) reply.writeHead(200, NDJSON).end(record(id, address))
      else reply.writeHead(404).end()
    })
    const b = await alone(homes, 'b', ...wrongs.map(({ url }) => url), good.url)
    const getting = b.run('get', cid, '-o', homes.path('copy'))
    const log = (): Promise<string> => readFile(join(b.path, 'daemon.log'), 'utf8').catch(() => '')
    for (const [at, { url }] of wrongs.entries()) {
      const [name, reason] = WRONGS[at] ?? []
      const line = await until(`the log names the one that ${name}`, async () =>
        (await log()).split('\n').find((each) => each.includes(`${url} is of no use`)),
      )
      assert.match(line, reason ?? /^$/)
    }
    isKnown = true
    assert.equal((await getting).code, 0)
    await assertSame(homes.path('copy'), homes.path('file'))
  })
})
