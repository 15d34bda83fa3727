/** Downloads from HTTP gateways: from another daemon's, and from such as do everything wrong. */
import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readCar } from '../../src/content/car-reader.ts'
import { Homes, until } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'
import { listen } from './web-server.ts'

type Blocks = ReadonlyMap<string, Uint8Array>

async function blocksOf(car: Uint8Array): Promise<Blocks> {
  async function* once(): AsyncGenerator<Uint8Array> {
    yield car
  }
  const blocks = new Map<string, Uint8Array>()
  for await (const { cid, block } of (await readCar(once())).blocks) blocks.set(cid.toString(), block)
  return blocks
}

/** Serves blocks, the first of them as it should, all others as `answer` does. */
async function serve(
  t: TestContext,
  blocks: Blocks,
  answer: (reply: ServerResponse, block: Uint8Array) => void,
): Promise<{ url: string; asked: string[] }> {
  const [root] = blocks.keys()
  const asked: string[] = []
  const server = createServer((request, reply) => {
    const [, cid = ''] = /^\/ipfs\/([^/?]+)\?format=raw$/.exec(request.url ?? '') ?? []
    const block = blocks.get(cid)
    asked.push(cid)
    if (block === undefined) reply.writeHead(404).end()
    else if (cid === root) reply.end(block)
    else answer(reply, block)
  })
  return { url: await listen(t, server), asked }
}

const good = (reply: ServerResponse, block: Uint8Array): void => void reply.end(block)

