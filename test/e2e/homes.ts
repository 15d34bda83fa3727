/**
 * Homes for tests: each is a node of its own, used through `bin/share.js` as a person would use it. They listen on
 * loopback and know nobody, so nothing leaves the machine; a test's homes, daemons and files are gone when it ends.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ErrorJson } from '../../src/core/errors.ts'
import type { DaemonInfo } from '../../src/daemon/api.ts'
import type { ConfigKey } from '../../src/node/config.ts'
import type { NodeIdentity, ShareInfo } from '../../src/node/types.ts'

/** The checkout that is tested; its node_modules are real files of all sizes. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))

export const SHARE = join(CHECKOUT, 'bin/share.js')

/** Waits that are in vain end after this long, in ms: far above what any of them takes on a busy machine. */
const PATIENCE = 90_000

/** A command that hangs is killed after this long, in ms; a GiB takes a tenth of it. */
const LONGEST_COMMAND = 180_000

/** Lines of a daemon's log beside a failure: a stack and what led to it. */
const LAST_WORDS = 30

export interface Ended {
  readonly code: number | null
  /** Standard output, as bytes and as text. */
  readonly output: Buffer
  readonly stdout: string
  readonly stderr: string
}

export interface Command {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
}

/** What a test works in: a directory for its files, and the homes it asks for. */
export class Homes {
  /** For the test's own files. */
  readonly work: string
  readonly #homes: Home[] = []
  readonly #endings: (() => unknown)[] = []

  private constructor(work: string) {
    this.work = work
  }

