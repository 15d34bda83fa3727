/** Who gets what from pages: the whole network asks here. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { CID } from 'multiformats/cid'
import { Crowd } from '../../src/gateway/crowd.ts'
import { type PageInfo, Pages, type PagesOptions } from '../../src/gateway/pages.ts'
import type { BlocksOptions, ShareState } from '../../src/node/types.ts'
import { torrentRoot } from '../../src/torrent/torrent-root.ts'
import { Blocks } from './content-dags.ts'
import { FakeNode, shareInfo } from './fake-node.ts'

let home: string
let node: FakeNode
let pages: Pages
const blocks = new Blocks()
const leaf = blocks.raw('some bytes of a film')
const film = blocks.file({ links: [{ cid: leaf, size: 20, tsize: 20 }] })
const script = blocks.raw('<script>alert(1)</script>')
const tree = blocks.directory({ 'film.mp4': film, 'ą b#%?.html': script })
const secret = blocks.raw('of another share')
/** What each answer opened its blocks with. */
const opened: BlocksOptions[] = []
/** Holds back every block after the first, until it is set free. */
let gate: PromiseWithResolvers<void> | undefined

class PageNode extends FakeNode {
  override blocks(_root?: CID, options: BlocksOptions = {}) {
    opened.push(options)
    const get = async (cid: CID): Promise<Uint8Array> => {
      if (cid.equals(leaf)) await gate?.promise
      return blocks.block(cid)
    }
    return { node: get, block: get, [Symbol.dispose]: () => {} }
  }
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'share-pages-'))
  node = new PageNode()
  for (const [cid, name] of [
    [tree, 'a film'],
    [secret, 'a secret'],
  ] as const)
    node.shares.set(cid.toString(), shareInfo({ cid: cid.toString(), name }))
  opened.length = 0
  gate = undefined
  pages = await open()
})
afterEach(async () => {
  gate?.resolve()
  await pages.close()
  await rm(home, { recursive: true })
})

function open(change: Partial<PagesOptions> = {}): Promise<Pages> {
  const address = { host: '127.0.0.1', port: 0 }
  return Pages.open({ node, home, address, url: undefined, log: () => {}, ...change })
}

interface Answered {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  /** Undefined where it broke off. */
  readonly body: string | undefined
}

/** Asks as it is told to, with nothing put right. */
function ask(
  base: string,
  path: string,
  headers: OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<Answered> {
  const { hostname, port, host } = new URL(base)
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, path, method, agent: false, headers: { host, ...headers } },
      async (answer) => {
        const body = await buffer(answer).catch(() => undefined)
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: body?.toString() })
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

/** Where the page lies, without its fragment. */
const placeOf = ({ url }: PageInfo): string => new URL(url).pathname

const isOpen = (url: string): Promise<boolean> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })

