/** What a machine does to a program that runs for weeks: it goes on by itself, without a restart. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort, type Home, Homes, until } from '../../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../../e2e/trees.ts'
import { assertCalm, logOf } from '../log.ts'
import { tally } from '../tally.ts'

const SIZE = 12 * MIB
/** Longer than it takes until UPnP looks for a router and libp2p for addresses, in ms. */
const EXHAUSTED_MS = 15_000

const YEARS = 365.25 * 86_400_000

test('the machine sleeps and wakes, with either end of a download', async (t) => {
  const { a, b, getting, check } = await downloading(t)
  for (const home of [b, a]) {
    const { pid } = await home.daemon()
    assert.ok(pid !== null && pid !== undefined)
    process.kill(pid, 'SIGSTOP')
    await sleep(4000)
    process.kill(pid, 'SIGCONT')
    await sleep(500)
  }
  assert.equal((await getting.ended).code, 0)
  await check()
  tally('suspend and resume in the middle of a download', 2, 'it went on')
})

test('no file can be opened for a while', async (t) => {
  const { a, b, homes, getting, check } = await downloading(t)
  const { pid } = await b.daemon()
  const limit = (files: string): void =>
    void execFileSync('prlimit', ['--pid', String(pid), `--nofile=${files}`])
  // a number above the limit is refused, whatever is closed meanwhile
  limit('3:')
  await writeNoise(homes.path('more'), MIB, 3)
  const added = b.start('add', '-q', homes.path('more')).ended
  const early = await Promise.race([added, sleep(EXHAUSTED_MS)])
  assert.notEqual(early?.code, 0, 'it had no descriptor to open the file with')
  limit('1024:')
  if ((await added).code !== 0) await b.share('add', '-q', homes.path('more'))
  assert.equal((await b.daemon()).pid, pid, 'it is the same daemon')
  const { code, stderr } = await getting.ended
  if (code !== 0) await b.share('get', await only(a), '-o', homes.path('target'))
  assert.ok(code === 0 || /\[IO\]/.test(stderr), stderr)
  await check()
  tally('descriptors exhausted in the middle of a download', 1, 'work was refused, and went on after')
})

test('the clock jumps by ten years, ahead and back', async (t) => {
  const homes = await Homes.open(t)
  const clock = homes.path('clock')
  await writeFile(clock, '0')
  const before = { ...process.env }
  process.env.SHIFTED_CLOCK = clock
  process.env.NODE_OPTIONS = `--import=${fileURLToPath(new URL('./shifted-clock.ts', import.meta.url))}`
  t.after(() => {
    process.env = before
  })
  const scene = await downloading(t, homes)
  for (const offset of [10 * YEARS, -10 * YEARS, 0]) {
    // never half written
    await writeFile(`${clock}.new`, String(offset))
    await rename(`${clock}.new`, clock)
    await sleep(1000)
    assert.equal((await scene.b.run('status')).code, 0)
  }
  assert.equal((await scene.getting.ended).code, 0)
  await scene.check()
  tally('clock jumps of ten years in the middle of a download', 3, 'it went on')
})

test("the port on which routers answer (UPnP) is somebody else's", async (t) => {
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  const own = addresses.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
  assert.ok(own.length > 0, 'this machine has no address but its loopback')
  for (const { address, family } of own) {
    const socket = createSocket(family === 'IPv4' ? 'udp4' : 'udp6').bind(1900, address)
    t.after(() => socket.close())
    await once(socket, 'listening')
  }
  const homes = await Homes.open(t)
  const home = await homes.add('home', { listen: `/ip4/0.0.0.0/tcp/${await freePort()}` })
  await home.share('daemon', 'start')
  const { pid } = await home.daemon()
  await until('it says so', async () => (await logOf(home)).includes('no router is asked'))
  assert.equal((await home.daemon()).pid, pid, 'it is the same daemon')
  await home.stop()
  tally('the port of UPnP in use', 1, 'said so, and went on')
})

test('the port is taken: the daemon says so, and starts once it is free', async (t) => {
  const home = await (await Homes.open(t)).add('home')
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await until('it listens', () => server.listening)
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  await home.share('config', 'set', 'listen', `/ip4/127.0.0.1/tcp/${address.port}`)
  await home.fails(['daemon', 'start'], 1, 'CONFLICT', new RegExp(`${address.port}`))
  server.close()
  await home.share('daemon', 'start')
  tally('port taken at the start', 1, 'said so, and started once it was free')
})

async function downloading(t: TestContext, given?: Homes) {
  const homes = given ?? (await Homes.open(t))
  const [a, b] = [await homes.add('a', { 'limits.up': '2MB' }), await homes.add('b')]
  const [source, target] = [homes.path('source'), homes.path('target')]
  await writeNoise(source, SIZE, 1)
  const cid = await a.share('add', '-q', source)
  await b.connect(a)
  const getting = b.start('get', cid, '-o', target)
  await until('some of it is here', async () => (await b.shares()).some(({ have }) => have > 0))
  const check = async (): Promise<void> => {
    await assertSame(target, source)
    for (const home of [a, b]) await assertCalm(home)
  }
  return { homes, a, b, getting, check }
}

async function only(home: Home): Promise<string> {
  const [share] = await home.shares()
  assert.ok(share !== undefined)
  return share.cid
}
