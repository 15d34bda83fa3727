/** The gateway of real daemons: what it serves from here and from others, and what it never does. */
import assert from 'node:assert/strict'
import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { describe, test } from 'node:test'
import { type Home, Homes } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

const ON = { gateway: '/ip4/127.0.0.1/tcp/0' } as const

async function gatewayOf(home: Home): Promise<string> {
  await home.share('daemon', 'start')
  const { gateway } = await home.daemon()
  assert.match(gateway ?? '', /^http:\/\/127\.0\.0\.1:\d+$/)
  return gateway ?? ''
}

async function bytes(url: string, headers: Record<string, string> = {}): Promise<Buffer> {
  const answer = await fetch(url, { headers })
  assert.ok(answer.ok, `${url}: ${answer.status}`)
  return Buffer.from(await answer.arrayBuffer())
}

// most of the time is waiting
describe('the gateway', { concurrency: 3 }, () => {
  test('serves what others have, in every format, and keeps no file of it', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b', ON)]
    const url = await gatewayOf(b)
    await b.connect(a)
    await mkdir(homes.path('tree', 'd'), { recursive: true })
    await writeNoise(homes.path('tree', 'd', 'film.mp4'), 9 * MIB + 17, 1)
    await writeFile(homes.path('tree', 'ą.txt'), 'hello')
    const cid = await a.share('add', homes.path('tree'))
    const file = await readFile(homes.path('tree', 'd', 'film.mp4'))
    const film = `${url}/ipfs/${cid}/d/film.mp4`

    assert.deepEqual(
      await bytes(film, { range: 'bytes=5000000-5000099' }),
      file.subarray(5_000_000, 5_000_100),
    )
    assert.deepEqual(await bytes(film), file)
    assert.equal((await bytes(`${url}/ipfs/${cid}/ą.txt`)).toString(), 'hello')
    assert.match((await bytes(`${url}/ipfs/${cid}/`)).toString(), />d<\/a>/)
    assert.equal((await bytes(`${url}/ipfs/${cid}?format=tar`)).length % 512, 0)
    assert.deepEqual(await b.shares(), [])

    await writeFile(homes.path('got.car'), await bytes(`${url}/ipfs/${cid}?format=car`))
    assert.deepEqual(await readFile(homes.path('got.car')), await a.bytes('export', cid))
    assert.equal(await b.share('import', homes.path('got.car')), cid)
    await b.share('get', cid, '-o', homes.path('copy'))
    await assertSame(homes.path('copy'), homes.path('tree'))
  })

  test('serves what is on its way here', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b', ON)]
    const url = await gatewayOf(b)
    await b.connect(a)
    await writeNoise(homes.path('file'), 12 * MIB, 3)
    const cid = await a.share('add', homes.path('file'))
    // slow enough to be overtaken
    await a.share('limit', cid, '--up', '4MB')
    const getting = b.run('get', cid, '-o', homes.path('copy'))
    assert.deepEqual(await bytes(`${url}/ipfs/${cid}`), await readFile(homes.path('file')))
    assert.equal((await getting).code, 0)
    await assertSame(homes.path('copy'), homes.path('file'))
  })

  test('says within its time that nobody has something', async (t) => {
    const homes = await Homes.open(t)
    const url = await gatewayOf(await homes.add('a', ON))
    const answer = await fetch(`${url}/ipfs/bafkreifbvngde7yu3osqoovlv4h6b5ikpnkitbolboj3vxx2fameo3ppoy`)
    assert.equal(answer.status, 504)
    assert.match(await answer.text(), /nobody/)
  })

  test('never serves bytes that are not what was asked for', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a', ON)
    const url = await gatewayOf(a)
    await writeNoise(homes.path('file'), 3 * MIB, 2)
    const cid = await a.share('add', homes.path('file'))
    const { atime, mtime } = await stat(homes.path('file'))
    const content = await readFile(homes.path('file'))
    await writeFile(homes.path('file'), content.with(2 * MIB + 5, (content[2 * MIB + 5] ?? 0) ^ 1))
    await utimes(homes.path('file'), atime, mtime)
    await assert.rejects(bytes(`${url}/ipfs/${cid}`))
    assert.equal((await a.status(cid)).state, 'damaged')
  })

  test('is off unless it is turned on, on this machine alone, and on a port of its own', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    await a.share('daemon', 'start')
    assert.equal((await a.daemon()).gateway, null)
    await a.fails(['config', 'set', 'gateway', '/ip4/0.0.0.0/tcp/8080'], 2, 'BAD_CONFIG', /0\.0\.0\.0/)
    const taken = createServer().listen(0, '127.0.0.1')
    t.after(() => taken.close())
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    assert.ok(typeof address === 'object' && address !== null)
    await b.share('config', 'set', 'gateway', `/ip4/127.0.0.1/tcp/${address.port}`)
    await b.fails(['daemon', 'start'], 1, 'CONFLICT', /gateway .*in use/)
  })
})
