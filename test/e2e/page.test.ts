/** `share page` of real daemons: what a browser is given, without one. What the page itself does is in test/interop. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { Homes, until } from './homes.ts'
import { MIB, writeNoise } from './trees.ts'

const HERE = { 'pages.listen': '/ip4/127.0.0.1/tcp/0' } as const

interface Page {
  readonly cid: string
  readonly url: string
  readonly urls: readonly string[]
  readonly expires: string | null
}

/** Relative to a page, whose own part after `#` stays with whoever has it. */
const under = (page: Page, path: string): string => new URL(path, page.url).href

// most of the time is waiting
describe('share page', { concurrency: 3 }, () => {
  test('prints a URL under which the page is, and what it needs, and the file', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a', HERE)
    await writeNoise(homes.path('film.mp4'), 5 * MIB + 3, 1)
    const cid = await a.share('add', '-q', homes.path('film.mp4'))
    const { code, stdout, stderr } = await a.run('page', cid)
    assert.equal(code, 0, stderr)
    assert.match(stdout, new RegExp(`^http://127\\.0\\.0\\.1:\\d+/[\\w-]{22}/#${cid}\\n$`))
    assert.match(stderr, /whoever has this URL can download film\.mp4/)
    assert.match(stderr, /not encrypted/)

    const page = await a.json<Page>('page', cid)
    assert.equal(`${page.url}\n`, stdout)
    const html = await fetch(under(page, ''))
    assert.match(html.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self'/)
    const text = await html.text()
    const files = [...text.matchAll(/(?:src|href)="(page\.[^"]+)"/g)].map(([, file = '']) => file)
    assert.deepEqual(files.toSorted(), ['page.css', 'page.js'])
    for (const file of files) assert.equal((await fetch(under(page, file))).status, 200, file)
    assert.doesNotMatch(text, /(src|href)="(https?:)?\/\//)

    const film = await readFile(homes.path('film.mp4'))
    const answer = await fetch(under(page, 'plain/'), { headers: { range: 'bytes=4000000-' } })
    assert.equal(
      answer.headers.get('content-disposition'),
      `attachment; filename="film.mp4"; filename*=UTF-8''film.mp4`,
    )
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), film.subarray(4_000_000))
    assert.match(await a.share('page'), new RegExp(`${page.url}  film\\.mp4`.replace(/[/?]/g, '\\$&')))
  })

  test('lasts over restarts, until it is revoked or its share is removed', async (t) => {
    const homes = await Homes.open(t)
    const port = await freePort()
    const a = await homes.add('a', { 'pages.listen': `/ip4/127.0.0.1/tcp/${port}` })
    await writeFile(homes.path('one'), 'one')
    await writeFile(homes.path('two'), 'two')
    const [one, two] = [
      await a.share('add', '-q', homes.path('one')),
      await a.share('add', '-q', homes.path('two')),
    ]
    const [first, second] = [await a.json<Page>('page', one), await a.json<Page>('page', two, '--for', '1h')]
    assert.ok(second.expires !== null && Date.parse(second.expires) > Date.now())
    await a.stop()
    await assert.rejects(fetch(under(first, 'plain/')))
    await a.share('daemon', 'start')
    assert.equal(await (await fetch(under(first, 'plain/'))).text(), 'one')
    await a.share('page', one, '--revoke')
    assert.equal((await fetch(under(first, 'plain/'))).status, 404)
    assert.equal(await (await fetch(under(second, 'plain/'))).text(), 'two')
    await a.share('rm', two)
    await until('the port is closed', () =>
      fetch(under(second, '')).then(
        () => false,
        () => true,
      ),
    )
    assert.equal(await a.share('page'), 'no share has a page')
    await a.fails(['page', one, '--revoke'], 1, 'NOT_FOUND', /has no page/)
    await a.fails(['page', two], 1, 'NOT_FOUND', /no share/)
    await a.fails(['page', one, '--for', 'ever'], 2, 'USAGE', /bad time: ever/)
  })

  test('is held back by the limits, and let go when they are lifted', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a', { ...HERE, 'limits.up': '1kB' })
    await writeNoise(homes.path('file'), 4 * MIB, 2)
    const cid = await a.share('add', '-q', homes.path('file'))
    const { body } = await fetch(under(await a.json<Page>('page', cid), 'plain/'))
    let bytes = 0
    const reading = (async () => {
      for await (const chunk of body ?? []) bytes += chunk.length
    })()
    await until('the first block is here', () => bytes >= MIB)
    // as long as a command takes, in which all would have come
    await a.share('status')
    assert.ok(bytes < 3 * MIB, `${bytes} bytes`)
    await a.share('config', 'set', 'limits.up', 'unlimited')
    await reading
    assert.equal(bytes, 4 * MIB)
  })

  test('says that a port is taken, and leaves no page behind', async (t) => {
    const homes = await Homes.open(t)
    const taken = createServer().listen(0, '127.0.0.1')
    t.after(() => taken.close())
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    assert.ok(typeof address === 'object' && address !== null)
    const a = await homes.add('a', { 'pages.listen': `/ip4/127.0.0.1/tcp/${address.port}` })
    await writeFile(homes.path('file'), 'x')
    const cid = await a.share('add', '-q', homes.path('file'))
    await a.fails(['page', cid], 1, 'CONFLICT', /cannot open the pages .*in use/)
    assert.equal(await a.share('page'), 'no share has a page')
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}
