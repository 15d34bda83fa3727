import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ShareError } from '../../src/core/errors.ts'
import { DaemonClient } from '../../src/daemon/client.ts'
import { logPath, openLog } from '../../src/daemon/log.ts'
import { claimSocketPath, socketPath } from '../../src/daemon/socket-path.ts'
import { ensureDaemon, probe } from '../../src/daemon/spawn.ts'

const FAKE_DAEMON = [process.execPath, fileURLToPath(new URL('./fake-daemon.ts', import.meta.url))]
let home: string

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'share-daemon-'))
})

afterEach(async () => {
  await (await probe(home))?.client.stop()
  await rm(home, { recursive: true })
})

async function runInForeground(): Promise<ChildProcess> {
  const [program = '', ...args] = FAKE_DAEMON
  const child = spawn(program, args, { env: { ...process.env, SHARE_HOME: home }, stdio: 'ignore' })
  while ((await probe(home)) === undefined) await new Promise((resolve) => setImmediate(resolve))
  return child
}

test('a daemon is started once, and answers until it is stopped', async () => {
  assert.equal(await probe(home), undefined)
  const first = await ensureDaemon(home, { command: FAKE_DAEMON })
  const second = await ensureDaemon(home, { command: FAKE_DAEMON })
  assert.deepEqual([first.fresh, second.fresh, first.info.pid], [true, false, second.info.pid])
  await second.client.stop()
  assert.equal(await probe(home), undefined)
  assert.match(
    await readFile(logPath(home), 'utf8'),
    /starting share .*\n.* ready on .*\n.* stopping, asked by a client\n.* stopped\n/,
  )
  assert.equal((await stat(logPath(home))).mode & 0o777, 0o600)
})

test('of commands that race to start it, all get the same daemon', async () => {
  const started = await Promise.all([1, 2, 3].map(() => ensureDaemon(home, { command: FAKE_DAEMON })))
  assert.equal(new Set(started.map(({ info }) => info.pid)).size, 1)
})

test('why a daemon cannot start reaches the command that started it', async () => {
  await writeFile(join(home, 'config.json'), '{"limits.upp": 1}')
  await assert.rejects(
    ensureDaemon(home, { command: FAKE_DAEMON }),
    (error) =>
      error instanceof ShareError && error.code === 'BAD_CONFIG' && /limits\.upp/.test(error.message),
  )
})

test('a daemon that dies without a word', async () => {
  await assert.rejects(
    ensureDaemon(home, { command: [process.execPath, '-e', 'process.exit(7)'] }),
    (error) =>
      error instanceof ShareError &&
      error.code === 'DAEMON_UNREACHABLE' &&
      /at its start/.test(error.message),
  )
})

test('a signal stops it cleanly; the socket is gone afterwards', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const child = await runInForeground()
    child.kill(signal)
    assert.deepEqual(await once(child, 'exit'), [0, null])
    assert.equal(existsSync(join(home, 'api.sock')), false)
  }
})

test('a second signal ends a daemon that hangs while it stops', async () => {
  await writeFile(join(home, 'hang'), '')
  const child = await runInForeground()
  child.kill('SIGTERM')
  while (!(await readFile(logPath(home), 'utf8')).includes('stopping'))
    await new Promise((resolve) => setImmediate(resolve))
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [1, null])
})

test('a killed daemon leaves a socket behind, and the next one starts all the same', async () => {
  const child = await runInForeground()
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(existsSync(join(home, 'api.sock')), true)
  assert.equal((await ensureDaemon(home, { command: FAKE_DAEMON })).fresh, true)
})

test('a home whose path is too long for a socket is served from a short private one', async () => {
  const long = join(home, 'x'.repeat(120))
  await mkdir(long)
  const { client } = await ensureDaemon(long, { command: FAKE_DAEMON })
  const path = socketPath(long)
  assert.equal(path, await readFile(join(long, 'api.path'), 'utf8'))
  assert.ok(path.startsWith(tmpdir()) && Buffer.byteLength(path) < 104)
  assert.equal((await stat(dirname(path))).mode & 0o777, 0o700)
  assert.equal((await new DaemonClient(long).info()).home, long)
  await client.stop()
  await rm(dirname(path), { recursive: true })
})

test('a short path that someone else could write to is refused', async () => {
  const long = join(home, 'y'.repeat(120))
  await mkdir(long)
  const directory = dirname(socketPath(long))
  await mkdir(directory)
  await chmod(directory, 0o755)
  assert.throws(
    () => claimSocketPath(long),
    (error) => error instanceof ShareError && error.code === 'CONFLICT',
  )
  await rm(directory, { recursive: true })
})

test('the log keeps one older file when it is full', async () => {
  const log = openLog(home, { largest: 100 })
  for (let line = 1; line <= 8; line++) log(`line ${line}`)
  const numbers = async (path: string): Promise<string> =>
    (await readFile(path, 'utf8')).match(/(?<=line )\d/g)?.join('') ?? ''
  // a line is 32 bytes, and the fourth passes 100
  assert.deepEqual([await numbers(`${logPath(home)}.1`), await numbers(logPath(home))], ['1234', '5678'])
})
