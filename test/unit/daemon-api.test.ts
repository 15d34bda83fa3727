import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { ShareError } from '../../src/core/errors.ts'
import { DaemonClient } from '../../src/daemon/client.ts'
import { type ApiServer, serveApi } from '../../src/daemon/server.ts'
import { encodeEvent } from '../../src/daemon/sse.ts'
import { Pages } from '../../src/gateway/pages.ts'
import type { GetProgress } from '../../src/node/types.ts'
import { CID, FakeNode, shareInfo } from './fake-node.ts'

let home: string
let node: FakeNode
let api: ApiServer
let pages: Pages
let client: DaemonClient
let stops: number

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'share-api-'))
  node = new FakeNode()
  stops = 0
  const address = { host: '127.0.0.1', port: 0 }
  pages = await Pages.open({ node, home, address, url: undefined, log: () => {} })
  api = await serveApi({ node, home, gateway: null, pages, onStop: () => stops++ })
  client = new DaemonClient(home)
})

afterEach(async () => {
  await api.close()
  await pages.close()
  await rm(home, { recursive: true })
})

const shareError = (code: string) => (error: unknown) => error instanceof ShareError && error.code === code

/** The HTTP answer as any other client sees it. */
async function post(path: string, body: unknown): Promise<{ status: number | undefined; body: string }> {
  const outgoing = request({
    socketPath: api.path,
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  })
  outgoing.end(JSON.stringify(body))
  const [answer] = await once(outgoing, 'response')
  return { status: answer.statusCode, body: Buffer.concat(await answer.toArray()).toString() }
}

test('the socket lies in the home and only its owner may open it', async () => {
  assert.equal(api.path, join(home, 'api.sock'))
  assert.equal((await stat(api.path)).mode & 0o777, 0o600)
})

test('what the daemon says of itself', async () => {
  const info = await client.info()
  assert.match(info.version, /^\d+\.\d+\.\d+/)
  assert.deepEqual(
    { ...info, version: '' },
    {
      running: true,
      pid: process.pid,
      version: '',
      home,
      listen: ['/ip4/127.0.0.1/tcp/4141'],
      torrentPort: null,
      torrentDht: null,
      gateway: null,
    },
  )
  assert.deepEqual(await client.id(), node.identity)
})

test('the plain questions and commands', async () => {
  assert.equal((await client.status()).shares[0]?.cid, CID)
  assert.deepEqual(await client.link({ cid: CID }), { link: `share:${CID}` })
  assert.deepEqual(await client.gc(), { blocks: 2, bytes: 300 })
  assert.equal((await client.peers()).peers[0]?.id, 'peer')
  assert.equal((await client.connect('/ip4/127.0.0.1/tcp/9')).address, '/ip4/127.0.0.1/tcp/9')
  await client.pause(CID)
  assert.equal(node.shares.get(CID)?.state, 'paused')
  await client.resume(CID)
  assert.equal(node.shares.get(CID)?.state, 'seeding')
  assert.deepEqual(await client.limit(CID, { up: 5 }), { limits: { up: 5, down: 0 } })
  assert.deepEqual(await client.limit(CID, { down: 7 }), { limits: { up: 5, down: 7 } })
  await client.limitAll({ down: 9 })
  assert.deepEqual(node.calls.at(-1), ['limitAll', { down: 9 }])
  await client.rm(CID)
  assert.equal(node.shares.size, 0)
})

test('add reports its progress and then the share', async () => {
  const seen: number[] = []
  const share = await client.add(
    { path: '/a', name: 'n', copy: true },
    { onProgress: ({ done }) => seen.push(done) },
  )
  assert.deepEqual(seen, [0, 100])
  assert.equal(share.path, '/a')
  assert.deepEqual(node.calls, [['add', '/a', { name: 'n', copy: true }]])
})

test('import reports its progress and then what came of it; export streams', async () => {
  const seen: number[] = []
  const request = { path: '/a.car', name: 'n', blocks: true }
  const result = await client.import(request, { onProgress: ({ done }) => seen.push(done) })
  assert.deepEqual([seen, result.shares[0]?.path, result.blocks], [[50], '/a.car', 2])
  node.onExport = async function* () {
    yield Buffer.from('one ')
    yield Buffer.from('two')
  }
  const chunks = await Array.fromAsync(client.export({ target: CID }, {}))
  assert.equal(Buffer.concat(chunks).toString(), 'one two')
  assert.deepEqual(node.calls, [
    ['import', '/a.car', { name: 'n', blocks: true }],
    ['export', CID],
  ])
})

