/** What people get wrong: each mistake has its line, its next step and its exit code, and loses nothing. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Home, Homes, SHARE, until } from './homes.ts'
import { assertSame, MIB, writeNoise } from './trees.ts'

/** A well-formed CID of bytes that nobody has shared. */
const NOBODYS = 'bafkreifbvngde7yu3osqoovlv4h6b5ikpnkitbolboj3vxx2fameo3ppoy'

/** The same bytes under a codec and under a hash function that are none of ours. */
const DAG_CBOR = 'bafyreifbvngde7yu3osqoovlv4h6b5ikpnkitbolboj3vxx2fameo3ppoy'
const SHA2_512 =
  'bafkrgqdz7xysm23z5tmgdjozdrnddo7ouhoqwyavjevyor6c33s7hetp3wq74bca6m7brobc6i7dlq4heeu4yz5yxfb6s3vmq4sxxfy5pmrdw'

// most of the time is waiting
describe('bad input', { concurrency: 3 }, () => {
  test('what cannot be a share is refused before anything is made of it', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const fifo = homes.path('tree', 'pipe')
    await mkdir(homes.path('tree'))
    command('mkfifo', fifo)
    await a.fails(['add', homes.path('missing')], 1, 'NOT_FOUND', /missing/)
    await a.fails(['add', fifo], 1, 'UNSUPPORTED', /pipe/)
    await a.fails(['add', homes.path('tree')], 1, 'UNSUPPORTED', /pipe/)
    assert.deepEqual(await a.shares(), [])
  })

  test('a file that the daemon may not read is named', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const tree = homes.path('tree')
    await mkdir(tree)
    const secret = join(tree, 'secret')
    await writeFile(secret, 'x', { mode: 0o000 })
    await startUnprivileged(a)
    await a.fails(['add', secret], 1, 'UNREADABLE', /secret/)
    await a.fails(['add', tree], 1, 'UNREADABLE', /secret/)
    assert.deepEqual(await a.shares(), [])
  })

  test('CIDs, links, addresses and paths that are none', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    await mkdir(homes.path('tree'))
    await writeFile(homes.path('tree', 'file'), 'hello')
    const cid = await a.share('add', '-q', homes.path('tree'))
    const table: [string[], number, string, RegExp][] = [
      [['get', 'bafynonsense'], 2, 'BAD_CID', /bafynonsense/],
      [['get', NOBODYS.slice(0, -1)], 2, 'BAD_CID', /not a CID/],
      [['get', DAG_CBOR], 1, 'UNSUPPORTED', /codec 0x71/],
      [['get', SHA2_512], 1, 'UNSUPPORTED', /hash function 0x13/],
      [['get', 'magnet:?dn=nothing'], 2, 'BAD_LINK', /CID/],
      [['get', `${cid}/missing`], 1, 'NOT_FOUND', /missing/],
      [['get', `${cid}/file/below`], 1, 'NOT_FOUND', /below/],
      [['link', NOBODYS], 1, 'NOT_FOUND', /no share/],
      [['rm', NOBODYS], 1, 'NOT_FOUND', /no share/],
      [['pause', NOBODYS], 1, 'NOT_FOUND', /no share/],
      [['verify', NOBODYS], 1, 'NOT_FOUND', /no share/],
      [['peers', 'connect', 'localhost:1'], 2, 'BAD_ADDRESS', /localhost/],
      [['get', cid, '-o', homes.path('missing', 'x')], 1, 'NOT_FOUND', /missing/],
      [['config', 'set', 'limits.sideways', '1'], 2, 'BAD_CONFIG', /limits\.sideways/],
      [['config', 'set', 'limits.up', 'fast'], 2, 'BAD_CONFIG', /fast/],
      [['config', 'set', 'listen', 'localhost'], 2, 'BAD_CONFIG', /localhost/],
    ]
    for (const [args, code, name, message] of table) {
      await a.fails(args, code, name, message)
    }
    assert.deepEqual(
      (await a.shares()).map((share) => [share.cid, share.state]),
      [[cid, 'seeding']],
    )
  })

  test('a target that exists is left alone, whatever it is', async (t) => {
    const homes = await Homes.open(t)
    const [a, b] = [await homes.add('a'), await homes.add('b')]
    await writeNoise(homes.path('source'), 2 * MIB, 1)
    const cid = await a.share('add', '-q', homes.path('source'))
    await b.connect(a)
    const [file, directory] = [homes.path('file'), homes.path('directory')]
    await writeFile(file, 'mine')
    await mkdir(join(directory, cid), { recursive: true })
    await b.fails(['get', cid, '-o', file], 1, 'TARGET_EXISTS', /file exists/)
    await b.fails(['get', cid, '-o', directory], 1, 'TARGET_EXISTS', /exists/)
    assert.equal(await readFile(file, 'utf8'), 'mine')
    assert.deepEqual(await readdir(join(directory, cid)), [])
    await b.share('get', cid, '-o', homes.path('free'))
    await assertSame(homes.path('free'), homes.path('source'))
  })

  test('nobody has it: said after the timeout, with nothing started twice', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    await a.fails(['get', NOBODYS, '-o', homes.path('target'), '--timeout', '1'], 3, 'NOBODY_HAS_IT', /1s/)
    assert.deepEqual((await readdir(homes.work)).sort(), ['home-a'])
  })

  test('without --timeout the search says that it found nobody, and goes on until stopped', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const getting = a.start('get', NOBODYS, '-o', homes.path('target'))
    assert.ok(getting.process.stderr !== null)
    const [said] = await once(getting.process.stderr, 'data')
    assert.match(String(said), /^nobody found yet who has .*\nnext: ./)
    assert.equal(getting.process.exitCode, null)
    getting.process.kill('SIGINT')
    assert.equal((await getting.ended).code, 130)
  })

  test('one daemon for a home, and none when there is none', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    await a.fails(['daemon', 'stop'], 5, 'DAEMON_UNREACHABLE', /not running/)
    assert.equal((await a.run('daemon', 'status')).code, 5)
    await a.share('daemon', 'start')
    const { pid } = await a.daemon()
    const second = await a.run('daemon', 'run')
    assert.equal(second.code, 1)
    assert.match(second.stderr, new RegExp(`in use by process ${pid} \\[ALREADY_RUNNING\\]\nnext: `))
    assert.equal((await a.daemon()).pid, pid)
  })

  test('a port that is taken is named', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    await a.share('config', 'set', 'listen', `/ip4/127.0.0.1/tcp/${address.port}`)
    await a.fails(['status'], 1, 'CONFLICT', new RegExp(`${address.port}`))
  })

  test('a configuration that was broken by hand is named, and the shares are still there afterwards', async (t) => {
    const homes = await Homes.open(t)
    const a = await homes.add('a')
    await writeFile(homes.path('file'), 'hello')
    const cid = await a.share('add', '-q', homes.path('file'))
    await a.stop()
    const config = join(a.path, 'config.json')
    const good = await readFile(config)
    await writeFile(config, '{"limits.up": "fast"}')
    await a.fails(['status'], 2, 'BAD_CONFIG', /config\.json.*fast/)
    await writeFile(config, good)
    assert.equal((await a.status(cid)).state, 'seeding')
  })
})

/** Runs a program of the system. */
function command(program: string, ...args: string[]): void {
  execFileSync(program, args)
}

/** Root may read everything; a daemon without that capability may not. */
async function startUnprivileged(home: Home): Promise<void> {
  const line = [process.execPath, SHARE, 'daemon', 'run']
  if (process.getuid?.() === 0) line.unshift('setpriv', '--bounding-set', '-dac_override,-dac_read_search')
  const [program = '', ...args] = line
  // it ends with its home
  spawn(program, args, { env: { ...process.env, SHARE_HOME: home.path }, stdio: 'ignore' })
  await until('the daemon runs', async () => (await home.run('daemon', 'status')).code === 0)
}