describe('what a page serves', () => {
  test('its share: what lists it, blocks of its files, and files to be saved', async () => {
    const page = await pages.issue(tree.toString())
    const at = placeOf(page)
    assert.equal((await ask(page.url, `${at}about`)).body, '{"name":"a film"}')
    assert.match((await ask(page.url, `${at}tree`)).body ?? '', /film\.mp4/)
    assert.match((await ask(page.url, `${at}blocks/film.mp4?from=3`)).body ?? '', /some bytes of a film/)
    const plain = await ask(page.url, `${at}plain/film.mp4`, { range: 'bytes=5-9' })
    assert.deepEqual([plain.status, plain.body], [206, 'bytes'])
    const archive = await ask(page.url, `${at}plain/`)
    assert.match(String(archive.headers['content-disposition']), /^attachment; filename="a film\.tar"/)
    assert.equal((await ask(page.url, at.slice(0, -1))).headers.location, at)
    assert.ok(opened.length > 0 && opened.every(({ local, upload }) => local === true && upload === true))
  })

  test('nothing that a browser would run or keep, whatever it is', async () => {
    const page = await pages.issue(tree.toString())
    const path = `${placeOf(page)}plain/${encodeURIComponent('ą b#%?.html')}`
    const { status, headers } = await ask(page.url, path)
    assert.equal(status, 200)
    assert.match(String(headers['content-disposition']), /^attachment; /)
    assert.match(String(headers['content-security-policy']), /default-src 'none'; sandbox/)
    assert.deepEqual(
      ['cache-control', 'x-content-type-options', 'referrer-policy'].map((name) => headers[name]),
      ['private, no-store', 'nosniff', 'no-referrer'],
    )
    assert.ok(!Object.keys(headers).some((name) => name.startsWith('x-ipfs') || name.startsWith('access-')))
  })

  test('no other share, no block by its name, no API, and nothing without a token', async () => {
    const page = await pages.issue(tree.toString())
    const at = placeOf(page)
    const inside = ['ipfs', 'blocks', 'plain'].map((kind) => `${at}${kind}/${secret}`)
    const sly = [
      `${at}plain/../${secret}`,
      `${at}plain/..%2f..%2f${secret}`,
      `${at}blocks/%00`,
      `${at}tree/x`,
    ]
    const outside = [
      '/',
      '/x/',
      `/ipfs/${tree}`,
      '/v1/daemon',
      `/${'A'.repeat(22)}/`,
      `/${'A'.repeat(22)}/tree`,
    ]
    for (const path of [...inside, ...sly, ...outside, `${at}%zz`, '//', at.toLowerCase()])
      assert.equal((await ask(page.url, path)).status, 404, path)
    assert.equal((await ask(page.url, `${at}about`, {}, 'POST')).status, 404)
    assert.equal((await ask(page.url, `${at}blocks/film.mp4?from=-1`)).status, 400)
  })

  test('only while it is all here', async () => {
    const page = await pages.issue(tree.toString())
    const states: [ShareState, number][] = [
      ['paused', 409],
      ['damaged', 409],
      ['seeding', 200],
    ]
    for (const [state, status] of states) {
      node.shares.set(tree.toString(), shareInfo({ cid: tree.toString(), state }))
      assert.equal((await ask(page.url, `${placeOf(page)}tree`)).status, status, state)
    }
    node.shares.delete(tree.toString())
    assert.equal((await ask(page.url, `${placeOf(page)}tree`)).status, 404)
  })
})