test('errors keep code, message, hint and exit code, in events and in plain answers', async () => {
  await assert.rejects(client.add({ path: '/full' }, {}), (error) => {
    assert.ok(error instanceof ShareError)
    assert.deepEqual(
      [error.toJSON(), error.exitCode],
      [{ code: 'DISK_FULL', message: 'no space left', hint: 'free some space' }, 6],
    )
    return true
  })
  await assert.rejects(client.pause('nope'), shareError('NOT_FOUND'))
  await assert.rejects(client.connect('nope'), shareError('BAD_ADDRESS'))
})

test('HTTP statuses fit the codes', async () => {
  const table: [string, unknown, number, string][] = [
    ['/v1/pause', { cid: 'nope' }, 404, 'NOT_FOUND'],
    ['/v1/peers/connect', { address: 'nope' }, 400, 'BAD_ADDRESS'],
    ['/v1/pause', {}, 400, 'USAGE'],
    ['/v1/pause', { cid: 7 }, 400, 'USAGE'],
    ['/v1/add', { path: '/a', profile: 'odd' }, 400, 'USAGE'],
    ['/v1/nothing', {}, 404, 'NOT_FOUND'],
  ]
  for (const [path, body, status, code] of table) {
    const answer = await post(path, body)
    assert.deepEqual([answer.status, JSON.parse(answer.body).error.code], [status, code], path)
  }
})

test('get reports progress and notices', async () => {
  const notice = { code: 'NOBODY_HAS_IT', message: 'nobody found', hint: 'wait' } as const
  node.onGet = async (_target, options) => {
    options?.onProgress?.({ share: shareInfo({ state: 'downloading', have: 50 }) })
    options?.onProgress?.({ share: shareInfo({ state: 'resolving' }), notice })
    return shareInfo()
  }
  const seen: GetProgress[] = []
  const share = await client.get(
    { target: CID, output: '/out', peers: ['/p'] },
    { onProgress: (progress) => seen.push(progress) },
  )
  assert.deepEqual([share.state, seen.map((progress) => progress.share.have)], ['seeding', [50, 100]])
  assert.deepEqual(seen[1]?.notice, notice)
  assert.deepEqual(node.calls, [['get', CID, '/out', ['/p']]])
})

test('a client that leaves aborts its get', async () => {
  const asked = Promise.withResolvers<AbortSignal>()
  const ended = Promise.withResolvers<void>()
  node.onGet = async (_target, options) => {
    assert.ok(options?.signal)
    asked.resolve(options.signal)
    await once(options.signal, 'abort')
    ended.resolve()
    throw options.signal.reason
  }
  const leave = new AbortController()
  const get = client.get({ target: CID, output: '/out' }, { signal: leave.signal })
  const signal = await asked.promise
  assert.equal(signal.aborted, false)
  leave.abort(new ShareError('INTERRUPTED', 'stopped', 'run again'))
  await assert.rejects(get, shareError('INTERRUPTED'))
  await ended.promise
  assert.ok(signal.aborted)
})

test('a stopping daemon tells the clients whose work it breaks off', async () => {
  const asked = Promise.withResolvers<void>()
  node.onGet = async (_target, options) => {
    asked.resolve()
    if (options?.signal !== undefined) await once(options.signal, 'abort')
    throw new Error('aborted somewhere inside')
  }
  const get = client.get({ target: CID, output: '/out' }, {})
  await asked.promise
  const refused = assert.rejects(
    get,
    (error) => shareError('DAEMON_UNREACHABLE')(error) && /was stopped/.test(String(error)),
  )
  await api.close()
  await refused
})

test('cat gives the bytes and ends', async () => {
  node.onCat = async function* () {
    yield Buffer.from('hello ')
    yield Buffer.from('world')
  }
  const text = Buffer.concat(await Array.fromAsync(client.cat({ target: CID, first: 2, last: 9 }, {})))
  assert.equal(text.toString(), 'hello world')
  assert.deepEqual(node.calls, [['cat', CID, { first: 2, last: 9 }]])
})

test('cat that fails before its first byte, and after it', async () => {
  const failure = new ShareError('VERIFICATION_FAILED', 'bad block', 'try another peer')
  node.onCat = () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }) })
  await assert.rejects(Array.fromAsync(client.cat({ target: CID }, {})), shareError('VERIFICATION_FAILED'))
  node.onCat = async function* () {
    yield Buffer.from('hello')
    throw failure
  }
  let received = 0
  const reading = async (): Promise<void> => {
    for await (const chunk of client.cat({ target: CID }, {})) received += chunk.length
  }
  await assert.rejects(reading(), (error) => error instanceof ShareError && error.hint === 'try another peer')
  assert.equal(received, 5)
})

