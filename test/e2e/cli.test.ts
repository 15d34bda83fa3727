/** The command line as a process: what it prints where, and its exit codes. The daemon behind it is a fake one. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ensureDaemon, probe } from '../../src/daemon/spawn.ts'
import { CID } from '../unit/fake-node.ts'

const SHARE = fileURLToPath(new URL('../../bin/share.js', import.meta.url))
const FAKE_DAEMON = fileURLToPath(new URL('../unit/fake-daemon.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

let work: string
/** A home whose fake daemon runs, and one that has none. */
let home: string
let idle: string

before(async () => {
  work = await mkdtemp(join(tmpdir(), 'share-cli-'))
  home = join(work, 'home')
  idle = join(work, 'idle')
  await writeFile(join(work, 'file.txt'), 'hello')
  await ensureDaemon(home, { command: [process.execPath, FAKE_DAEMON] })
})

after(async () => {
  await (await probe(home))?.client.stop()
  await rm(work, { recursive: true })
})

function start(args: readonly string[], at: string): ChildProcess {
  return spawn(process.execPath, [SHARE, ...args], {
    cwd: work,
    env: { ...process.env, SHARE_HOME: at },
    stdio: 'pipe',
  })
}

async function end(child: ChildProcess): Promise<Ended> {
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) =>
    Buffer.concat((await stream?.toArray()) ?? []).toString(),
  )
  const [code] = await once(child, 'close')
  return { code, stdout: (await stdout) ?? '', stderr: (await stderr) ?? '' }
}

const share = (...args: string[]): Promise<Ended> => end(start(args, home))
const shareIdle = (...args: string[]): Promise<Ended> => end(start(args, idle))

test('version and help are results', async () => {
  const shown = await shareIdle('--version')
  assert.deepEqual([shown.code, /^\d+\.\d+\.\d+\n$/.test(shown.stdout), shown.stderr], [0, true, ''])
  const help = await shareIdle('get', '--help')
  assert.deepEqual([help.code, help.stdout.includes('--timeout'), help.stderr], [0, true, ''])
})