describe('who may ask', () => {
  test('under an address of this machine or a name that was set, and from no other page', async () => {
    await pages.close()
    pages = await open({ url: 'https://files.example.org' })
    const { url } = await pages.issue(tree.toString())
    assert.match(url, /^https:\/\/files\.example\.org\/[\w-]{22}\/#bafy/)
    const at = new URL(url).pathname
    const { port } = pages
    const here = `http://127.0.0.1:${port}`
    const table: [OutgoingHttpHeaders, number][] = [
      [{}, 200],
      [{ host: 'files.example.org' }, 200],
      [{ host: 'FILES.example.org:443', origin: 'https://files.example.org' }, 403],
      [{ host: 'files.example.org', origin: 'https://files.example.org' }, 200],
      [{ host: '203.0.113.7:9999' }, 200],
      [{ host: '[2001:db8::1]:9999' }, 200],
      [{ host: `localhost:${port}` }, 200],
      [{ host: 'evil.example' }, 403],
      [{ host: 'files.example.org.evil.example' }, 403],
      [{ host: `127.0.0.1:${port}`, origin: here }, 200],
      [{ origin: 'http://evil.example' }, 403],
      [{ origin: 'null' }, 403],
      [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, 403],
      [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, 403],
      [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 200],
      [{ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, 200],
    ]
    for (const [headers, status] of table)
      assert.equal((await ask(here, `${at}about`, headers)).status, status, JSON.stringify(headers))
  })

  test('so many at once, and so many of one address, but for a proxy on this machine', () => {
    const crowd = new Crowd()
    const enter = (address: string, times: number) =>
      Array.from({ length: times }, () => crowd.enter(address))
    const first = enter('192.0.2.1', 13)
    assert.deepEqual(first.map((leave) => leave !== undefined).lastIndexOf(true), 11)
    first[0]?.()
    assert.notEqual(crowd.enter('192.0.2.1'), undefined)
    assert.deepEqual(enter('127.0.0.1', 60).filter((leave) => leave !== undefined).length, 64 - 12)
    assert.equal(crowd.enter('192.0.2.2'), undefined)
  })
})

describe('the life of a page', () => {
  test('nothing listens before the first and after the last', async () => {
    assert.equal(pages.port, undefined)
    const page = await pages.issue(tree.toString())
    assert.equal(await isOpen(page.url), true)
    const other = await pages.issue(secret.toString())
    assert.notEqual(placeOf(other), placeOf(page))
    await pages.revoke(tree.toString())
    assert.equal((await ask(other.url, `${placeOf(page)}about`)).status, 404)
    assert.equal((await ask(other.url, `${placeOf(other)}about`)).status, 200)
    await pages.revoke(secret.toString())
    assert.equal(await isOpen(page.url), false)
  })

  test('outlasts the node, in a file for its owner alone', async () => {
    const page = await pages.issue(tree.toString())
    await pages.close()
    pages = await open()
    assert.deepEqual((await pages.all()).map(placeOf), [placeOf(page)])
    assert.equal((await stat(join(home, 'pages.json'))).mode & 0o777, 0o600)
    assert.equal((await ask(`http://127.0.0.1:${pages.port}`, `${placeOf(page)}about`)).status, 200)
  })

  test('is nothing that the log is told of when a torrent gets its CID, and is no share under its info hash any more', async () => {
    const lines: string[] = []
    await pages.close()
    pages = await open({ log: (line: string) => lines.push(line) })
    const root = torrentRoot({ v1: new Uint8Array(20), v2: undefined })
    node.emit('share', { cid: root, share: undefined })
    await assert.rejects(pages.revoke(root), { code: 'NOT_FOUND' })
    assert.deepEqual(lines, [])
  })

  test('ends with its share, and by itself when its time is over', async (t) => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
    const page = await pages.issue(tree.toString(), 60_000)
    await pages.issue(secret.toString())
    assert.equal(page.expires, '1970-01-01T00:01:00.000Z')
    t.mock.timers.tick(59_999)
    assert.equal((await pages.all()).length, 2)
    t.mock.timers.tick(1)
    assert.deepEqual(
      (await pages.all()).map(({ cid }) => cid),
      [secret.toString()],
    )
    node.emit('share', { cid: secret.toString(), share: undefined })
    assert.deepEqual(await pages.all(), [])
    await pages.close()
    assert.equal(await readFile(join(home, 'pages.json'), 'utf8'), '[]\n')
  })

  test('breaks off what is under way when it is revoked', async () => {
    gate = Promise.withResolvers()
    const page = await pages.issue(tree.toString())
    await pages.issue(secret.toString())
    const answered = ask(page.url, `${placeOf(page)}plain/film.mp4`)
    while (opened.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await pages.revoke(tree.toString())
    gate.resolve()
    const { status, body } = await answered
    assert.ok(body === undefined || status === 404, `${status} ${body}`)
  })

  test('is refused for a share that is not here, or not all of it, and where pages are off', async () => {
    const refused = (cid: CID, code: string) => assert.rejects(pages.issue(cid.toString()), { code })
    await refused(leaf, 'NOT_FOUND')
    node.shares.set(tree.toString(), shareInfo({ cid: tree.toString(), state: 'downloading' }))
    await refused(tree, 'CONFLICT')
    await pages.close()
    pages = await open({ address: undefined })
    await refused(secret, 'UNSUPPORTED')
  })
})