  /** They are cleared when the test ends, however it ends. */
  static async open(t: TestContext): Promise<Homes> {
    const homes = new Homes(await mkdtemp(join(tmpdir(), 'share-e2e-')))
    t.after(() => homes.#clear())
    return homes
  }

  path(...names: string[]): string {
    return join(this.work, ...names)
  }

  /** A new home on a free port, alone in its network. */
  async add(name: string, settings: Partial<Record<ConfigKey, string>> = {}): Promise<Home> {
    const home = new Home(join(this.work, `home-${name}`), this.work)
    this.#homes.push(home)
    const config = {
      listen: `/ip4/127.0.0.1/tcp/${await freePort()}`,
      bootstrap: 'none',
      'discovery.mdns': 'off',
      ...settings,
    }
    await mkdir(home.path)
    await writeFile(join(home.path, 'config.json'), JSON.stringify(config))
    return home
  }

  /** Work for the end, when no daemon runs any more and the files are still there. */
  atEnd(work: () => unknown): void {
    this.#endings.push(work)
  }

  async #clear(): Promise<void> {
    await Promise.all(this.#homes.map((home) => home.kill()))
    for (const work of this.#endings) await work()
    await rm(this.work, { recursive: true, force: true, maxRetries: 3 })
  }
}

export class Home {
  readonly path: string
  readonly #work: string
  readonly #commands = new Set<ChildProcess>()

  constructor(path: string, work: string) {
    this.path = path
    this.#work = work
  }

  /** Starts a command and does not wait for it. */
  start(...args: string[]): Command {
    const child = spawn(process.execPath, [SHARE, ...args], {
      cwd: this.#work,
      env: { ...process.env, SHARE_HOME: this.path },
      stdio: 'pipe',
      timeout: LONGEST_COMMAND,
      killSignal: 'SIGKILL',
    })
    this.#commands.add(child)
    const ended = outcome(child)
    void ended.finally(() => this.#commands.delete(child))
    return { process: child, ended }
  }

  /** Runs a command to its end, whatever that is. */
  run(...args: string[]): Promise<Ended> {
    return this.start(...args).ended
  }

  /** Runs a command that has to succeed; its stdout without the last line's end. */
  async share(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args)
    if (code !== 0) assert.fail(`share ${args.join(' ')}: ${stderr}${stdout}${await this.#lastWords()}`)
    return stdout.trimEnd()
  }

  /** The end of the daemon's log: why it ended, where a command says no more than that it did. */
  async #lastWords(): Promise<string> {
    const log = await readFile(join(this.path, 'daemon.log'), 'utf8').catch(() => '')
    return log.split('\n').slice(-LAST_WORDS).join('\n')
  }

  /** What a command that has to succeed prints, byte for byte. */
  async bytes(...args: string[]): Promise<Buffer> {
    const { code, output, stderr } = await this.run(...args)
    assert.equal(code, 0, `share ${args.join(' ')}: ${stderr}`)
    return output
  }

  /** The one object that a command prints with `--json`. */
  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.share(...args, '--json')) as T
  }

  /** Runs a command that has to fail, and checks how it says so: as text, and as JSON. */
  async fails(args: string[], code: number, name: string, message: RegExp): Promise<void> {
    const shown = `share ${args.join(' ')}`
    const text = await this.run(...args)
    const [what = '', next = '', ...more] = text.stderr.trimEnd().split('\n').slice(-2)
    assert.deepEqual([text.code, text.stdout, more], [code, '', []], `${shown}: ${text.stderr}`)
    assert.match(what, message, shown)
    assert.ok(what.startsWith('error: ') && what.endsWith(` [${name}]`), what)
    assert.match(next, /^next: ./, shown)
    const json = await this.run(...args, '--json')
    const { error } = JSON.parse(json.stdout) as { error: ErrorJson }
    assert.deepEqual([json.code, error.code, error.hint !== ''], [code, name, true], shown)
  }

  async shares(): Promise<readonly ShareInfo[]> {
    return (await this.json<{ shares: ShareInfo[] }>('status')).shares
  }

  /** The one share with this CID. */
  async status(cid: string): Promise<ShareInfo> {
    const share = (await this.shares()).find((each) => each.cid === cid)
    assert.ok(share !== undefined, `no share ${cid} in ${this.path}`)
    return share
  }

  /** The address by which others reach it. */
  async address(): Promise<string> {
    const [address = ''] = (await this.json<NodeIdentity>('id')).addresses
    return address
  }

  async peerId(): Promise<string> {
    return (await this.json<NodeIdentity>('id')).peerId
  }

  async connect(other: Home): Promise<void> {
    await this.share('peers', 'connect', await other.address())
  }

  daemon(): Promise<DaemonInfo> {
    return this.json<DaemonInfo>('daemon', 'status')
  }

  /** Stops the daemon as a person would. */
  async stop(): Promise<void> {
    await this.share('daemon', 'stop')
  }

  /** `kill -9` for the running daemon alone; resolves when it is gone. */
  async crash(): Promise<void> {
    const pid = Number(await readFile(join(this.path, 'daemon.pid'), 'utf8'))
    process.kill(pid, 'SIGKILL')
    await until('the daemon is gone', async () => !(await processesOf(this.path)).includes(pid))
  }

  /** `kill -9` for the daemon and for whatever commands run; resolves when all are gone. */
  async kill(): Promise<void> {
    for (const child of this.#commands) child.kill('SIGKILL')
    await Promise.all([...this.#commands].map((child) => once(child, 'close')))
    for (const pid of await processesOf(this.path)) process.kill(pid, 'SIGKILL')
    await until('the daemon is gone', async () => (await processesOf(this.path)).length === 0)
  }
}

/** A home's processes by their environment: a pid file may be missing, or name somebody else's process by now. */
async function processesOf(home: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const environment = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '')
    if (environment.split('\0').includes(`SHARE_HOME=${home}`)) found.push(Number(name))
  }
  return found
}

async function outcome(child: ChildProcess): Promise<Ended> {
  const bytes = async (stream: ChildProcess['stdout']): Promise<Buffer> =>
    Buffer.concat((await stream?.toArray()) ?? [])
  const [output, errors, [code]] = await Promise.all([
    bytes(child.stdout),
    bytes(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, output, stdout: output.toString(), stderr: errors.toString() }
}

/** Looks every 100 ms until there is an answer other than false or undefined. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
): Promise<Exclude<T, false | undefined>> {
  const end = performance.now() + PATIENCE
  for (;;) {
    const seen = await look()
    if (seen !== false && seen !== undefined) return seen as Exclude<T, false | undefined>
    assert.ok(performance.now() < end, `waited in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** A port that nobody uses, outside of those that the system gives to outgoing connections. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_000)
    const server = createServer().listen(port, '127.0.0.1')
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
