/** kubo on loopback: each is a repository of its own, gone when its test ends. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { output, Running } from '../bench/processes.ts'
import { freePort, type Home, type Homes } from '../e2e/homes.ts'
import { installed } from './installed.ts'

/** kubo's own count of what went by Bitswap. */
export interface KuboCount {
  readonly BlocksReceived: number
  readonly DataReceived: number
  readonly DupBlksReceived: number
  readonly BlocksSent: number
  readonly DataSent: number
}

export interface KuboOptions {
  /** `none` finds peers by connections alone; `dht` takes part in the local network's DHT. */
  readonly routing?: 'none' | 'dht'
  /** Peers to join the network by. */
  readonly bootstrap?: readonly string[]
}

interface KuboConfig {
  Identity: { PeerID: string }
  Bootstrap: readonly string[]
  Routing: { Type?: string }
  Addresses: { Gateway: string; Swarm: readonly string[] }
  AutoTLS?: { Enabled: boolean }
}

export class Kubo {
  readonly version: string
  readonly #program: string
  readonly #env: Readonly<Record<string, string>>
  #daemon: Running | undefined

  private constructor(program: string, version: string, repository: string) {
    this.#program = program
    this.version = version
    this.#env = { IPFS_PATH: repository, IPFS_TELEMETRY: 'off' }
  }

  /** A repository without a daemon. */
  static async create(homes: Homes, name: string, options: KuboOptions = {}): Promise<Kubo> {
    const program = join(await installed('kubo'), 'ipfs')
    const version = (await output(program, ['version', '--number'])).trim()
    const repository = homes.path(`kubo-${name}`)
    const kubo = new Kubo(program, version, repository)
    homes.atEnd(() => kubo.stop())
    await kubo.run('init', '--profile=test,unixfs-v1-2025')
    const path = join(repository, 'config')
    const config = JSON.parse(await readFile(path, 'utf8')) as KuboConfig
    config.Routing.Type = options.routing ?? 'none'
    config.Bootstrap = options.bootstrap ?? []
    // the profile's port 0 is another after each start. A kubo that restarts forgets addresses, and as backups of its bootstrap
    // peers it notes whom it has met when it has just joined, then once an hour: with that peer elsewhere it can be left alone
    config.Addresses.Swarm = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
    await writeFile(path, JSON.stringify(config))
    return kubo
  }

  /** A running daemon. */
  static async start(homes: Homes, name: string, options: KuboOptions = {}): Promise<Kubo> {
    const kubo = await Kubo.create(homes, name, options)
    await kubo.start()
    return kubo
  }

  async start(): Promise<void> {
    this.#daemon = new Running(this.#program, ['daemon'], { env: this.#env })
    await this.#daemon.line(/^Daemon is ready/)
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop()
    this.#daemon = undefined
  }

  /** Runs a command that has to succeed; its stdout without the last line's end. */
  async run(...args: string[]): Promise<string> {
    return (await this.pipe('', ...args)).trimEnd()
  }

  /** The same, with something on its stdin. */
  pipe(input: string, ...args: string[]): Promise<string> {
    return output(this.#program, args, input, { env: this.#env })
  }

  /** The root of a file or tree. */
  async add(path: string, ...options: string[]): Promise<string> {
    return this.run('add', '-r', '-Q', '--progress=false', ...options, path)
  }

  async get(cid: string, target: string): Promise<void> {
    await this.run('get', '--progress=false', '-o', target, cid)
  }

  async peerId(): Promise<string> {
    return this.run('id', '-f', '<id>')
  }

  /** The address by which others reach it. */
  async address(): Promise<string> {
    const addresses = (await this.run('id', '-f', '<addrs>')).split('\n')
    const address = addresses.find((each) => each.startsWith('/ip4/127.0.0.1/tcp/') && !each.includes('/ws'))
    assert.ok(address !== undefined, addresses.join(' '))
    return address
  }

  async connect(other: Home | Kubo): Promise<void> {
    await this.run('swarm', 'connect', await other.address())
  }

  async count(): Promise<KuboCount> {
    return JSON.parse(await this.run('bitswap', 'stat', '--enc=json')) as KuboCount
  }

  /** Prints kubo's version and its own count. */
  async tell(t: TestContext): Promise<KuboCount> {
    const count = await this.count()
    t.diagnostic(
      `kubo ${this.version} counts ${count.BlocksReceived} blocks (${count.DataReceived} bytes) received, ` +
        `${count.DupBlksReceived} of them twice, ${count.BlocksSent} blocks (${count.DataSent} bytes) sent`,
    )
    return count
  }
}