test('an older Node is told in one line which one is needed', async () => {
  for (const [version, code] of [
    ['20.20.2', 1],
    ['22.17.0', 1],
    ['22.18.0', 0],
  ]) {
    const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"${version}"}})`
    const ended = await end(
      spawn(process.execPath, ['--import', pretend, SHARE, '--version'], { stdio: 'pipe' }),
    )
    assert.equal(ended.code, code, `${version}`)
    if (code !== 0) assert.match(ended.stderr, /^share needs Node 22\.18 or newer.*npx share.*\n$/)
  }
})

test('what is typed wrong is refused in two lines, without starting a daemon', async () => {
  const table: [string[], number, RegExp][] = [
    [['frobnicate'], 2, /unknown command .*USAGE/],
    [['add'], 2, /missing required argument .*USAGE/],
    [['add', '--nope', 'x'], 2, /unknown option .*USAGE/],
    [['add', '--profile', 'x', 'file.txt'], 2, /profile.*USAGE/],
    [['add', '-'], 2, /standard input .*USAGE/],
    [['add', '--name', 'n', 'file.txt', 'file.txt'], 2, /--name .*USAGE/],
    [['add', 'file.txt', 'missing.txt'], 1, /missing\.txt .*NOT_FOUND/],
    [['get', 'nonsense'], 2, /nonsense .*BAD_CID/],
    [['get', 'magnet:?dn=x'], 2, /neither a CID nor an info hash.*BAD_LINK/],
    [['get', 'magnet:?xt=urn:btih:zz'], 2, /no info hash.*BAD_LINK/],
    [['get', `${CID}/../x`], 2, /BAD_PATH/],
    [['get', CID, '--timeout', 'soon'], 2, /soon .*USAGE/],
    [['get', CID, '--peer', 'localhost'], 2, /localhost .*BAD_ADDRESS/],
    [['cat', CID, '--range', '9-5'], 2, /9-5 .*USAGE/],
    [['ls', 'nonsense'], 2, /BAD_CID/],
    [['pause', 'nonsense'], 2, /BAD_CID/],
    [['limit', CID, '--up', 'fast'], 2, /fast .*USAGE/],
    [['peers', 'connect', '/ip4/127.0.0.1/tcp/1'], 2, /BAD_ADDRESS/],
    [['config', 'get', 'nope'], 2, /nope .*BAD_CONFIG/],
    [['config', 'set', 'limits.up', 'fast'], 2, /fast .*BAD_CONFIG/],
    [['daemon', 'status'], 5, /not running .*DAEMON_UNREACHABLE/],
    [['daemon', 'stop'], 5, /not running .*DAEMON_UNREACHABLE/],
    [['daemon', 'logs'], 1, /no log .*NOT_FOUND/],
  ]
  for (const [args, code, message] of table) {
    const ended = await shareIdle(...args)
    const [what = '', next = '', ...more] = ended.stderr.split('\n')
    assert.deepEqual([ended.code, ended.stdout, more], [code, '', ['']], args.join(' '))
    assert.match(what, /^error: /)
    assert.match(what, message)
    assert.match(next, /^next: ./)
  }
  assert.equal(existsSync(idle), false)
})

test('with --json an error is an object on stdout as well', async () => {
  const table: [string[], number, string][] = [
    [['get', 'nonsense', '--json'], 2, 'BAD_CID'],
    [['frobnicate', '--json'], 2, 'USAGE'],
    [['daemon', 'stop', '--json'], 5, 'DAEMON_UNREACHABLE'],
  ]
  for (const [args, code, name] of table) {
    const ended = await shareIdle(...args)
    const { error } = JSON.parse(ended.stdout)
    assert.deepEqual([ended.code, error.code, Object.keys(error)], [code, name, ['code', 'message', 'hint']])
  }
})

test('daemon status tells in JSON that there is none', async () => {
  const ended = await shareIdle('daemon', 'status', '--json')
  assert.equal(ended.code, 5)
  const { version, ...rest } = JSON.parse(ended.stdout)
  assert.match(version, /^\d/)
  const none = { listen: [], torrentPort: null, torrentDht: null, gateway: null }
  assert.deepEqual(rest, { running: false, pid: null, home: idle, ...none })
})

test('config works without a daemon, and tells when one keeps its old settings', async () => {
  assert.deepEqual(await shareIdle('config', 'set', 'limits.up', '40MB'), { code: 0, stdout: '', stderr: '' })
  assert.equal((await shareIdle('config', 'get', 'limits.up')).stdout, '40MB\n')
  await shareIdle('config', 'set', 'listen', '/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0')
  const listed = JSON.parse((await shareIdle('config', 'list', '--json')).stdout)
  assert.deepEqual(
    [listed['limits.up'], listed.listen],
    [40_000_000, ['/ip4/127.0.0.1/tcp/0', '/ip6/::1/tcp/0']],
  )
  await shareIdle('config', 'set', 'listen', 'default')
  assert.match((await shareIdle('config', 'list')).stdout, /^listen = \/ip4\/0\.0\.0\.0\/tcp\/4141/m)
  assert.deepEqual(await readdir(idle), ['config.json'])

  const beside = await share('config', 'set', 'dht', 'off')
  assert.deepEqual([beside.code, beside.stdout], [0, ''])
  assert.match(beside.stderr, /running daemon/)
  assert.equal((await share('config', 'set', 'limits.down', '40MB')).stderr, '')
})

test('add prints the CIDs, one a line, and nothing else', async () => {
  assert.deepEqual(await share('add', 'file.txt', './file.txt'), {
    code: 0,
    stdout: `${CID}\n${CID}\n`,
    stderr: '',
  })
  const { cid, path } = JSON.parse((await share('add', '--json', 'file.txt')).stdout)
  assert.deepEqual([cid, path], [CID, join(work, 'file.txt')])
})

test('get: where it lies, notices, and why it did not finish', async () => {
  assert.deepEqual(await share('get', CID), { code: 0, stdout: `${work}\n`, stderr: '' })
  assert.equal((await share('get', CID, '-o', 'to/here')).stdout, `${join(work, 'to/here')}\n`)
  assert.equal(JSON.parse((await share('get', CID, '--json')).stdout).have, 100)

  const table: [string, number, RegExp][] = [
    ['nobody', 3, /^nobody found yet\nnext: name a peer\nerror: nobody .*\[NOBODY_HAS_IT\]\nnext: /],
    [
      'slow',
      124,
      /^error: not finished within 1s, who has it is too slow: 40 B of 100 B are here \[TIMED_OUT\]\nnext: .*again/,
    ],
    ['full', 6, /^error: no space left \[DISK_FULL\]\nnext: free/],
  ]
  for (const [kind, code, stderr] of table) {
    const ended = await share('get', `${CID}/${kind}`, '--timeout', '1')
    assert.deepEqual([ended.code, ended.stdout], [code, ''])
    assert.match(ended.stderr, stderr)
  }
})

test('Ctrl-C says how to go on', async () => {
  const child = start(['get', `${CID}/nobody`], home)
  // the notice shows that the daemon is at work
  const ended = end(child)
  await new Promise((resolve) => child.stderr?.once('data', resolve))
  child.kill('SIGINT')
  const { code, stderr } = await ended
  assert.deepEqual([code, stderr.split('\n').at(-2)], [130, 'stopped; run the same command again to resume'])
})

test('cat: bytes, a broken stream, a reader that has enough', async () => {
  assert.deepEqual(await share('cat', `${CID}/file`), { code: 0, stdout: 'hello world\n', stderr: '' })
  const broken = await share('cat', `${CID}/broken`)
  assert.deepEqual([broken.code, broken.stdout], [4, 'hello world\n'])
  assert.match(broken.stderr, /a bad block \[VERIFICATION_FAILED\]/)

  const child = start(['cat', `${CID}/endless`], home)
  child.stdout?.once('data', () => child.stdout?.destroy())
  const [stderr] = await Promise.all([child.stderr?.toArray(), once(child, 'exit')])
  assert.deepEqual([child.exitCode, stderr], [0, []])
})

test('doctor: each check with its verdict and next step, exit code 1 when one failed', async () => {
  const plain = await share('doctor')
  assert.deepEqual([plain.code, plain.stderr], [1, ''])
  assert.match(
    plain.stdout,
    /^ok +clock +it runs forward\nfailed +ports +it listens nowhere\n +next: listen somewhere\n$/,
  )
  const { healthy, checks } = JSON.parse((await share('doctor', '--json')).stdout)
  assert.equal(healthy, false)
  assert.deepEqual(checks[0], { name: 'clock', verdict: 'ok', finding: 'it runs forward' })
})

test('the commands about shares and peers, as text and as JSON', async () => {
  const table: [string[], RegExp, (value: Record<string, unknown>) => boolean][] = [
    [['status'], /hello\.txt/, (value) => Array.isArray(value.shares)],
    [['ls'], new RegExp(`^${CID} +100 B {2}hello.txt`), (value) => Array.isArray(value.shares)],
    [['link', CID], /^share:/, (value) => value.link === `share:${CID}`],
    [['verify'], /whole/, (value) => value.cid === CID],
    [['gc'], /freed 2 blocks, 300 B/, (value) => value.blocks === 2],
    [
      ['id'],
      /^me\n[\s\S]*\nreachable: no \(it listens on this machine alone\)$/m,
      (value) => value.peerId === 'me' && Array.isArray(value.addresses) && value.reachable === 'no',
    ],
    [['peers'], /outbound/, (value) => Array.isArray(value.peers)],
    [['daemon', 'status'], /^running, process \d+/, (value) => value.running === true && value.home === home],
    [['daemon', 'start'], /already running/, (value) => typeof value.pid === 'number'],
    [['daemon', 'logs'], /ready on/, () => true],
  ]
  for (const [args, text, check] of table) {
    const plain = await share(...args)
    assert.deepEqual([plain.code, plain.stderr], [0, ''], args.join(' '))
    assert.match(plain.stdout, text)
    const [line = ''] = (await share(...args, '--json')).stdout.split('\n')
    assert.ok(check(JSON.parse(line)), line)
  }
  const entries = (await share('ls', `${CID}/dir`, '--json')).stdout.trim().split('\n')
  assert.deepEqual(
    entries.map((line) => JSON.parse(line).name),
    ['a', 'b'],
  )
  assert.deepEqual(JSON.parse((await share('pause', CID, '--json')).stdout), { cid: CID, paused: true })
  const limited = { cid: CID, limits: { up: 1000, down: 0 } }
  assert.deepEqual(JSON.parse((await share('limit', CID, '--up', '1kB', '--json')).stdout), limited)
  assert.equal((await share('limit', CID)).stdout, 'up 1 kB/s, down unlimited\n')
  assert.deepEqual(JSON.parse((await share('resume', CID, '--json')).stdout), { cid: CID, paused: false })
})

test('watching goes on until stopped', async () => {
  const child = start(['status', '--watch', '--json'], home)
  const first = new Promise<Buffer>((resolve) => child.stdout?.once('data', resolve))
  assert.equal(JSON.parse((await first).toString()).shares.length, 1)
  child.kill('SIGINT')
  assert.deepEqual(await once(child, 'exit'), [130, null])
})