test('cat waits for a slow reader, and stops when the reader leaves', async () => {
  const piece = Buffer.alloc(1024 * 1024)
  const pieces = 64
  const closed = Promise.withResolvers<void>()
  let sent = 0
  node.onCat = async function* () {
    try {
      for (; sent < pieces; sent++) yield piece
    } finally {
      closed.resolve()
    }
  }
  for await (const chunk of client.cat({ target: CID }, {})) {
    assert.ok(chunk.length > 0)
    break
  }
  await closed.promise
  assert.ok(sent < pieces, `${sent} pieces were taken from the node`)
})

test('a daemon that dies in the middle is no end, for bytes and for events', async () => {
  await api.close()
  const dying = createServer((incoming, answer) => {
    answer.writeHead(200)
    const bytes = incoming.url === '/v1/cat' ? 'hello' : encodeEvent('progress', { share: shareInfo() })
    answer.write(bytes, () => answer.socket?.destroy())
  })
  dying.listen(join(home, 'api.sock'))
  await once(dying, 'listening')
  const broken = (error: unknown): boolean =>
    shareError('DAEMON_UNREACHABLE')(error) && /ended/.test(String(error))
  await assert.rejects(Array.fromAsync(client.cat({ target: CID }, {})), broken)
  await assert.rejects(client.get({ target: CID, output: '/out' }, {}), broken)
  dying.close()
})

test('ls and verify answer item by item', async () => {
  const names: string[] = []
  await client.ls(CID, { onEntry: (entry) => names.push(`${entry.kind} ${entry.name} ${entry.size}`) })
  assert.deepEqual(names, ['file a 3', 'directory b undefined'])
  const verified: string[] = []
  await client.verify(undefined, { onResult: (result) => verified.push(result.cid) })
  await client.verify(CID, { onResult: (result) => verified.push(result.cid) })
  assert.deepEqual(verified, [CID, CID])
  await assert.rejects(client.verify('nope', { onResult: () => {} }), shareError('NOT_FOUND'))
})

test('watching tells the status now and when it has changed', async () => {
  const leave = new AbortController()
  const states: (string | undefined)[] = []
  const watching = client.watch({
    signal: leave.signal,
    onStatus: ({ shares }) => {
      states.push(shares[0]?.state)
      if (states.length === 1) node.shares.set(CID, shareInfo({ state: 'damaged' }))
      else leave.abort(new ShareError('INTERRUPTED', 'stopped', ''))
    },
  })
  await assert.rejects(watching, shareError('INTERRUPTED'))
  assert.deepEqual(states, ['seeding', 'damaged'])
})

test('a share has one page, until it is revoked or the share is gone', async () => {
  const page = await client.page({ cid: CID, lasts: 60_000 })
  assert.match(page.url, new RegExp(`^http://127\\.0\\.0\\.1:\\d+/[\\w-]{22}/#${CID}$`))
  assert.deepEqual([page.cid, page.name, page.urls], [CID, 'hello.txt', [page.url]])
  assert.deepEqual(await client.pages(), { pages: [page] })
  assert.equal((await client.page({ cid: CID })).url, page.url)
  await client.revokePage(CID)
  assert.deepEqual(await client.pages(), { pages: [] })
  await assert.rejects(client.revokePage(CID), shareError('NOT_FOUND'))
  assert.notEqual((await client.page({ cid: CID })).url, page.url)
  await client.pause(CID)
  await assert.rejects(client.page({ cid: CID }), shareError('CONFLICT'))
})

test('a stop request is passed on, and its answer ends with the server', async () => {
  const stopping = client.stop()
  while (stops === 0) await new Promise((resolve) => setImmediate(resolve))
  await api.close()
  await stopping
  assert.equal(stops, 1)
})

test('no daemon, no API', async () => {
  await api.close()
  await assert.rejects(client.info(), shareError('DAEMON_UNREACHABLE'))
  await assert.rejects(stat(api.path), { code: 'ENOENT' })
})

test('a socket left by a killed daemon is taken over', async () => {
  const second = await serveApi({ node, home, gateway: null, pages, onStop: () => {} })
  assert.equal((await client.info()).running, true)
  await second.close()
})