// most of the time is waiting
describe('HTTP gateways as sources', { concurrency: 3 }, () => {
  test('a tree comes from the gateway of another daemon, which is no peer', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a', { gateway: '/ip4/127.0.0.1/tcp/0' })
    await mkdir(homes.path('tree', 'd'), { recursive: true })
    await writeNoise(homes.path('tree', 'd', 'file'), 9 * MIB + 5, 1)
    await writeFile(homes.path('tree', 'small'), 'hello')
    const cid = await a.share('add', homes.path('tree'))
    const { gateway } = await a.daemon()
    const b = await homes.add('b', { 'sources.http': gateway ?? '' })
    await b.share('get', cid, '-o', homes.path('copy'))
    await assertSame(homes.path('copy'), homes.path('tree'))
    assert.ok((await b.status(cid)).downloaded >= 9 * MIB)
    assert.equal((await b.bytes('cat', `${cid}/small`)).toString(), 'hello')
    const c = await homes.add('c')
    await c.share('get', `${cid}/d/file`, '--peer', gateway ?? '', '-o', homes.path('file'))
    await assertSame(homes.path('file'), homes.path('tree', 'd', 'file'))
  })

  test('it takes part beside peers, and is told apart', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    await writeNoise(homes.path('file'), 12 * MIB, 2)
    const cid = await a.share('add', '--profile', 'unixfs-v0-2015', homes.path('file'))
    await a.share('limit', cid, '--up', '2MB')
    const slow = (reply: ServerResponse, block: Uint8Array) => void setTimeout(() => reply.end(block), 400)
    const { url, asked } = await serve(t, await blocksOf(await a.bytes('export', cid)), slow)
    await b.connect(a)
    const getting = b.run('get', cid, '--peer', url, '-o', homes.path('copy'))
    const other = await a.peerId()
    await until('both take part', async () => {
      const peers = (await b.shares())[0]?.peers ?? []
      const wires = new Map(peers.map(({ id, wire }) => [id, wire]))
      return wires.get(other) === 'share' && wires.get(url) === 'http'
    })
    assert.equal((await getting).code, 0)
    await assertSame(homes.path('copy'), homes.path('file'))
    assert.ok(asked.length > 1)
    assert.ok((await a.status(cid)).uploaded > 0)
  })

  const WRONGS: [string, RegExp | undefined, (reply: ServerResponse, block: Uint8Array) => void][] = [
    ['sends wrong bytes', /other bytes/, (reply, block) => reply.end(block.with(9, (block[9] ?? 0) ^ 1))],
    ['sends too little', /other bytes/, (reply, block) => reply.end(block.subarray(1))],
    ['sends without end', /more bytes/, (reply) => reply.end(Buffer.alloc(3 * MIB))],
    [
      'sends elsewhere',
      /elsewhere/,
      (reply) => reply.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    ],
    [
      'is cut off',
      undefined,
      (reply, block) => {
        reply.writeHead(200, { 'content-length': block.length })
        reply.write(block.subarray(0, 1000), () => reply.destroy())
      },
    ],
    [
      'stalls',
      undefined,
      (reply, block) => {
        reply.writeHead(200, { 'content-length': block.length })
        reply.write(block.subarray(0, 1000))
      },
    ],
    ['fails', undefined, (reply) => reply.writeHead(500).end('oops')],
  ]
  for (const [name, reason, answer] of WRONGS) {
    test(`one that ${name} harms nothing, and is named`, async (t) => {
      const homes = await Homes.open(t)
      const [a, b] = [await homes.add('a'), await homes.add('b')]
      await writeNoise(homes.path('file'), 5 * MIB, 3)
      const cid = await a.share('add', homes.path('file'))
      const blocks = await blocksOf(await a.bytes('export', cid))
      await a.stop()
      const bad = await serve(t, blocks, answer)
      const alone = ['get', cid, '--peer', bad.url, '-o', homes.path('copy')]
      await b.share('daemon', 'start')
      const { code } = await b.run(...alone, '--timeout', '7')
      assert.ok(code === 124 || code === 3, `exit code ${code}`)
      await assert.rejects(stat(homes.path('copy')))
      assert.equal((await b.status(cid)).have, 0)
      if (name === 'stalls') {
        const log = await readFile(join(b.path, 'daemon.log'), 'utf8')
        assert.match(log, new RegExp(`${bad.url} is silent`))
      }
      const { url } = await serve(t, blocks, good)
      await b.share(...alone, '--peer', url)
      await assertSame(homes.path('copy'), homes.path('file'))
      const { banned } = await b.status(cid)
      if (reason === undefined) {
        assert.deepEqual(banned, [])
        return
      }
      assert.deepEqual(
        banned.map(({ id }) => id),
        [bad.url],
      )
      assert.match(banned[0]?.reason ?? '', reason)
      assert.match(
        await readFile(join(b.path, 'daemon.log'), 'utf8'),
        new RegExp(`banned ${bad.url}: it sen`),
      )
    })
  }

  test('one that fails at first is asked again', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    await mkdir(homes.path('tree', 'd'), { recursive: true })
    await writeNoise(homes.path('tree', 'd', 'file'), 3 * MIB, 4)
    const cid = await a.share('add', homes.path('tree'))
    const failed = new Set<Uint8Array>()
    const { url } = await serve(t, await blocksOf(await a.bytes('export', cid)), (reply, block) => {
      if (failed.has(block)) reply.end(block)
      else reply.writeHead(503).end()
      failed.add(block)
    })
    await a.stop()
    await b.share('get', cid, '--peer', `${url}/`, '-o', homes.path('copy'))
    await assertSame(homes.path('copy'), homes.path('tree'))
  })

  test('only a URL of a gateway is one', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const cid = 'bafkreifbvngde7yu3osqoovlv4h6b5ikpnkitbolboj3vxx2fameo3ppoy'
    for (const bad of ['ftp://example.org', 'http://u:p@example.org', 'http://example.org/?x'])
      await a.fails(['get', cid, '--peer', bad], 2, 'BAD_ADDRESS', /not a peer address/)
    // nobody who makes a link chooses whom this node asks
    const link = `magnet:?xt=urn:ipfs:${cid}&x.ma=${encodeURIComponent('http://127.0.0.1:1')}`
    await a.fails(['get', link], 2, 'BAD_ADDRESS', /127\.0\.0\.1/)
    await a.fails(['config', 'set', 'sources.http', 'example.org'], 2, 'BAD_CONFIG', /example\.org/)
  })
})
